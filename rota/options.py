"""The terms of an enqueue: what `using(...)` and `@job(...)` may say, checked where it is said."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypedDict, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from rota.core.duration import parse_duration
from rota.core.policy import Job, Retry, as_catch_up, as_overlap
from rota.core.unique import Conflict, Scope
from rota.errors import ConfigurationError

MOST_PRIORITY = 2**31 - 1
LONGEST = 255
"""Characters of a name: of a queue, a tenant, a user, a key."""

Word = TypeVar("Word", bound=StrEnum)
KeyOf = Callable[..., str]
"""Makes a key of the arguments that a run is enqueued with; it is called with them as the job is."""


class JobTerms(TypedDict, total=False):
    """What a job may say for all that is enqueued of it, and `using` for some of it."""

    expires: timedelta | datetime | str | None
    """A run that has not begun then is skipped: so long after the enqueue, or at an aware instant (R32)."""
    key: str | KeyOf | None
    """A key that limits may name (R35)."""
    unique: str | KeyOf | bool | None
    """`"args"`, or a key: at most one run of the job, the tenant and this key at a time; `False` is without."""
    unique_while: Scope | str | None
    """How long a run keeps its key: `"waiting"`, until it begins, or `"open"`, until it is over: the default."""
    unique_for: timedelta | str | None
    """How long a run keeps its key, counted from the enqueue, whatever becomes of it."""
    on_conflict: Conflict | str | None
    """What happens while another run has the key: `"existing"`, the default, `"replace"` or `"raise"`."""


class Terms(JobTerms, total=False):
    """What `using` may say."""

    tenant: str | None
    user_id: str | None
    queue: str | None
    priority: int | None
    """Higher first."""
    delay: timedelta | str | None
    """Not before so much time has passed after the enqueue."""
    at: datetime | None
    """Not before this aware instant."""
    connection: object | None
    """The runs are there when the transaction that is open on it commits, and never were when it does not (R34)."""
    retry: Retry | None
    """How these runs are retried, whatever their job says."""


class Options(Struct, frozen=True, kw_only=True):
    """The terms of an enqueue, checked: durations as timedeltas, instants in UTC."""

    tenant: str | None = None
    user_id: str | None = None
    queue: str | None = None
    priority: int | None = None
    delay: timedelta | None = None
    at: datetime | None = None
    expires: timedelta | datetime | None = None
    retry: Retry | None = None
    key: str | KeyOf | None = None
    unique: str | KeyOf | None = None
    unique_while: Scope | None = None
    unique_for: timedelta | None = None
    on_conflict: Conflict | None = None
    connection: object | None = None

    def due_at(self, now: datetime) -> datetime:
        """Return when a run that is enqueued now is due."""
        return self.at or (_later(now, self.delay, "delay") if self.delay else now)

    def expires_at(self, now: datetime) -> datetime | None:
        """Return when a run that is enqueued now has to have begun.

        Raises:
            ConfigurationError: that is not after it is due.
        """
        if self.expires is None:
            return None
        expires_at = self.expires if isinstance(self.expires, datetime) else _later(now, self.expires, "expires")
        due_at = self.due_at(now)
        if expires_at <= due_at:
            raise ConfigurationError(
                f"the run would expire at {expires_at:%Y-%m-%d %H:%M:%S} UTC and is due at {due_at:%Y-%m-%d %H:%M:%S} "
                "UTC: it could never begin; give it a later expires=..."
            )
        return expires_at

    def kept_until(self, now: datetime) -> datetime | None:
        """Return until when a run that is enqueued now keeps its key, where that is a matter of time."""
        return None if self.unique_for is None else _later(now, self.unique_for, "unique_for")

    @property
    def scope(self) -> Scope:
        """How long a run keeps its key."""
        return Scope.PERIOD if self.unique_for is not None else self.unique_while or Scope.OPEN


def merged(options: Options, said: Mapping[str, Any], *, job: str) -> Options:
    """Return the options with what is said laid over them; `None` says nothing.

    Raises:
        ConfigurationError: it makes no sense, names the job and the term.
        TypeError: there is no such term.
    """
    unknown = said.keys() - set(Options.__struct_fields__)
    if unknown:
        raise TypeError(f"job {job!r}: there is no term {sorted(unknown)[0]!r}; there are: {', '.join(TERMS)}")
    given = {name: value for name, value in said.items() if value is not None}
    try:
        checked = {name: _CHECKS[name](name, value) for name, value in given.items()}
        return _consistent(replace(_without_rivals(options, given), **checked), given)
    except ConfigurationError as error:
        raise ConfigurationError(f"job {job!r}: {error}") from None


def checked_policy(job: Job) -> Job:
    """Return the policy of a job, once what it says of its runs makes sense.

    Raises:
        ConfigurationError: it does not; names the job and what is wrong.
    """
    said = {"queue": job.queue, "priority": job.priority, "retry": job.retry}
    for name, value in said.items():
        if value is None:
            raise ConfigurationError(f"job {job.name!r}: {name}=None says nothing: leave it out for the default")
    merged(Options(), said, job=job.name)
    try:
        return replace(job, catch_up=as_catch_up(job.catch_up), overlap=as_overlap(job.overlap))
    except ValueError as error:
        raise ConfigurationError(f"job {job.name!r}: {error}") from None


def _without_rivals(options: Options, said: Mapping[str, Any]) -> Options:
    """Take out what the job said, where `using` says something else in its place."""
    if "delay" in said:
        options = replace(options, at=None)
    if "at" in said:
        options = replace(options, delay=None)
    if "unique_for" in said:
        options = replace(options, unique_while=None)
    if "unique_while" in said:
        options = replace(options, unique_for=None)
    if said.get("unique") is False:
        options = replace(options, unique_while=None, unique_for=None, on_conflict=None)
    return options


def _consistent(options: Options, said: Mapping[str, Any]) -> Options:
    for one, other in (("delay", "at"), ("unique_while", "unique_for")):
        if one in said and other in said:
            raise ConfigurationError(f"{one}=... and {other}=...: one of the two")
    if options.unique is None:
        for name in ("unique_for", "unique_while", "on_conflict"):
            if getattr(options, name) is not None:
                raise ConfigurationError(f"{name}=... needs a key: add unique='args', or unique='a key of your own'")
    is_relative = isinstance(options.expires, timedelta) and options.at is None
    if is_relative and options.delay is not None and options.expires <= options.delay:  # type: ignore[operator]  # said
        raise ConfigurationError(f"expires={options.expires} is not after delay={options.delay}: it could never begin")
    return options


def _later(now: datetime, duration: timedelta, name: str) -> datetime:
    try:
        return now + duration
    except OverflowError:
        raise ConfigurationError(f"{name}={duration} is beyond the end of the calendar") from None


def checked_key(key: str, *, job: str) -> str:
    """Return a key that was made of arguments.

    Raises:
        ConfigurationError: it cannot be kept.
    """
    try:
        return _text("the key", key)
    except ConfigurationError as error:
        raise ConfigurationError(f"job {job!r}: {error}") from None


# --- one term at a time ---


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"{name}={value!r} must be a text")
    if not value or len(value) > LONGEST or "\x00" in value or not _is_unicode(value):
        raise ConfigurationError(f"{name} must have 1 to {LONGEST} characters, without NUL or half a surrogate pair")
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _priority(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigurationError(f"{name}={value!r} must be a whole number")
    if abs(value) > MOST_PRIORITY:
        raise ConfigurationError(f"{name}={value} is out of range: from -{MOST_PRIORITY} to {MOST_PRIORITY}")
    return value


def _delay(name: str, value: object) -> timedelta:
    duration = _duration(name, value)
    if duration < timedelta(0):
        raise ConfigurationError(f"{name}={duration} is negative: leave it out to run at once")
    return duration


def _period(name: str, value: object) -> timedelta:
    duration = _duration(name, value)
    if duration <= timedelta(0):
        raise ConfigurationError(f"{name}={duration} must be longer than nothing")
    return duration


def _duration(name: str, value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ConfigurationError(f"{name}={value!r} must be a timedelta, or a text such as '10m'")
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def _instant(name: str, value: object) -> datetime:
    if not isinstance(value, datetime):
        raise ConfigurationError(f"{name}={value!r} must be an aware datetime")
    if value.tzinfo is None or value.utcoffset() is None:
        raise ConfigurationError(f"{name}={value} needs an aware datetime, with its zone")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ConfigurationError(f"{name}={value} is beyond the end of the calendar") from None


def _expires(name: str, value: object) -> timedelta | datetime:
    return _instant(name, value) if isinstance(value, datetime) else _period(name, value)


def _retry(name: str, value: object) -> Retry:
    if not isinstance(value, Retry):
        raise ConfigurationError(f"{name}={value!r} must be a Retry: from rota import Retry")
    return value


def _key(name: str, value: object) -> str | KeyOf:
    return value if callable(value) else _text(name, value)


def _unique(name: str, value: object) -> str | KeyOf | None:
    if value is True:
        raise ConfigurationError(f"{name}=True does not say by what: unique='args', or unique='a key of your own'")
    return None if value is False else _key(name, value)


def _one_of(kind: Iterable[Word], name: str, value: object, *, but: tuple[Word, ...] = ()) -> Word:
    words = [word for word in kind if word not in but]
    found = next((word for word in words if word == value), None)
    if found is None:
        raise ConfigurationError(f"{name}={value!r}: there are {', '.join(repr(str(word)) for word in words)}")
    return found


def _scope(name: str, value: object) -> Scope:
    # A period is said by its length.
    return _one_of(Scope, name, value, but=(Scope.PERIOD,))


def _conflict(name: str, value: object) -> Conflict:
    return _one_of(Conflict, name, value)


_CHECKS: Mapping[str, Callable[[str, object], object]] = {
    "tenant": _text,
    "user_id": _text,
    "queue": _text,
    "priority": _priority,
    "delay": _delay,
    "at": _instant,
    "expires": _expires,
    "retry": _retry,
    "key": _key,
    "unique": _unique,
    "unique_while": _scope,
    "unique_for": _period,
    "on_conflict": _conflict,
    # What it is shows when it is used: a Session begins its transaction by that.
    "connection": lambda _name, value: value,
}
TERMS = tuple(_CHECKS)
