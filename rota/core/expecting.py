"""What is expected of each schedule, and which pairs there should be, from jobs, tenants and pauses (R51)."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType

from msgspec import Struct

from rota.core.agenda import is_of_tenants, timing_for
from rota.core.freshness import DEFAULT, GRACE, Allowance, Rule, grace_of
from rota.core.kind import Timing
from rota.core.model import Schedule, ScheduleState, Tenant
from rota.core.policy import Job
from rota.core.timing import is_spread
from rota.core.watched import WATCH, Wanted, watch_key
from rota.core.words import parse
from rota.errors import BadSchedule

FIRES_NOT = (ScheduleState.PAUSED, ScheduleState.ORPHANED)
"""States in which nothing is expected for now. A broken or failed schedule is expected to be mended."""


class Watch(Struct, frozen=True, kw_only=True):
    """A script outside of Rota that is to say that it succeeded."""

    name: str
    timing: Timing | None = None
    """When it is started; None where only an age is given."""
    within: Allowance | None = None
    grace: timedelta = GRACE
    """How long after its slot it may succeed and not be late."""
    description: str = ""


class Situation(Struct, frozen=True, kw_only=True):
    """Everything that expectations depend on besides what has succeeded."""

    schedules: tuple[Schedule, ...]
    jobs: Mapping[str, Job]
    tenants: Mapping[str, Tenant] | None = None
    """None: they could not be listed."""
    watches: tuple[Watch, ...] = ()
    zone: str = "UTC"
    default: Allowance = DEFAULT
    failed: frozenset[str] = frozenset()
    """Scripts outside of Rota that said last that they failed, by what stands for their schedules."""
    paused_jobs: frozenset[str] = frozenset()
    paused_queues: frozenset[str] = frozenset()
    paused_tenants: frozenset[str] = frozenset()
    shadows: frozenset[str] = frozenset()
    """Schedules that another system still carries out."""


NOBODY: Mapping[str, Tenant] = MappingProxyType({})


def rule_of(
    schedule: Schedule, job: Job | None, tenant: Tenant | None, *, default: Allowance, zone: str
) -> Rule | None:
    """Return what is expected of a schedule for a tenant, in the tenant's zone where its timing is; None where that
    cannot be known: its text cannot be read, its job is not in this process, its tenant not listed."""
    if job is None or schedule.state in (ScheduleState.BROKEN, ScheduleState.FAILED):
        return None
    try:
        timing = parse(schedule.timing)
    except BadSchedule:
        return None
    if is_of_tenants(timing) and tenant is None:
        return None
    said = job.fresh_within if schedule.fresh_within is None else schedule.fresh_within
    return Rule(
        timing=timing_for(timing, tenant, default=zone),
        within=default if said is None else Allowance(intervals=0, extra=said),
        grace=grace_of(job.timeout, job.jitter if schedule.jitter is None else schedule.jitter),
        key=f"{schedule.name}/{'' if tenant is None else tenant.id}" if is_spread(timing) else "",
    )


def rule_of_watch(watch: Watch, *, default: Allowance) -> Rule:
    """Return what is expected of a script outside of Rota."""
    return Rule(timing=watch.timing, within=watch.within or default, grace=watch.grace)


class Expecting:
    """The pairs that there should be in one situation. Makes each rule once: most tenants share theirs."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._schedules = {schedule.name: schedule for schedule in situation.schedules}
        self._watches = {watch_key(watch.name): watch for watch in situation.watches}
        self._rules: dict[tuple[str, str | None, str], Rule | None] = {}

    @property
    def names(self) -> list[str]:
        """The schedules, and what stands for the schedules of scripts outside of Rota."""
        return [*self._schedules, *self._watches]

    def job_of(self, name: str) -> str:
        """Return the job of a schedule; of a script outside of Rota, and of what is gone, its own name."""
        schedule = self._schedules.get(name)
        return name.removeprefix(WATCH) if schedule is None else schedule.job

    def of(self, name: str, *, known: Iterable[str]) -> Iterator[Wanted]:
        """Yield the pairs of one schedule that there should be; `known` are the tenants that it is watched for now.

        What cannot be found out leaves them as they are: tenants that could not be listed, a job that only another
        version of the code has.
        """
        schedule = self._schedules.get(name)
        tenants = [""] if name in self._watches else [] if schedule is None else self._tenants(schedule, known)
        for tenant in tenants:
            if (one := self.pair(name, tenant)) is not None:
                yield one

    def pair(self, name: str, tenant: str) -> Wanted | None:
        """Return what is wanted of a pair that is watched; None where it is no longer."""
        watch = self._watches.get(name)
        if watch is not None:
            return Wanted(
                schedule=name,
                rule=rule_of_watch(watch, default=self._situation.default),
                has_failed=name in self._situation.failed,
            )
        schedule = self._schedules.get(name)
        if schedule is None or schedule.state is ScheduleState.DONE:
            return None
        reason = _paused(self._situation, schedule, self._job(schedule), tenant)
        return Wanted(
            schedule=name,
            tenant=tenant,
            rule=self._rule(schedule, tenant),
            since=schedule.created_at,
            is_paused=reason is not None,
            reason=reason,
        )

    def _job(self, schedule: Schedule) -> Job | None:
        return self._situation.jobs.get(schedule.job)

    def _rule(self, schedule: Schedule, tenant: str) -> Rule | None:
        whose = (self._situation.tenants or NOBODY).get(tenant)
        shared = schedule.name, None if whose is None else whose.tz, tenant if "H" in schedule.timing else ""
        if shared not in self._rules:
            self._rules[shared] = rule_of(
                schedule, self._job(schedule), whose, default=self._situation.default, zone=self._situation.zone
            )
        return self._rules[shared]

    def _tenants(self, schedule: Schedule, known: Iterable[str]) -> list[str]:
        job, listed = self._job(schedule), self._situation.tenants
        if job is not None and not job.per_tenant:
            return [""]
        if job is None or listed is None:
            return list(known)
        meant = listed if schedule.tenants is None else [one for one in schedule.tenants if one in listed]
        return [tenant for tenant in meant if tenant not in schedule.exclude]


def _paused(situation: Situation, schedule: Schedule, job: Job | None, tenant: str) -> str | None:
    if schedule.state in FIRES_NOT:
        return f"schedule {schedule.state}" + (f": {schedule.reason}" if schedule.reason else "")
    if schedule.name in situation.shadows:
        return "in the shadow of another system"
    if schedule.job in situation.paused_jobs:
        return "job paused"
    if job is not None and job.queue in situation.paused_queues:
        return "queue paused"
    if tenant in situation.paused_tenants:
        return "tenant paused"
    return None
