"""Whether a schedule is fresh for a tenant: by when it must have succeeded again (R51)."""

from datetime import datetime, timedelta
from enum import StrEnum

from rota.core.kind import Timing
from rota.core.timing import interval, next_slot

GRACE = timedelta(minutes=15)


class Freshness(StrEnum):
    """`new` has never had a slot to prove; missing proof after that is `stale`."""

    NEW = "new"
    FRESH = "fresh"
    LATE = "late"
    STALE = "stale"
    PAUSED = "paused"


def fresh_within(timing: Timing, *, at: datetime, said: timedelta | None = None, key: str = "") -> timedelta | None:
    """Return how old the slot of the last success may be: what was said, else two intervals and 15 minutes.

    None for a timing with no further slot: nothing is expected of it.
    """
    if said is not None:
        return said
    gap = interval(timing, at=at, key=key)
    return None if gap is None else 2 * gap + GRACE


def late_at(timing: Timing, *, since: datetime, timeout: timedelta | None, key: str = "") -> datetime | None:
    """Return when a success after `since` (a slot) becomes late: the next slot, and the time its run may take, at
    most 15 minutes."""
    following = next_slot(timing, after=since, key=key)
    return None if following is None else following + min(timeout or GRACE, GRACE)


def freshness(
    *, now: datetime, late_at: datetime | None, stale_at: datetime | None, has_succeeded: bool, is_paused: bool
) -> Freshness:
    """Return the state for these instants; `stale_at` is the last success's slot plus `fresh_within`."""
    if is_paused:
        return Freshness.PAUSED
    if stale_at is not None and now >= stale_at:
        return Freshness.STALE
    if late_at is not None and now >= late_at:
        return Freshness.LATE
    return Freshness.FRESH if has_succeeded else Freshness.NEW
