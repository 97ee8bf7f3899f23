"""What is paused, by whom, and why."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from rota.app import Rota
from rota.core.controls import Paused
from rota.core.model import Schedule, ScheduleState
from rota.engine.circuits import every_circuit
from rota.queries import AuditQuery, ScheduleQuery

AUDIT_READ = 1000
"""Newest entries of the audit that are looked at for the beginning of a pause."""


class PauseRow(Struct, frozen=True, kw_only=True):
    """One pause."""

    kind: str
    name: str
    reason: str
    author: str | None
    since: datetime | None
    """None for a schedule that was not paused through Rota, or so long ago that the audit no longer tells."""
    until: datetime | None


def paused(app: Rota) -> list[PauseRow]:
    """Return all pauses: of jobs, queues and tenants, then of schedules, each by name."""
    rows = [
        PauseRow(
            kind=str(pause.kind),
            name=pause.name,
            reason=pause.reason,
            author=pause.author,
            since=pause.since,
            until=pause.until,
        )
        for pause in app.pauses.list()
    ]
    schedules = app.store.schedules(ScheduleQuery(states=(ScheduleState.PAUSED,)))
    since = _since(app) if schedules else {}
    return rows + [_of_schedule(schedule, since.get(schedule.name)) for schedule in schedules]


def paused_since(app: Rota, schedule: str) -> datetime | None:
    """Return when the pause of a schedule began, or None when the audit does not tell."""
    return _since(app, schedule).get(schedule)


def _since(app: Rota, schedule: str | None = None) -> dict[str, datetime]:
    """Return when the schedules that are paused were paused: a schedule's own row does not keep it."""
    began: dict[str, datetime] = {}
    for entry in reversed(app.store.audit(AuditQuery(action="schedule.", target=schedule, limit=AUDIT_READ))):
        if entry.action == "schedule.pause":
            began.setdefault(entry.target, entry.at)
        elif entry.action == "schedule.resume":
            began.pop(entry.target, None)
    return began


def in_the_way(app: Rota, job: str, tenants: Sequence[str]) -> list[str]:
    """Return why runs of a job would not begin at once, one sentence each; of tenants only these, or all when none is
    named."""
    the_job = app.find(job).job
    said = []
    for pause in app.pauses.list():
        concerns = {
            Paused.JOB: pause.name == job,
            Paused.QUEUE: pause.name == the_job.queue,
            Paused.TENANT: the_job.per_tenant and (not tenants or pause.name in tenants),
        }
        if concerns[pause.kind]:
            said.append(f"{pause.kind} {pause.name} is {pause.said}")
    # Only tenants are parked: a job without them is spared the question.
    circuits = every_circuit(app.store) if the_job.per_tenant else {}
    for tenant, circuit in circuits.items():
        if circuit.is_open and (not tenants or tenant in tenants):
            said.append(f"tenant {tenant} is parked: {circuit.reason}")
    return said


def _of_schedule(schedule: Schedule, since: datetime | None) -> PauseRow:
    return PauseRow(
        kind="schedule",
        name=schedule.name,
        reason=schedule.reason or "",
        author=schedule.paused_by,
        since=since,
        until=schedule.paused_until,
    )
