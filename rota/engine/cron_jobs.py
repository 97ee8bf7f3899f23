"""The rows of `cron_jobs`, which applications write with plain SQL: each becomes a schedule of its own (R6, R7)."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from rota.core import cron_jobs, editing
from rota.core.agenda import agenda, is_of_tenants
from rota.core.catchup import resumed
from rota.core.cron_jobs import INACTIVE, CronJobRow
from rota.core.definition import Definition
from rota.core.events import ScheduleBroken
from rota.core.model import Origin, Schedule, ScheduleState
from rota.core.policy import CatchUp, Overlap
from rota.core.safe import safe_text
from rota.engine.bus import Bus
from rota.engine.directory import Directory
from rota.engine.neighbourhood import Neighbourhood, no_job
from rota.engine.zones import Zones
from rota.errors import BadSchedule, RotaError, TenantListFailed
from rota.ports import Store
from rota.signature import Registered

log: logging.Logger = logging.getLogger(__name__)

PAGE = 500
MOST_PAGES = 10
MOST_TEXT = 500


class CronJobs:
    """Takes in rows that are new or changed, and drops the schedules of rows that are gone. No row stops another."""

    def __init__(
        self,
        store: Store,
        *,
        bus: Bus,
        jobs: Mapping[str, Registered],
        directory: Directory,
        zones: Zones,
        zone: str,
        worker: str,
        every: timedelta = timedelta(seconds=15),
    ) -> None:
        self._store = store
        self._bus = bus
        self._jobs = jobs
        self._directory = directory
        self._zones = zones
        self._zone = zone
        self._others = Neighbourhood(store, worker=worker)
        self._every = every

    def tick(self, now: datetime) -> timedelta:
        for _ in range(MOST_PAGES):
            rows = self._store.changed_rows(PAGE)
            taken = [self._take(row, now) for row in rows]
            # Rows that somebody else took meanwhile are read again, by the next pass if they keep changing.
            if len(rows) < PAGE or not any(taken):
                break
        for lost in self._store.lost_rows(PAGE):
            self._store.drop_schedule(lost.name, expected_version=lost.version)
        return self._every

    def _take(self, row: CronJobRow, now: datetime) -> bool:
        known = self._store.schedule(cron_jobs.schedule_name(row))
        version = known.version if known else None
        try:
            schedule: Schedule | None = self._schedule(row, known, now)
            problem = None
            if schedule is not None and schedule.job not in self._jobs and self._others.is_empty(now):
                problem = no_job(schedule.job)
                schedule = replace(schedule, state=ScheduleState.BROKEN, reason=problem)
        except RotaError as error:
            problem = safe_text(str(error))[:MOST_TEXT]
            schedule = self._unread(row, problem, now) if known is None else _broken(known, problem)
        is_taken = self._store.take_row(row, schedule, expected_version=version, problem=problem)
        if is_taken and problem is not None:
            name = cron_jobs.schedule_name(row)
            log.error("row %s of cron_jobs is broken: %s", row.id, problem)
            self._bus.publish(ScheduleBroken(schedule=name, reason=problem))
        return is_taken

    def _schedule(self, row: CronJobRow, known: Schedule | None, now: datetime) -> Schedule:
        definition = self._definition(row, now)
        if known is not None:
            # Its row has no column for it: it is said with `rota schedules override`.
            definition = replace(definition, fresh_within=known.fresh_within)
        timing = cron_jobs.timing_of(row, zone=self._zone)
        bare = Schedule(
            name=cron_jobs.schedule_name(row),
            job=definition.job,
            timing=definition.timing,
            origin=Origin.ROW,
            cursor=now,
            created_at=now,
        )
        made = definition.given_to(bare)
        zones = self._zones.of(made, now)
        due = agenda(timing, zones)
        if known is None or _is_new(known):
            made = made if known is None else replace(made, version=known.version + 1, created_at=known.created_at)
            made = editing.placed(replace(made, zones=zones), due, now=now)
        else:
            made = editing.edited(known, definition, due, zones=zones, now=now)
        if not row.is_active:
            over = made.state in (ScheduleState.DONE, ScheduleState.FAILED)
            return made if over else replace(made, state=ScheduleState.PAUSED, reason=INACTIVE, paused_until=None)
        if made.state is ScheduleState.PAUSED and made.reason == INACTIVE:
            return resumed(made, due, at=now)
        if made.state in (ScheduleState.DONE, ScheduleState.FAILED):
            raise BadSchedule(
                made.timing, field="run_at", reason=f"it is {made.state}: give another time, or rota retry"
            )
        return made

    def _unread(self, row: CronJobRow, problem: str, now: datetime) -> Schedule:
        """Return the schedule of a row that was never in order: broken, so that it is shown, and fires nothing (R5)."""
        try:
            timing = str(cron_jobs.timing_of(row, zone=self._zone))
        except BadSchedule:
            timing = cron_jobs.written_timing(row)
        return Schedule(
            name=cron_jobs.schedule_name(row),
            job=cron_jobs.job_of(row),
            timing=timing,
            tenants=(row.tenant,) if row.tenant else None,
            user_id=row.user_id,
            origin=Origin.ROW,
            state=ScheduleState.BROKEN,
            reason=problem,
            cursor=now,
            created_at=now,
        )

    def _definition(self, row: CronJobRow, now: datetime) -> Definition:
        """Return what a row means.

        Raises:
            RotaError: what is wrong with it, for those who wrote it.
        """
        name = cron_jobs.job_of(row)
        timing = cron_jobs.timing_of(row, zone=self._zone)
        args, kwargs = cron_jobs.arguments_of(row)
        registered = self._jobs.get(name)
        if registered is None:
            # Another process may have it, or newer code. Until then its arguments cannot be checked.
            text = msgspec.json.encode({"args": args, "kwargs": kwargs}).decode()
            return self._defined(row, str(timing), text, CatchUp(), Overlap.SKIP, None)
        job = registered.job
        if not job.per_tenant and (row.tenant or is_of_tenants(timing)):
            raise BadSchedule(f"cron_jobs row {row.id}", field="tenant", reason=f"job {name!r} is not per_tenant")
        if row.tenant and not self._is_tenant(row.tenant, now):
            raise BadSchedule(f"cron_jobs row {row.id}", field="tenant", reason=f"no tenant {row.tenant!r}")
        text = registered.signature.encode(args, kwargs)
        return self._defined(row, str(timing), text, job.catch_up, job.overlap, job.jitter)

    def _defined(
        self, row: CronJobRow, timing: str, args: str, catch_up: CatchUp, overlap: Overlap, jitter: timedelta | None
    ) -> Definition:  # fmt: skip
        return Definition(
            job=cron_jobs.job_of(row),
            timing=timing,
            tenants=(row.tenant,) if row.tenant else None,
            user_id=row.user_id,
            args=args,
            catch_up=catch_up,
            overlap=overlap,
            jitter=jitter,
        )

    def _is_tenant(self, name: str, now: datetime) -> bool:
        try:
            return self._directory.find(name, now=now) is not None
        except TenantListFailed:
            # The source is away: whether the tenant is there shows when it is expanded.
            return True


def _is_new(known: Schedule) -> bool:
    """Whether it was broken from the beginning: it has never had a slot, so its slots count from now on."""
    return known.state is ScheduleState.BROKEN and known.next_at is None and known.last_run_at is None


def _broken(known: Schedule, problem: str) -> Schedule:
    return replace(known, state=ScheduleState.BROKEN, reason=problem, version=known.version + 1)
