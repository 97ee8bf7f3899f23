"""Which slots of a job ran, failed or are missing."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from rota.app import Rota
from rota.core.agenda import agenda_of, is_of_tenants, names_slot
from rota.core.model import RoundState, Schedule, SlotState, State
from rota.core.policy import Job
from rota.errors import BadArguments, BadSchedule, JobNotFound, TenantNotFound
from rota.queries import RoundQuery
from rota.views.jobs import the_job
from rota.views.schedule import Planned, planned

MISSING = "missing"
MOST_SLOTS = 12_000
"""A week of a schedule that is due each minute, and some."""


class SlotRow(Struct, frozen=True, kw_only=True):
    """One slot with all its tenants."""

    schedule: str
    slot: datetime
    state: str
    """The worst of its tenants: `failed`, `missing`, `running`, `skipped`, `cancelled`, `succeeded`."""
    counts: Mapping[str, int]
    """Tenants per state; `missing` has no run."""
    missing: list[str]
    failed: list[str]


_WORST = ("failed", MISSING, "running", "queued", "scheduled", "cancelled", "skipped", "succeeded")


def slot_grid(
    app: Rota, name: str, *, since: datetime, until: datetime, tenants: Sequence[str] | None = None
) -> list[SlotRow]:
    """Return the slots of a job or of one schedule in [since, until) that are over, with what is known of each tenant.

    The oldest comes first.

    Raises:
        JobNotFound, TenantNotFound: there is no such job or schedule, or no such tenant.
        BadArguments: it has no schedule, or the range has more than 12,000 slots.
    """
    job, known = _named(app, name)
    schedules = [schedule for schedule in known if schedule.timing is not None]
    if not schedules:
        raise BadArguments(f"job {name!r} has no schedule, so it has no slots")
    everyone = [tenant.id for tenant in app.list_tenants()] if job.per_tenant else None
    for tenant in tenants or ():
        if tenant not in (everyone or ()):
            raise TenantNotFound(tenant, known=everyone or ())
    rows: list[SlotRow] = []
    for schedule in schedules:
        expected = _expected(schedule, everyone=everyone, tenants=tenants)
        rows.extend(_rows(app, schedule, expected, since=since, until=min(until, app.clock.now())))
    return sorted(rows, key=lambda row: (row.slot, row.schedule))


def _named(app: Rota, name: str) -> tuple[Job, list[Planned]]:
    """Return a job with its schedules, or the job of one schedule with that alone."""
    schedule = app.store.schedule(name) if name not in app.jobs else None
    if schedule is not None:
        return the_job(app, schedule.job), [one for one in planned(app, job=schedule.job) if one.name == name]
    if name not in app.jobs:
        raise JobNotFound(name, known=[*app.jobs, *(one.name for one in app.schedules.list())])
    return app.jobs[name].job, planned(app, job=name)


def due_between(schedules: Iterable[Schedule], *, since: datetime, until: datetime) -> list[str]:
    """Return the names of the schedules that have a slot in (since, until], of those that can be read."""
    found = []
    for schedule in schedules:
        try:
            slot = agenda_of(schedule).next_slot(after=max(since, schedule.created_at))
        except BadSchedule:
            continue
        if slot is not None and slot <= until:
            found.append(schedule.name)
    return found


def _expected(schedule: Planned, *, everyone: Sequence[str] | None, tenants: Sequence[str] | None) -> list[str | None]:
    if everyone is None:
        return [None]
    theirs = [tenant for tenant in everyone if schedule.tenants is None or tenant in schedule.tenants]
    return [tenant for tenant in theirs if tenants is None or tenant in tenants]


def _rows(
    app: Rota, schedule: Planned, expected: Sequence[str | None], *, since: datetime, until: datetime
) -> list[SlotRow]:
    assert schedule.timing is not None
    # The range includes its start and not its end; the arithmetic has it the other way round.
    tick = timedelta.resolution
    due: list[datetime] = []
    for slot in schedule.agenda.slots(after=since - tick, until=until - tick):
        due.append(slot)
        if len(due) > MOST_SLOTS:
            raise BadArguments(
                f"{schedule.name!r} has more than {MOST_SLOTS:,} slots in this range; name a shorter one, such as 1d"
            )
    known: dict[datetime, list[SlotState]] = defaultdict(list)
    for state in app.store.slot_states(schedule.name, since=since, until=until):
        known[state.slot].append(state)
    skipped = _skipped_ranges(app, schedule.name, since=since)
    meant = _in_zone(app, schedule, expected)
    return [_row(schedule.name, slot, known[slot], meant(slot), is_skipped=_within(slot, skipped)) for slot in due]


def _in_zone(
    app: Rota, schedule: Planned, expected: Sequence[str | None]
) -> Callable[[datetime], Sequence[str | None]]:
    """Return which tenants a slot is for: those in whose zone it lies, for a timing in the zone of the tenant."""
    timing = schedule.timing
    if timing is None or not is_of_tenants(timing):
        return lambda _: expected
    known, zone = {tenant.id: tenant for tenant in app.list_tenants()}, app.settings.timezone
    theirs = [known[tenant] for tenant in expected if tenant in known]
    return lambda slot: [tenant.id for tenant in theirs if names_slot(timing, tenant, slot, default=zone)]


def _row(
    schedule: str, slot: datetime, known: Sequence[SlotState], expected: Sequence[str | None], *, is_skipped: bool
) -> SlotRow:
    by_tenant = {state.tenant: state.state for state in known}
    absent = [tenant for tenant in expected if tenant not in by_tenant]
    counts = Counter(str(by_tenant[tenant]) for tenant in expected if tenant in by_tenant)
    if absent:
        counts["skipped" if is_skipped else MISSING] += len(absent)
    return SlotRow(
        schedule=schedule,
        slot=slot,
        state=next((state for state in _WORST if counts.get(state)), MISSING),
        counts=dict(counts),
        missing=[] if is_skipped else [tenant for tenant in absent if tenant],
        failed=[tenant for tenant in expected if tenant and by_tenant.get(tenant) is State.FAILED],
    )


def _skipped_ranges(app: Rota, schedule: str, *, since: datetime) -> list[tuple[datetime, datetime]]:
    query = RoundQuery(schedule=schedule, states=(RoundState.SKIPPED,), slot_since=since, limit=1000)
    return [
        (round_.skipped_from or round_.slot, round_.slot)
        for round_ in app.store.rounds(query)
        if round_.slot is not None
    ]


def _within(slot: datetime, ranges: Sequence[tuple[datetime, datetime]]) -> bool:
    return any(first <= slot <= last for first, last in ranges)
