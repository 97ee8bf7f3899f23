"""What fires next."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice

from msgspec import Struct

from rota.app import Rota
from rota.core.model import ScheduleState
from rota.views.schedule import planned


class Fire(Struct, frozen=True, kw_only=True):
    """One slot to come."""

    slot: datetime
    job: str
    schedule: str
    text: str
    in_s: float
    """Seconds from now; negative for one that is overdue."""
    note: str | None
    """What daylight saving does to it."""


def upcoming(app: Rota, *, until: datetime, jobs: Sequence[str] = (), limit: int = 100) -> list[Fire]:
    """Return the slots of active schedules from now, or overdue, up to `until`, soonest first."""
    now = app.clock.now()
    fires: list[Fire] = []
    for schedule in planned(app):
        if schedule.state is not ScheduleState.ACTIVE or schedule.timing is None or schedule.next_at is None:
            continue
        if jobs and schedule.job not in jobs:
            continue
        # One before the next slot: overdue ones are shown as what they are.
        after = schedule.next_at - timedelta.resolution
        for slot in islice(schedule.agenda.slots(after=after, until=until), limit):
            fires.append(
                Fire(
                    slot=slot,
                    job=schedule.job,
                    schedule=schedule.name,
                    text=schedule.text,
                    in_s=round((slot - now).total_seconds(), 1),
                    note=schedule.agenda.note(slot),
                )
            )
    return sorted(fires, key=lambda fire: (fire.slot, fire.schedule))[:limit]
