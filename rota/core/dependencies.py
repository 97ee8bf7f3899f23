"""Which jobs wait for which, and what of them has to have succeeded before a run may begin (R11)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter

from msgspec import Struct

from rota.core.agenda import agenda, is_of_tenants
from rota.core.model import Progress, Run, Schedule, ScheduleState
from rota.core.policy import Job
from rota.core.words import parse
from rota.errors import BadSchedule, DependencyCycle, UnknownDependency

_TICK = timedelta.resolution

WAITED_FOR = (ScheduleState.ACTIVE, ScheduleState.PAUSED)
"""States of the schedules that are waited for: a paused job has not done its part; an orphaned one never will."""


class Dependency(Struct, frozen=True, kw_only=True):
    """One schedule of a job that another one depends on."""

    schedule: Schedule
    per_tenant: bool
    """Whether its job runs once for each tenant."""


class Need(Struct, frozen=True, kw_only=True):
    """A slot that has to have succeeded before a run may begin: it, or a later one."""

    schedule: Schedule
    slot: datetime
    tenant: str = ""
    """For this tenant; "" is the one run of a job without tenants."""
    of_everyone: bool = False
    """For every tenant, so that its round has to have succeeded."""


class Blocker(Struct, frozen=True, kw_only=True):
    """What a run waits for."""

    job: str
    schedule: str
    slot: datetime
    tenant: str | None
    """None: it has no tenants, or every one of them is waited for."""
    why: str
    """How it stands with it: `failed`, `paused by ana: migration`, `not over`."""

    @property
    def said(self) -> str:
        """Return it for people: `import has not succeeded for acme in its slot 2026-11-20 02:00 UTC (failed)`."""
        tenant = f" for {self.tenant}" if self.tenant else ""
        return f"{self.job} has not succeeded{tenant} in its slot {self.slot:%Y-%m-%d %H:%M} UTC ({self.why})"


def check(jobs: Mapping[str, Job]) -> None:
    """Refuse dependencies that could never be met.

    Raises:
        UnknownDependency: a job depends on one that is not among these.
        DependencyCycle: jobs wait for one another; the circle is named from its first name on.
    """
    for job in jobs.values():
        for name in job.depends_on:
            if name not in jobs:
                raise UnknownDependency(job.name, needs=name, known=jobs)
    try:
        TopologicalSorter({job.name: job.depends_on for job in jobs.values()}).prepare()
    except CycleError as error:
        # From each to what it waits for; the sorter names them the other way round, and the first one twice.
        circle = list(reversed(error.args[1]))[1:]
        first = circle.index(min(circle))
        raise DependencyCycle([*circle[first:], *circle[: first + 1]]) from None


def covers(schedule: Schedule, tenant: str) -> bool:
    """Return whether a schedule of a per-tenant job is for this tenant."""
    return (schedule.tenants is None or tenant in schedule.tenants) and tenant not in schedule.exclude


def is_zone_asked(dependencies: Sequence[Dependency]) -> bool:
    """Return whether it takes the zone of a run's tenant to say what the run waits for."""
    return any(_is_of_tenants(dependency.schedule.timing) for dependency in dependencies if dependency.per_tenant)


def needs(run: Run, dependencies: Sequence[Dependency], *, zone: str | None = None) -> list[Need]:
    """Return what a run of a slot waits for: of each schedule its newest slot up to the run's own.

    Nothing of a schedule that is not for the run's tenant, or that has no slot so early. `zone` is that of the
    tenant, see `is_zone_asked`.
    """
    if run.slot is None:
        return []
    found = []
    for dependency in dependencies:
        schedule, per_tenant = dependency.schedule, dependency.per_tenant
        if per_tenant and run.tenant is not None and not covers(schedule, run.tenant):
            continue
        zones = (zone,) if per_tenant and run.tenant is not None and zone is not None else schedule.zones
        slot = _newest(schedule.timing, zones, run.slot)
        if slot is not None:
            tenant = (run.tenant or "") if per_tenant else ""
            everyone = per_tenant and run.tenant is None
            found.append(Need(schedule=schedule, slot=slot, tenant=tenant, of_everyone=everyone))
    return found


def blocker(need: Need, progress: Progress | None) -> Blocker | None:
    """Return what a tenant's progress says of a need; None when it is met."""
    if progress is not None and progress.last_success is not None and progress.last_success >= need.slot:
        return None
    has_tried = progress is not None and progress.last_ended_at is not None and progress.last_ended_at >= need.slot
    return _blocker(need, str(progress.last_state) if progress is not None and has_tried else "not over")


def round_blocker(need: Need, *, has_succeeded: bool) -> Blocker | None:
    """Return what a round says of a need of every tenant; None when it, or a later one, has succeeded."""
    return None if has_succeeded else _blocker(need, "not for every tenant")


def _blocker(need: Need, why: str) -> Blocker:
    schedule = need.schedule
    if schedule.state is ScheduleState.PAUSED:
        why = f"paused by {schedule.paused_by or 'somebody'}: {schedule.reason}"
    return Blocker(job=schedule.job, schedule=schedule.name, slot=need.slot, tenant=need.tenant or None, why=why)


@lru_cache(maxsize=4096)
def _newest(timing: str, zones: tuple[str, ...], until: datetime) -> datetime | None:
    try:
        return agenda(parse(timing), zones).slot_before(until + _TICK)
    except BadSchedule:
        # A row that somebody wrote by hand. It fires nothing, and is marked as broken.
        return None


@lru_cache(maxsize=4096)
def _is_of_tenants(timing: str) -> bool:
    try:
        return is_of_tenants(parse(timing))
    except BadSchedule:
        return False
