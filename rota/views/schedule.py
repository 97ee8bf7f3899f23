"""The schedules of an app: those in the store, and those that its code declares and nobody has stored yet."""

from datetime import datetime, timedelta
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from rota.app import Rota
from rota.core import words
from rota.core.agenda import Agenda, agenda
from rota.core.controls import Shadow
from rota.core.definition import Definition
from rota.core.duration import duration_text
from rota.core.kind import Timing
from rota.core.model import Origin, Schedule, ScheduleState
from rota.core.policy import CatchUp, Overlap
from rota.core.timing import with_default_zone
from rota.errors import BadSchedule
from rota.queries import ScheduleQuery

FAR = timedelta(days=366 * 100)


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
    zones: tuple[str, ...] = ()
    """Those of its tenants, when its timing is in the zone of the tenant."""
    origin: Origin = Origin.CODE
    is_overridden: bool = False
    """Whether an operator's change stands in the place of what its code says."""
    is_stored: bool = True
    cursor: datetime | None = None
    next_at: datetime | None = None
    last_run_at: datetime | None = None
    paused_by: str | None = None
    paused_until: datetime | None = None
    catch_up: CatchUp = CatchUp()
    overlap: Overlap = Overlap.SKIP
    fresh_within: timedelta | None = None
    """None: as its job says."""
    shadow: str | None = None
    """Why it fires and starts nothing: another system still carries it out."""

    @property
    def agenda(self) -> Agenda:
        """Its slots, in all zones of its tenants; none when its text cannot be read."""
        return Agenda(timings=()) if self.timing is None else agenda(self.timing, self.zones)


def planned(
    app: Rota,
    *,
    job: str | None = None,
    states: tuple[ScheduleState, ...] = (),
    after: str | None = None,
    limit: int | None = None,
) -> list[Planned]:
    """Return the schedules by name, all or those of one job, in these states, after a name. Nothing is written."""
    now = app.clock.now()
    query = ScheduleQuery(jobs=(job,) if job else (), states=states, after=after, limit=limit)
    shadows = app.shadows.list()
    stored = [_stored(schedule, shadows.get(schedule.name)) for schedule in app.store.schedules(query)]
    named = {schedule.name for schedule in stored}
    declared = [
        _declared(name, with_default_zone(function.timing, app.settings.timezone), now=now)
        for name, function in app.jobs.items()
        if function.timing is not None
        and name not in named
        and job in (None, name)
        and (not states or ScheduleState.ACTIVE in states)
        and (after is None or name > after)
        # With a part of the rows in hand, one that is not among them may be stored all the same.
        and (not (states or after or limit) or app.store.schedule(name) is None)
    ]
    return sorted([*stored, *declared], key=lambda schedule: schedule.name)[:limit]


class Slot(Struct, frozen=True, kw_only=True):
    """One slot to come, and what daylight saving does to it."""

    slot: datetime
    note: str | None


class Shown(Struct, frozen=True, kw_only=True):
    """One schedule with all that is said of it."""

    schedule: Planned
    code: Definition | None
    """What its code says, where it is overridden; without its arguments."""
    facts: list[tuple[str, str]]
    """What is said of it, by label; without its arguments, which are the tenant's data."""
    slots: list[Slot]
    version: int
    """Grows with each change: who changes it as he has read it says this one."""


def schedule_shown(app: Rota, name: str, *, count: int) -> Shown:
    """Return one schedule with its next `count` slots.

    Raises:
        ScheduleNotFound: there is none of that name.
    """
    schedule = app.schedules.get(name)
    plan = _stored(schedule, app.shadows.get(name))
    code = None if schedule.declared is None else replace(Definition.read(schedule.declared), args="")
    after = max(schedule.cursor, app.clock.now())
    slots = [
        Slot(slot=slot, note=plan.agenda.note(slot))
        for slot in islice(plan.agenda.slots(after=after, until=after + FAR), count)
    ]
    return Shown(schedule=plan, code=code, facts=_facts(schedule, plan, code), slots=slots, version=schedule.version)


def _facts(schedule: Schedule, plan: Planned, code: Definition | None) -> list[tuple[str, str]]:
    catch_up, limits = schedule.catch_up, []
    if catch_up.limit is not None:
        limits.append(f"at most {catch_up.limit}")
    if catch_up.within is not None:
        limits.append(f"within {catch_up.within}")
    said = [
        ("schedule", schedule.name),
        ("job", schedule.job),
        ("when", plan.text),
        ("state", str(schedule.state) + (f": {schedule.reason}" if schedule.reason else "")),
        ("from", "an override of the code" if code else "the code" if schedule.origin is Origin.CODE else "a row"),
        ("code says", code.timing if code else ""),
        ("tenants", ", ".join(schedule.tenants) if schedule.tenants is not None else ""),
        ("not for", ", ".join(schedule.exclude)),
        ("zones", ", ".join(schedule.zones)),
        ("catch-up", " ".join([str(catch_up.mode), *limits])),
        ("overlap", str(schedule.overlap)),
        ("jitter", "" if schedule.jitter is None else str(schedule.jitter)),
        ("fresh within", "" if schedule.fresh_within is None else duration_text(schedule.fresh_within)),
        ("paused by", schedule.paused_by or ""),
        ("starts", f"nothing: {plan.shadow}" if plan.shadow else ""),
    ]
    return [(label, text) for label, text in said if text]


def _stored(schedule: Schedule, shadow: Shadow | None) -> Planned:
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
        zones=schedule.zones,
        cursor=schedule.cursor,
        origin=schedule.origin,
        is_overridden=schedule.declared is not None,
        next_at=schedule.next_at,
        last_run_at=schedule.last_run_at,
        paused_by=schedule.paused_by,
        paused_until=schedule.paused_until,
        catch_up=schedule.catch_up,
        overlap=schedule.overlap,
        fresh_within=schedule.fresh_within,
        shadow=None if shadow is None else shadow.said,
    )


def _declared(name: str, timing: Timing, *, now: datetime) -> Planned:
    return Planned(
        name=name,
        job=name,
        timing=timing,
        text=words.describe(timing),
        state=ScheduleState.ACTIVE,
        is_stored=False,
        next_at=agenda(timing, ()).next_slot(after=now),
    )
