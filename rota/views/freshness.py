"""Whether each schedule has succeeded lately enough for each tenant (R51)."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from rota.app import Rota
from rota.core.agenda import is_of_tenants, timing_for
from rota.core.freshness import Freshness, fresh_within, freshness, late_at
from rota.core.model import Progress, ScheduleState, Tenant
from rota.views.schedule import Planned, planned


class Pair(Struct, frozen=True, kw_only=True):
    """One schedule and tenant."""

    schedule: str
    tenant: str
    state: Freshness
    last_success: datetime | None
    stale_at: datetime | None
    failures: int


def pairs(app: Rota, *, progress: Sequence[Progress] | None = None) -> list[Pair]:
    """Return what is known of every schedule and tenant that has run, by schedule and tenant."""
    now = app.clock.now()
    schedules = {schedule.name: schedule for schedule in planned(app)}
    known = app.store.progress() if progress is None else progress
    tenants = _tenants(app, schedules.values())
    return [
        _pair(app, schedules[entry.schedule], entry, tenants.get(entry.tenant), now=now)
        for entry in known
        if entry.schedule in schedules and schedules[entry.schedule].timing is not None
    ]


def _tenants(app: Rota, schedules: Iterable[Planned]) -> dict[str, Tenant]:
    """Return the tenants, where their zones matter."""
    if not any(schedule.timing is not None and is_of_tenants(schedule.timing) for schedule in schedules):
        return {}
    return {tenant.id: tenant for tenant in app.list_tenants()}


def _pair(app: Rota, schedule: Planned, entry: Progress, tenant: Tenant | None, *, now: datetime) -> Pair:
    job = app.jobs[schedule.job].job if schedule.job in app.jobs else None
    since, late, stale = entry.last_success, None, None
    if since is not None and schedule.timing is not None:
        said = job.fresh_within if job else None
        timing = timing_for(schedule.timing, tenant, default=app.settings.timezone)
        within = fresh_within(timing, at=since, said=said)
        late = late_at(timing, since=since, timeout=job.timeout if job else None)
        stale = since + within if within is not None else None
    return Pair(
        schedule=schedule.name,
        tenant=entry.tenant,
        state=freshness(
            now=now,
            late_at=late,
            stale_at=stale,
            has_succeeded=since is not None,
            is_paused=schedule.state is not ScheduleState.ACTIVE,
        ),
        last_success=since,
        stale_at=stale,
        failures=entry.failures,
    )
