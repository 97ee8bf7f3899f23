"""Which slots of a schedule run after a pause, and which are recorded as skipped (R8)."""

from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from rota.core.agenda import Agenda
from rota.core.model import Schedule, ScheduleState
from rota.core.policy import CatchUp, CatchUpMode

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


def due_slots(agenda: Agenda, policy: CatchUp, *, after: datetime, now: datetime) -> Due:
    """Decide on the slots in (after, now]. Costs the slots that run, not the length of the pause."""
    first = agenda.next_slot(after=after)
    if first is None or first > now:
        return Due(slots=(), skipped_from=None, skipped_until=None, cursor=after, next_at=first)
    following = agenda.next_slot(after=first)
    if (following is None or following > now) and now - first <= ON_TIME:
        # The common case, one slot and on time, is the same under every policy.
        return Due(slots=(first,), skipped_from=None, skipped_until=None, cursor=first, next_at=following)
    running = _running(agenda, policy, after=after, now=now)
    cursor = running[-1] if running else _newest(agenda, after=after, now=now)
    skipped_from = skipped_until = None
    if not running:
        skipped_from, skipped_until = first, cursor
    elif running[0] != first:
        skipped_from, skipped_until = first, agenda.slot_before(running[0])
    return Due(
        slots=tuple(running),
        skipped_from=skipped_from,
        skipped_until=skipped_until,
        cursor=cursor,
        next_at=agenda.next_slot(after=cursor),
    )


def restarted(schedule: Schedule, agenda: Agenda, *, at: datetime) -> Schedule:
    """Return a schedule that goes on from `at`: slots that passed before are decided on, and not made up (R5, R12)."""
    cursor = max(schedule.cursor, at)
    return replace(schedule, cursor=cursor, next_at=agenda.next_slot(after=cursor))


def resumed(schedule: Schedule, agenda: Agenda, *, at: datetime) -> Schedule:
    """Return a schedule that fires again from `at` on: slots that passed meanwhile are not made up (R12)."""
    active = replace(schedule, state=ScheduleState.ACTIVE, reason=None, paused_by=None, paused_until=None)
    return restarted(active, agenda, at=at)


def _running(agenda: Agenda, policy: CatchUp, *, after: datetime, now: datetime) -> list[datetime]:
    match policy.mode:
        case CatchUpMode.NONE:
            newest = _newest(agenda, after=after, now=now)
            return [newest] if now - newest <= ON_TIME else []
        case CatchUpMode.LATEST:
            return [_newest(agenda, after=after, now=now)]
        case CatchUpMode.ALL:
            since = after if policy.within is None else max(after, _back(now, policy.within))
            if policy.limit is not None:
                # A row may say anything.
                if policy.limit < 1:
                    return []
                return agenda.newest_slots(after=since, until=now, limit=policy.limit)[:MOST_AT_ONCE]
            return agenda.first_slots(after=since, until=now, limit=MOST_AT_ONCE)


def _back(now: datetime, age: timedelta) -> datetime:
    try:
        return now - age
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _newest(agenda: Agenda, *, after: datetime, now: datetime) -> datetime:
    return agenda.newest_slots(after=after, until=now, limit=1)[-1]
