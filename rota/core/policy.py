"""What is said of a job beforehand: how it is retried, caught up, kept from overlapping, and its whole policy.

Values never change; a change is a new value.
"""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import force_setattr

from rota.core.duration import parse_duration
from rota.core.exceptions import named

if TYPE_CHECKING:
    Exceptions = type[BaseException] | str | Sequence[type[BaseException] | str]
    """Classes of exceptions, or their dotted names."""
else:
    # What is kept of them, in memory too: see `Retry.__post_init__`.
    Exceptions = tuple[str, ...]

Duration = timedelta | str
"""A length of time, or a text such as "30s"."""

WITHOUT_END: Final = 1_000_000
"""Attempts of what is tried until it succeeds: none of them is the last, so each that fails is told of."""


def tries(attempt: int, most: int, *, between: str = " of ") -> str:
    """Return how many attempts of how many: `2 of 3`; of what has no last one only `2`."""
    return f"{attempt}{between}{most}" if most < WITHOUT_END else str(attempt)


class CatchUpMode(StrEnum):
    NONE = "none"
    LATEST = "latest"
    ALL = "all"


class CatchUp(Struct, frozen=True, kw_only=True):
    """What happens to slots that were missed while nothing ran (R8)."""

    mode: CatchUpMode = CatchUpMode.LATEST
    limit: int | None = None
    """With `all`: at most this many slots, the newest; `None` is every one."""
    within: timedelta | None = None
    """With `all`: only slots at most this old."""

    @classmethod
    def none(cls) -> "CatchUp":
        """Missed slots are recorded as skipped, and nothing runs."""
        return cls(mode=CatchUpMode.NONE)

    @classmethod
    def latest(cls) -> "CatchUp":
        """One run for the newest missed slot; the older ones are recorded as skipped."""
        return cls(mode=CatchUpMode.LATEST)

    @classmethod
    def all(cls, *, limit: int | None = None, within: Duration | None = None) -> "CatchUp":
        """A run for every missed slot, oldest first; what lies beyond a limit is recorded as skipped."""
        if limit is not None and limit < 1:
            raise ValueError(f"CatchUp.all(limit={limit}): at least 1, or None for every missed slot")
        return cls(mode=CatchUpMode.ALL, limit=limit, within=_length_if(within))


class Overlap(StrEnum):
    """What happens to a slot of a tenant whose earlier run is not final (R10)."""

    SKIP = "skip"
    """It is recorded as skipped."""
    QUEUE_ONE = "queue_one"
    """It waits, if no other one waits yet; else it is skipped."""
    QUEUE_ALL = "queue_all"
    """It waits for its turn."""
    ALLOW = "allow"
    """Both run."""
    REPLACE = "replace"
    """The earlier ones are cancelled, and it waits until they have ended."""


def as_catch_up(said: object) -> CatchUp:
    """Return what was said of missed slots.

    Raises:
        ValueError: it is something else: a text, which a store would take for none.
    """
    if not isinstance(said, CatchUp):
        raise ValueError(f"catch_up={said!r} must be CatchUp.none(), CatchUp.latest() or CatchUp.all()")
    return said


def as_overlap(said: object) -> Overlap:
    """Return what was said of slots that meet, also as a text.

    Raises:
        ValueError: there is no such policy.
    """
    found = next((one for one in Overlap if one == said), None)
    if found is None:
        raise ValueError(f"overlap={said!r}: there are {', '.join(repr(str(one)) for one in Overlap)}")
    return found


class Retry(Struct, frozen=True, kw_only=True):
    """How often a run is attempted, how long it waits in between, and after which failures (R32).

    The n-th wait is `base * factor ** (n - 1)`, at most `max_wait`. With `jitter` it is drawn evenly between zero
    and that, so that 200 tenants which failed together do not come back together.
    """

    attempts: int = 3
    base: timedelta = timedelta(seconds=10)
    factor: float = 2.0
    max_wait: timedelta = timedelta(hours=1)
    jitter: bool = True
    waits: tuple[timedelta, ...] = ()
    """The waits one by one, in place of `base` and `factor`; the last one counts for all further ones."""
    on: Exceptions = ()
    """Only failures by these exceptions, or by classes made from them, are tried again; none named is every one.
    Classes or dotted names; kept as names."""
    not_on: Exceptions = ()
    """Failures by these exceptions are final; counts before `on`."""
    max_elapsed: timedelta | None = None
    """No further attempt begins later than this after the first one began; `None` is without limit."""

    def __post_init__(self) -> None:
        # A class would not reach a child process, nor the store with a run that has a policy of its own.
        force_setattr(self, "on", named(self.on))
        force_setattr(self, "not_on", named(self.not_on))
        if not isinstance(self.attempts, int):
            raise ValueError(f"Retry(attempts={self.attempts!r}): a whole number, the first attempt among them")
        for wait in (self.base, self.max_wait, *self.waits, self.max_elapsed):
            if not isinstance(wait, timedelta | None):
                raise ValueError(_no_length(wait))
        if self.attempts < 1:
            raise ValueError(f"Retry(attempts={self.attempts}): a run needs at least one attempt")
        if min(self.base, self.max_wait, *self.waits) < timedelta(0) or self.factor < 1:
            raise ValueError("Retry: no wait may be negative, and factor not below 1")
        if self.max_elapsed is not None and self.max_elapsed <= timedelta(0):
            raise ValueError("Retry: max_elapsed must be longer than nothing; Retry(attempts=1) is one attempt")

    @classmethod
    def fixed(
        cls,
        delay: Duration,
        *,
        attempts: int = 3,
        jitter: bool = False,
        on: Exceptions = (),
        not_on: Exceptions = (),
        max_elapsed: Duration | None = None,
    ) -> "Retry":
        """The same wait each time: `Retry.fixed("30s")`."""
        return cls(
            attempts=attempts,
            waits=(_length(delay),),
            jitter=jitter,
            on=on,
            not_on=not_on,
            max_elapsed=_length_if(max_elapsed),
        )

    @classmethod
    def exponential(
        cls,
        base: Duration = timedelta(seconds=10),
        *,
        factor: float = 2.0,
        max_wait: Duration = timedelta(hours=1),
        attempts: int = 3,
        jitter: bool = True,
        on: Exceptions = (),
        not_on: Exceptions = (),
        max_elapsed: Duration | None = None,
    ) -> "Retry":
        """Each wait `factor` times the one before, the first `base`, none over `max_wait`."""
        return cls(
            attempts=attempts,
            base=_length(base),
            factor=factor,
            max_wait=_length(max_wait),
            jitter=jitter,
            on=on,
            not_on=not_on,
            max_elapsed=_length_if(max_elapsed),
        )

    @classmethod
    def delays(
        cls,
        delays: Sequence[Duration],
        *,
        attempts: int | None = None,
        jitter: bool = False,
        on: Exceptions = (),
        not_on: Exceptions = (),
        max_elapsed: Duration | None = None,
    ) -> "Retry":
        """These waits one by one: `Retry.delays(["10s", "1m", "1h"])` is four attempts.

        With more `attempts` than that the last wait is repeated.
        """
        if isinstance(delays, str):
            raise ValueError(f"Retry.delays({delays!r}): it takes a list, also of one: [{delays!r}]")
        waits = tuple(_length(delay) for delay in delays)
        return cls(
            attempts=len(waits) + 1 if attempts is None else attempts,
            waits=waits,
            jitter=jitter,
            on=on,
            not_on=not_on,
            max_elapsed=_length_if(max_elapsed),
        )

    def covers(self, classes: Sequence[str]) -> bool:
        """Whether a failure by an exception of these classes (names, its own first) is tried again.

        One that is no exception, such as the death of a child process, always is.
        """
        if not classes:
            return True
        if not set(named(self.not_on)).isdisjoint(classes):
            return False
        return not self.on or not set(named(self.on)).isdisjoint(classes)


def _length(delay: Duration) -> timedelta:
    return parse_duration(delay) if isinstance(delay, str) else delay


def _no_length(said: object) -> str:
    return (
        f"Retry: {said!r} is no length of time: give a timedelta, or to Retry.fixed, .exponential and .delays a text "
        "such as '30s'"
    )


def _length_if(delay: Duration | None) -> timedelta | None:
    return None if delay is None else _length(delay)


class Job(Struct, frozen=True, kw_only=True):
    """The policy of a registered function. The function itself stays in the process that registered it."""

    name: str
    queue: str = "default"
    executor: str = "thread"
    per_tenant: bool = False
    timeout: timedelta | None = timedelta(minutes=15)
    retry: Retry = Retry()
    priority: int = 0
    """Higher first."""
    catch_up: CatchUp = CatchUp()
    overlap: Overlap = Overlap.SKIP
    fresh_within: timedelta | None = None
    depends_on: tuple[str, ...] = ()
    """Jobs that must have succeeded, for the same tenant, in their newest slot up to that of a run (R11)."""
    jitter: timedelta | None = None
    """Its runs are due up to so much after their slot, each schedule and tenant by its own share, and never after the
    next slot (R15)."""
    max_parallel: int | None = None
    """How many runs of one round are out at once; `None` is without limit."""
    max_memory: int | None = None
    """Bytes that a child process of this job may allocate; `None` is without limit. For the process executor."""
    max_cpu: timedelta | None = None
    """Processor time that a child process of this job may use. For the process executor."""
    tags: tuple[str, ...] = ()
    """What it is one of: rules of alerts and the public status page name jobs by their tags."""
    description: str = ""
    """The first line of the function's docstring (R16)."""
    place: str = ""
    """Where the function is defined: file and line, for error messages and pages."""
