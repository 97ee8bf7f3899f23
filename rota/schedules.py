"""Schedules as an application sees them: those of its code, kept as rows, and those it puts itself (R5)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from rota.clock import Clock
from rota.core.builder import When, as_timing
from rota.core.catchup import resumed
from rota.core.kind import Timing
from rota.core.model import CatchUp, Origin, Overlap, Schedule, ScheduleState
from rota.core.rounds import digest
from rota.core.timing import next_slot
from rota.core.words import parse
from rota.errors import BadArguments, JobNotFound, RotaError, ScheduleNotFound
from rota.job import JobFunction
from rota.ports import Store

Jobs = Mapping[str, JobFunction[Any, Any, Any]]


class Schedules:
    """Puts, pauses, resumes and lists schedules. Every change is a compare-and-set, repeated if somebody was faster."""

    def __init__(self, *, store: Callable[[], Store], jobs: Jobs, clock: Clock, tz: Callable[[], str]) -> None:
        self._store = store
        self._jobs = jobs
        self._clock = clock
        self._tz = tz

    def list(self) -> list[Schedule]:
        """Return all schedules, by name."""
        return self._store().schedules()

    def get(self, name: str) -> Schedule:
        """Return a schedule.

        Raises:
            ScheduleNotFound: there is none of that name; close names are in the message.
        """
        schedule = self._store().schedule(name)
        if schedule is None:
            raise ScheduleNotFound(name, known=[known.name for known in self.list()])
        return schedule

    def put(
        self,
        name: str,
        *,
        job: str,
        when: When,
        tz: str | None = None,
        tenant: str | None = None,
        tenants: tuple[str, ...] | None = None,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
        user_id: str | None = None,
        catch_up: CatchUp | None = None,
        overlap: Overlap | None = None,
    ) -> Schedule:
        """Store a schedule under a name, or change the one that has it. The past is not run again.

        Raises:
            BadSchedule: `when` is not understood or never comes.
            JobNotFound: no job has this name.
            BadArguments: `args` and `kwargs` do not fit the job.
        """
        if job not in self._jobs:
            raise JobNotFound(job, known=self._jobs)
        function = self._jobs[job]
        chosen = (tenant,) if tenant is not None else tenants
        if chosen is not None and not function.job.per_tenant:
            raise BadArguments(f"schedule {name!r} names tenants, but job {job!r} is not per_tenant")
        text = function.registered.signature.encode(args, kwargs or {})
        timing = as_timing(when, tz=tz or self._tz())
        now = self._clock.now()
        wanted = Schedule(
            name=name,
            job=job,
            timing=str(timing),
            tenants=chosen,
            user_id=user_id,
            args=text,
            catch_up=catch_up or function.job.catch_up,
            overlap=overlap or function.job.overlap,
            origin=Origin.ROW,
            cursor=now,
            next_at=next_slot(timing, after=now),
            created_at=now,
        )
        while True:
            known = self._store().schedule(name)
            stored = (
                wanted
                if known is None
                else replace(
                    wanted, version=known.version + 1, created_at=known.created_at, last_run_at=known.last_run_at
                )
            )
            if self._store().put_schedule(stored, expected_version=known.version if known else None):
                return stored

    def pause(self, name: str, *, reason: str, until: datetime | None = None) -> Schedule:
        """Stop firing a schedule, with the reason, until resumed or until that time (R12)."""
        return self._change(
            name, lambda known: replace(known, state=ScheduleState.PAUSED, reason=reason, paused_until=until)
        )

    def resume(self, name: str) -> Schedule:
        """Fire again, from now on: slots that passed meanwhile are not made up."""
        return self._change(name, lambda known: _restarted(known, self._clock.now()))

    def delete(self, name: str) -> None:
        """Delete a schedule; its history and progress stay.

        Raises:
            ScheduleNotFound: there is none of that name.
        """
        if not self._store().drop_schedule(name):
            raise ScheduleNotFound(name, known=[known.name for known in self.list()])

    def sync(self) -> None:
        """Make the rows say what the code says. A row whose code is gone becomes `orphaned`; a row that is as the
        code had it is left alone, with what operators did to it (R5).

        What is written carries the store's time, also where this host's clock is a year ahead.
        """
        # Opening the store anchors the clock, and what is made below asks that for the time (D1, D4).
        self._store()
        declared = {name: function for name, function in self._jobs.items() if function.timing is not None}
        for function in declared.values():
            self._sync_one(function)
        for known in self.list():
            if known.origin is Origin.CODE and known.name not in declared and known.state is not ScheduleState.ORPHANED:
                orphan = replace(
                    known,
                    state=ScheduleState.ORPHANED,
                    reason="its job is not in the code any more",
                    version=known.version + 1,
                )
                self._store().put_schedule(orphan, expected_version=known.version)

    def _sync_one(self, function: JobFunction[Any, Any, Any]) -> None:
        wanted = self._declared(function)
        known = self._store().schedule(wanted.name)
        if known is None:
            self._store().put_schedule(wanted, expected_version=None)
        elif known.origin is Origin.ROW:
            # An operator put another one in its place: a deploy does not undo that.
            return
        elif known.fingerprint != wanted.fingerprint or known.state is ScheduleState.ORPHANED:
            # Editing never runs the past again: the cursor starts anew. Whoever loses this race wrote the same.
            paused = known.state is ScheduleState.PAUSED
            self._store().put_schedule(
                replace(
                    wanted,
                    version=known.version + 1,
                    created_at=known.created_at,
                    last_run_at=known.last_run_at,
                    state=known.state if paused else ScheduleState.ACTIVE,
                    reason=known.reason if paused else None,
                    paused_until=known.paused_until if paused else None,
                ),
                expected_version=known.version,
            )

    def _declared(self, function: JobFunction[Any, Any, Any]) -> Schedule:
        job, now = function.job, self._clock.now()
        assert function.timing is not None
        timing = as_timing(function.timing, tz=self._tz())
        return Schedule(
            name=job.name,
            job=job.name,
            timing=str(timing),
            catch_up=job.catch_up,
            overlap=job.overlap,
            origin=Origin.CODE,
            fingerprint=digest(timing, job.catch_up, job.overlap, job.per_tenant),
            cursor=now,
            next_at=next_slot(timing, after=now),
            created_at=now,
        )

    def _change(self, name: str, change: Callable[[Schedule], Schedule]) -> Schedule:
        while True:
            known = self.get(name)
            changed = replace(change(known), version=known.version + 1)
            if self._store().put_schedule(changed, expected_version=known.version):
                return changed


def timing_of(schedule: Schedule) -> Timing:
    """Return what the schedule's text says.

    Raises:
        BadSchedule: a row that somebody wrote by hand may say anything.
    """
    return parse(schedule.timing)


def _restarted(known: Schedule, now: datetime) -> Schedule:
    if known.state is ScheduleState.ORPHANED:
        raise RotaError(f"schedule {known.name!r} cannot be resumed: {known.reason}")
    return resumed(known, timing_of(known), at=now)
