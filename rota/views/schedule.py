"""The schedules of an app: those in the store, and those that its code declares and nobody has stored yet."""

from datetime import datetime

from msgspec import Struct

from rota.app import Rota
from rota.core import words
from rota.core.kind import Timing
from rota.core.model import CatchUp, Overlap, Schedule, ScheduleState
from rota.core.timing import next_slot, with_default_zone
from rota.errors import BadSchedule


class Planned(Struct, frozen=True, kw_only=True):
    """A schedule with its timing read, for what is computed about it."""

    name: str
    job: str
    timing: Timing | None
    """None when its text cannot be read."""
    text: str
    """In words."""
    state: ScheduleState
    reason: str | None = None
    tenants: tuple[str, ...] | None = None
    is_stored: bool = True
    cursor: datetime | None = None
    next_at: datetime | None = None
    paused_until: datetime | None = None
    catch_up: CatchUp = CatchUp()
    overlap: Overlap = Overlap.SKIP


def planned(app: Rota, *, job: str | None = None) -> list[Planned]:
    """Return the schedules by name, all or those of one job. Nothing is written."""
    now = app.clock.now()
    stored = [_stored(schedule) for schedule in app.store.schedules()]
    named = {schedule.name for schedule in stored}
    declared = [
        _declared(name, with_default_zone(function.timing, app.settings.timezone), now=now)
        for name, function in app.jobs.items()
        if function.timing is not None and name not in named
    ]
    found = sorted([*stored, *declared], key=lambda schedule: schedule.name)
    return [schedule for schedule in found if job is None or schedule.job == job]


def _stored(schedule: Schedule) -> Planned:
    try:
        timing: Timing | None = words.parse(schedule.timing)
    except BadSchedule:
        timing = None
    return Planned(
        name=schedule.name,
        job=schedule.job,
        timing=timing,
        text=schedule.timing if timing is None else words.describe(timing),
        state=schedule.state,
        reason=schedule.reason,
        tenants=schedule.tenants,
        cursor=schedule.cursor,
        next_at=schedule.next_at,
        paused_until=schedule.paused_until,
        catch_up=schedule.catch_up,
        overlap=schedule.overlap,
    )


def _declared(name: str, timing: Timing, *, now: datetime) -> Planned:
    return Planned(
        name=name,
        job=name,
        timing=timing,
        text=words.describe(timing),
        state=ScheduleState.ACTIVE,
        is_stored=False,
        next_at=next_slot(timing, after=now),
    )
