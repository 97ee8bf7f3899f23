"""What people on call do by hand: start a job, make up slots, set progress right."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from rota.backfill import Backfill, Mode, carry_out, plan_backfill
from rota.clock import Clock
from rota.core.model import Overlap, Progress, Round, Schedule, Tenant, Trigger
from rota.core.rounds import Expansion, expansion_run, tenant_run
from rota.core.timing import slot_before
from rota.engine.expansion import choose
from rota.errors import BadArguments, ConfigurationError, JobNotFound, ScheduleNotFound
from rota.job import JobFunction
from rota.ports import Store
from rota.schedules import Schedules, timing_of

Jobs = Mapping[str, JobFunction[Any, Any, Any]]


class Operator:
    """Each action is checked whole before anything of it is written."""

    def __init__(
        self,
        *,
        store: Callable[[], Store],
        jobs: Jobs,
        schedules: Schedules,
        list_tenants: Callable[[], Sequence[Tenant]],
        clock: Clock,
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._schedules = schedules
        self._list_tenants = list_tenants
        self._clock = clock

    def find(self, name: str) -> JobFunction[Any, Any, Any]:
        """Return a job by its name, or raise JobNotFound with close names."""
        if name not in self._jobs:
            raise JobNotFound(name, known=self._jobs)
        return self._jobs[name]

    def start_run(
        self,
        name: str,
        *,
        tenants: Sequence[str] | None,
        exclude: Sequence[str],
        args: Sequence[object],
        kwargs: Mapping[str, object],
        actor: str | None,
        queue: str | None,
    ) -> Round:
        """Start a job now; see `Rota.start_run`."""
        function = self.find(name)
        now = self._clock.now()
        job = replace(function.job, queue=queue) if queue else function.job
        expansion = Expansion(
            args=function.registered.signature.encode(args, kwargs),
            tenants=tuple(tenants) if tenants is not None else None,
            exclude=tuple(exclude),
            overlap=Overlap.ALLOW if job.overlap is Overlap.ALLOW else Overlap.QUEUE_ALL,
        )
        self._chosen(function, expansion)
        round_ = Round(
            id=self._clock.new_id(),
            job=name,
            schedule=name if function.timing is not None else None,
            trigger=Trigger.MANUAL,
            actor=actor,
            expanded=not job.per_tenant,
            created_at=now,
        )
        run = (
            expansion_run(round_, expansion, job, now=now, new_id=self._clock.new_id)
            if job.per_tenant
            else tenant_run(round_, expansion, job, tenant=None, now=now, new_id=self._clock.new_id)
        )
        self._store().add_rounds([round_], [run], now=now)
        return round_

    def backfill(
        self,
        name: str,
        *,
        since: datetime,
        until: datetime,
        tenants: Sequence[str] | None,
        exclude: Sequence[str],
        mode: Mode,
        newest_first: bool,
        dry_run: bool,
        actor: str | None,
    ) -> Backfill:
        """Make up slots; see `Rota.backfill`."""
        if since.tzinfo is None or until.tzinfo is None or since >= until:
            raise ConfigurationError(f"backfill from {since} to {until}: needs two aware times, the first one earlier")
        schedule = self._schedule_of(name)
        function = self.find(schedule.job)
        only = tuple(tenants) if tenants is not None else schedule.tenants
        plan = plan_backfill(
            self._store(),
            schedule,
            function.job,
            since=since,
            until=until,
            tenants=self._chosen(function, Expansion(args="", tenants=only, exclude=tuple(exclude))),
            mode=mode,
            newest_first=newest_first,
            now=self._clock.now(),
        )
        if dry_run:
            return Backfill(plan=plan, round_ids=(), added=0, reopened=0)
        return carry_out(self._store(), plan, schedule, function.job, actor=actor, clock=self._clock)

    def mark_success(self, name: str, *, tenants: Sequence[str] | None, until: datetime | None) -> list[Progress]:
        """Take a slot as succeeded; see `Rota.mark_success`."""
        schedule = self._schedule_of(name)
        only = tuple(tenants) if tenants is not None else schedule.tenants
        chosen = self._chosen(self.find(schedule.job), Expansion(args="", tenants=only))
        now = self._clock.now()
        # Never a slot to come: it would look done before it was due.
        latest = min(until or now, now) + timedelta(microseconds=1)
        newest = slot_before(timing_of(schedule), latest)
        return [self._mark(schedule.name, tenant or "", newest, now) for tenant in chosen]

    def _mark(self, schedule: str, tenant: str, slot: datetime | None, now: datetime) -> Progress:
        while True:
            known = next(iter(self._store().progress(schedule=schedule, tenants=[tenant])), None)
            marked = replace(
                known or Progress(schedule=schedule, tenant=tenant), last_success=slot, last_success_at=now, failures=0
            )
            if self._store().mark(marked, expected=known):
                return marked

    def reset(self, name: str, *, tenants: Sequence[str] | None) -> int:
        """Forget progress; see `Rota.reset`."""
        schedule = self._schedule_of(name)
        if tenants is not None:
            self._chosen(self.find(schedule.job), Expansion(args="", tenants=tuple(tenants)))
        return self._store().reset(schedule.name, tenants=tenants)

    def _chosen(self, function: JobFunction[Any, Any, Any], expansion: Expansion) -> list[str | None]:
        if function.job.per_tenant:
            tenants = self._list_tenants()
            # A typing error must not run a job for the very tenant it was meant to spare. Later, when the round is
            # expanded, one that is gone by then is no error.
            choose(tenants, Expansion(args="", tenants=expansion.exclude))
            return list(choose(tenants, expansion))
        if expansion.tenants or expansion.exclude:
            raise BadArguments(f"job {function.name!r} is not per_tenant: it runs once, for nobody in particular")
        return [None]

    def _schedule_of(self, name: str) -> Schedule:
        """Return the schedule of this name; the code's own is written down first where no process has yet."""
        schedule = self._store().schedule(name)
        if schedule is None and name in self._jobs and self._jobs[name].timing is not None:
            self._schedules.sync()
            schedule = self._store().schedule(name)
        if schedule is not None:
            return schedule
        names = [known.name for known in self._schedules.list()]
        if name in self._jobs:
            raise ScheduleNotFound(name, known=names)
        raise JobNotFound(name, known=[*self._jobs, *names])
