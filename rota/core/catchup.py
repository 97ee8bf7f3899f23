"""Which slots of a schedule run after a pause, and which are recorded as skipped (R8)."""

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from rota.core.kind import Timing
from rota.core.model import CatchUp, CatchUpMode, Schedule, ScheduleState
from rota.core.timing import newest_slots, next_slot, slot_before, slots

ON_TIME = timedelta(minutes=1)
"""A slot that fires at most this late was not missed: an outside cron calls once a minute."""

MOST_AT_ONCE = 500
"""Slots fired in one go. A minute schedule that slept for a year is made up in steps, oldest first, so that neither
memory nor one transaction grows with the length of the pause."""


class Due(Struct, frozen=True, kw_only=True):
    """What is due of one schedule."""

    slots: tuple[datetime, ...]
    """The slots to run, oldest first."""
    skipped_from: datetime | None
    skipped_until: datetime | None
    """The range of slots that the policy decided not to run; both None when there is none."""
    cursor: datetime
    """The newest slot decided on."""
    next_at: datetime | None


def due_slots(timing: Timing, policy: CatchUp, *, after: datetime, now: datetime, key: str = "") -> Due:
    """Decide on the slots in (after, now]. Costs the slots that run, not the length of the pause.

    `key` spreads the `H` of a cron text.
    """
    first = next_slot(timing, after=after, key=key)
    if first is None or first > now:
        return Due(slots=(), skipped_from=None, skipped_until=None, cursor=after, next_at=first)
    following = next_slot(timing, after=first, key=key)
    if (following is None or following > now) and now - first <= ON_TIME:
        # The common case, one slot and on time, is the same under every policy.
        return Due(slots=(first,), skipped_from=None, skipped_until=None, cursor=first, next_at=following)
    running = _running(timing, policy, after=after, now=now, key=key)
    cursor = running[-1] if running else _newest(timing, after=after, now=now, key=key)
    skipped_from = skipped_until = None
    if not running:
        skipped_from, skipped_until = first, cursor
    elif running[0] != first:
        skipped_from, skipped_until = first, slot_before(timing, running[0], key=key)
    return Due(
        slots=tuple(running),
        skipped_from=skipped_from,
        skipped_until=skipped_until,
        cursor=cursor,
        next_at=next_slot(timing, after=cursor, key=key),
    )


def resumed(schedule: Schedule, timing: Timing, *, at: datetime) -> Schedule:
    """Return a schedule that fires again from `at` on: slots that passed meanwhile are not made up (R12)."""
    cursor = max(schedule.cursor, at)
    return replace(
        schedule,
        state=ScheduleState.ACTIVE,
        reason=None,
        paused_until=None,
        cursor=cursor,
        next_at=next_slot(timing, after=cursor, key=schedule.name),
    )


def _running(timing: Timing, policy: CatchUp, *, after: datetime, now: datetime, key: str) -> list[datetime]:
    match policy.mode:
        case CatchUpMode.NONE:
            newest = _newest(timing, after=after, now=now, key=key)
            return [newest] if now - newest <= ON_TIME else []
        case CatchUpMode.LATEST:
            return [_newest(timing, after=after, now=now, key=key)]
        case CatchUpMode.ALL:
            since = after if policy.within is None else max(after, now - policy.within)
            if policy.limit is not None:
                return newest_slots(timing, after=since, until=now, limit=policy.limit, key=key)[:MOST_AT_ONCE]
            ahead = slots(timing, after=since, until=now, key=key)
            return [slot for slot, _ in zip(ahead, range(MOST_AT_ONCE), strict=False)]


def _newest(timing: Timing, *, after: datetime, now: datetime, key: str) -> datetime:
    return newest_slots(timing, after=after, until=now, limit=1, key=key)[-1]
