"""Whether a schedule is fresh for a tenant: by when it must have succeeded again (R51).

A pair is one schedule and one tenant. What is expected of it follows from its rule, from the newest slot that succeeded
and from when it began to be watched; never from when somebody looked.
"""

import re
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

from rota.core.duration import duration_text, parse_duration
from rota.core.kind import Timing
from rota.core.timing import interval, next_slot, slot_before
from rota.errors import ConfigurationError

GRACE = timedelta(minutes=15)
"""Of the default rule; and the most that a run may take before it is late."""
SKEW = timedelta(minutes=1)
"""How far ahead of the clock a success may lie and still be one: processes need not agree to the second."""
OLDEST = timedelta(days=36500)
"""How old a success may be said to be at most: a time that far ahead can still be computed with."""

_TICK = timedelta.resolution
_TERM = re.compile(r"(?:(\d+(?:\.\d+)?)\s*\*\s*)?(interval)|(.+)")


class Freshness(StrEnum):
    """`new` has had no slot to prove yet; missing proof after that is `late`, then `stale`."""

    NEW = "new"
    FRESH = "fresh"
    LATE = "late"
    STALE = "stale"
    PAUSED = "paused"


WORSE = {
    Freshness.PAUSED: 0,
    Freshness.NEW: 1,
    Freshness.FRESH: 1,
    Freshness.LATE: 2,
    Freshness.STALE: 3,
}
"""How bad each state is; new is as good as fresh."""


class Allowance(Struct, frozen=True, kw_only=True):
    """How old the slot of the last success may be: so many intervals, and a time."""

    intervals: float = 2
    extra: timedelta = GRACE

    @classmethod
    def parse(cls, text: str) -> "Allowance":
        """Return what a text says: `2 * interval + 15m`, `interval + 1h`, `26h`.

        Raises:
            ConfigurationError: names the text, and what would do.
        """
        intervals, extra = 0.0, timedelta(0)
        for term in text.split("+"):
            found = _TERM.fullmatch(term.strip())
            try:
                if found is None:
                    raise ValueError("it is empty")
                if found[2]:
                    intervals += float(found[1] or 1)
                else:
                    extra += parse_duration(found[3])
            except ValueError as error:
                raise ConfigurationError(
                    f"{text!r} is no rule of freshness: {error}; write `2 * interval + 15m`, or a time such as `26h`"
                ) from error
        return cls(intervals=intervals, extra=extra)

    def of(self, gap: timedelta) -> timedelta:
        """Return the time for slots that are `gap` apart."""
        return self.intervals * gap + self.extra

    def __str__(self) -> str:
        times = "" if self.intervals == 1 else f"{self.intervals:g} * "
        terms = [f"{times}interval"] if self.intervals else []
        return " + ".join([*terms, duration_text(self.extra)] if self.extra or not terms else terms)


DEFAULT = Allowance()


class Rule(Struct, frozen=True, kw_only=True):
    """What is expected of a pair."""

    timing: Timing | None
    """In the zone of its tenant, if it is in that of the tenant; None for what has no schedule, only an age."""
    within: Allowance
    grace: timedelta = GRACE
    """How long after its slot a success may come and not be late: what its run may take, at most 15 minutes, and
    its jitter."""
    key: str = ""
    """What H fields are hashed from, where they spread the runs of a slot (R2)."""

    @property
    def mark(self) -> str:
        """What tells it from any other rule; short, for the store."""
        return _mark(self)


class Expectation(Struct, frozen=True, kw_only=True, gc=False):
    """When a pair turns late and stale if nothing more succeeds, and by which rule. None: never."""

    late_at: datetime | None = None
    stale_at: datetime | None = None
    rule: str = ""

    @property
    def look_at(self) -> datetime | None:
        """When it has to be judged again: what may be old for less than a run may take is stale before it is late."""
        return min((at for at in (self.late_at, self.stale_at) if at is not None), default=None)


@lru_cache(maxsize=4096)
def expectation(rule: Rule, *, proof: datetime | None, watched_from: datetime | None = None) -> Expectation:
    """Return by when a pair must have succeeded again.

    `proof` is the newest slot that succeeded. No slot before `watched_from` is asked for: when the pair came into
    being, or was resumed, or got a rule that it would have broken before. One is needed at least.

    Until its first proof a pair is judged as if the slot before `watched_from` had succeeded, and is never stale before
    it is late.
    """
    is_proved = proof is not None and (watched_from is None or proof >= watched_from)
    if rule.timing is None:
        since = proof if is_proved and proof is not None else watched_from
        assert since is not None
        return Expectation(stale_at=since + rule.within.extra, rule=rule.mark)
    if is_proved and proof is not None:
        following = next_slot(rule.timing, after=proof)
        gap = interval(rule.timing, at=proof)
        if following is None or gap is None:
            # Nothing is to come: nothing is expected.
            return Expectation(rule=rule.mark)
        stale_at = proof + _allowed(rule.within, gap, rule.timing, following=following)
        return Expectation(late_at=_late_at(rule, following), stale_at=stale_at, rule=rule.mark)
    assert watched_from is not None
    return _first(rule, rule.timing, proof=proof, watched_from=watched_from)


def _first(rule: Rule, timing: Timing, *, proof: datetime | None, watched_from: datetime) -> Expectation:
    """Return by when a pair must have succeeded for the first time, or again since it is watched."""
    following = next_slot(timing, after=watched_from)
    if following is None:
        # A single time that has passed, with nobody to prove it or with nothing to prove.
        return Expectation(rule=rule.mark)
    late = _late_at(rule, following)
    before = slot_before(timing, watched_from + _TICK)
    gap = interval(timing, at=following if before is None else before)
    if gap is None:
        # One time only: there is no interval to judge by.
        return Expectation(late_at=late, stale_at=late + GRACE, rule=rule.mark)
    base = following - gap if before is None else before
    if proof is not None:
        base = max(base, proof)
    stale_at = base + _allowed(rule.within, gap, timing, following=following)
    return Expectation(late_at=late, stale_at=max(stale_at, late), rule=rule.mark)


def _allowed(within: Allowance, gap: timedelta, timing: Timing, *, following: datetime) -> timedelta:
    """Return how old a success may be whose next slot, a gap later, is `following`.

    A long gap counts once. An hourly job that rests at weekends has its first slot on Monday: two intervals after
    Friday's last one end an hour after that, not two weekends.
    """
    second = interval(timing, at=following)
    if within.intervals <= 1 or second is None or second >= gap:
        return within.of(gap)
    return gap + replace(within, intervals=within.intervals - 1).of(second)


def _late_at(rule: Rule, slot: datetime) -> datetime:
    assert rule.timing is not None
    due_at = next_slot(rule.timing, after=slot - _TICK, key=rule.key) if rule.key else slot
    return (due_at or slot) + rule.grace


@lru_cache(maxsize=4096)
def _mark(rule: Rule) -> str:
    parts = (str(rule.timing), str(rule.within), duration_text(rule.grace), rule.key)
    return blake2b("\x1f".join(parts).encode(), digest_size=8).hexdigest()


def freshness(
    *, now: datetime, late_at: datetime | None, stale_at: datetime | None, has_succeeded: bool, is_paused: bool
) -> Freshness:
    """Return the state for these instants."""
    if is_paused:
        return Freshness.PAUSED
    if stale_at is not None and now >= stale_at:
        return Freshness.STALE
    if late_at is not None and now >= late_at:
        return Freshness.LATE
    return Freshness.FRESH if has_succeeded else Freshness.NEW


def checked_age(within: timedelta) -> timedelta:
    """Return how old a success may be, as somebody said it of a schedule.

    Raises:
        ValueError: it cannot be that: nothing, or longer than a century.
    """
    if not timedelta(0) < within <= OLDEST:
        raise ValueError(f"{within} must be longer than nothing and no longer than a century, such as 26h")
    return within


def grace_of(timeout: timedelta | None, jitter: timedelta | None = None) -> timedelta:
    """Return how long after its slot a run may end and not be late."""
    return min(timeout or GRACE, GRACE) + (jitter or timedelta(0))


def slot_of_ping(timing: Timing | None, *, at: datetime) -> datetime:
    """Return the slot that a script outside of Rota has proved by saying at `at` that it succeeded.

    The newest one; or the next, where that is so near that only the script's clock is fast: within a tenth of the
    interval, at most 5 minutes. Without a timing the instant itself.
    """
    if timing is None:
        return at
    gap = interval(timing, at=at) or interval(timing, at=slot_before(timing, at) or at)
    early = min(gap / 10, timedelta(minutes=5)) if gap is not None else timedelta(0)
    following = next_slot(timing, after=at)
    if following is not None and following - at <= early:
        return following
    return slot_before(timing, at + _TICK) or at
