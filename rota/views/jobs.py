"""Jobs as a list: what each does, when it is due, how it went."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from rota.app import Rota
from rota.core.model import Progress, RoundState, ScheduleState, State
from rota.core.policy import Job
from rota.errors import JobNotFound
from rota.queries import RoundQuery, RunQuery
from rota.views.schedule import Planned, planned

RECENT = 20


class Health(StrEnum):
    """A job in one word."""

    OK = "ok"
    RUNNING = "running"
    FAILED = "failed"
    PARTIAL = "partial"
    PAUSED = "paused"
    BROKEN = "broken"
    NEW = "new"


class JobRow(Struct, frozen=True, kw_only=True):
    """One job in a list."""

    name: str
    description: str
    state: Health
    reason: str | None
    schedule: str
    """In words; empty without one (R16)."""
    queue: str
    tags: list[str]
    per_tenant: bool
    recent: list[str]
    """States of its last rounds, or runs where it has no rounds, oldest first."""
    last_at: datetime | None
    last_duration_s: float | None
    next_at: datetime | None
    tenants_ok: int
    tenants_failed: int


class JobDetail(Struct, frozen=True, kw_only=True):
    """One job with its policy and the tenants that fail."""

    row: JobRow
    policy: Job
    schedules: list[Planned]
    failing: list[Progress]


def jobs_overview(app: Rota) -> list[JobRow]:
    """Return a row per registered job, by name."""
    schedules = planned(app)
    progress = app.store.progress()
    return [
        _row(app, function.job, [s for s in schedules if s.job == name], progress)
        for name, function in sorted(app.jobs.items())
    ]


def job_detail(app: Rota, name: str) -> JobDetail:
    """Return one job.

    Raises:
        JobNotFound: with the names that look like it.
    """
    job = the_job(app, name)
    schedules = planned(app, job=name)
    progress = app.store.progress()
    mine = {schedule.name for schedule in schedules}
    return JobDetail(
        row=_row(app, job, schedules, progress),
        policy=job,
        schedules=schedules,
        failing=[entry for entry in progress if entry.schedule in mine and entry.failures],
    )


def the_job(app: Rota, name: str) -> Job:
    """Return the policy of the job of this name.

    Raises:
        JobNotFound: with the names that look like it.
    """
    if name not in app.jobs:
        raise JobNotFound(name, known=app.jobs)
    return app.jobs[name].job


def _row(app: Rota, job: Job, schedules: Sequence[Planned], progress: Sequence[Progress]) -> JobRow:
    names = {schedule.name for schedule in schedules}
    mine = [entry for entry in progress if entry.schedule in names]
    last = _last(app, job)
    health, reason = _health(schedules, last.states)
    upcoming = [
        schedule.next_at for schedule in schedules if schedule.next_at and schedule.state is ScheduleState.ACTIVE
    ]
    return JobRow(
        name=job.name,
        description=job.description,
        state=health,
        reason=reason,
        schedule="; ".join(schedule.text for schedule in schedules),
        queue=job.queue,
        tags=list(job.tags),
        per_tenant=job.per_tenant,
        recent=last.states,
        last_at=last.at,
        last_duration_s=last.duration_s,
        next_at=min(upcoming, default=None),
        tenants_ok=sum(1 for entry in mine if entry.last_success_at and not entry.failures),
        tenants_failed=sum(1 for entry in mine if entry.failures),
    )


class _Last(Struct, frozen=True, kw_only=True):
    """The newest rounds or runs of a job: states oldest first, and when the newest began."""

    states: list[str]
    at: datetime | None
    duration_s: float | None


def _last(app: Rota, job: Job) -> _Last:
    rounds = app.store.rounds(RoundQuery(jobs=(job.name,), limit=RECENT))
    if rounds:
        newest = rounds[0]
        return _Last(
            states=[str(found.state) for found in reversed(rounds)],
            at=newest.created_at,
            duration_s=seconds_between(newest.created_at, newest.ended_at),
        )
    runs = app.store.runs(RunQuery(jobs=(job.name,), limit=RECENT))
    if not runs:
        return _Last(states=[], at=None, duration_s=None)
    return _Last(
        states=[str(run.state) for run in reversed(runs)],
        at=runs[0].created_at,
        duration_s=seconds_between(runs[0].started_at, runs[0].ended_at),
    )


_HEALTH_OF: Mapping[str, Health] = {
    RoundState.RUNNING: Health.RUNNING,
    RoundState.FAILED: Health.FAILED,
    RoundState.PARTIAL: Health.PARTIAL,
    State.QUEUED: Health.RUNNING,
    State.SCHEDULED: Health.RUNNING,
}


def _health(schedules: Sequence[Planned], recent: Sequence[str]) -> tuple[Health, str | None]:
    for schedule in schedules:
        if schedule.state is ScheduleState.BROKEN:
            return Health.BROKEN, schedule.reason
    if schedules and all(schedule.state is ScheduleState.PAUSED for schedule in schedules):
        return Health.PAUSED, schedules[0].reason
    if not recent:
        return Health.NEW, None
    return _HEALTH_OF.get(recent[-1], Health.OK), None


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Return the length in seconds, None while one of the ends is open."""
    return None if start is None or end is None else round((end - start).total_seconds(), 3)
