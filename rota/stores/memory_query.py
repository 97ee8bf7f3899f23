"""Which runs, rounds, schedules and entries of the audit a query means, where the store itself cannot say it."""

from collections.abc import Collection
from datetime import datetime

from rota.core.controls import AuditEntry
from rota.core.model import Round, RoundState, Run, Schedule
from rota.queries import AuditQuery, RoundQuery, RunQuery, ScheduleQuery


def is_run_meant(run: Run, query: RunQuery) -> bool:
    """Whether the run is one of those asked for."""
    return (
        _among(run.id, query.ids)
        and _among(run.job, query.jobs)
        and _among(run.tenant, query.tenants)
        and _among(run.state, query.states)
        and _among(run.queue, query.queues)
        and _among(run.trigger, query.triggers)
        and query.kind in (None, run.kind)
        and query.schedule in (None, run.schedule)
        and query.round_id in (None, run.round_id)
        and query.batch in (None, run.batch)
        and query.parent in (None, run.parent)
        and query.owner in (None, run.owner)
        and within(run.slot, query.slot_since, query.slot_until)
        and within(run.created_at, query.since, query.until)
        and within(run.ended_at, query.ended_since, None)
        and (query.before_id is None or run.id < query.before_id)
    )


def is_round_meant(round_: Round, query: RoundQuery, *, theirs: Collection[str | None] | None = None) -> bool:
    """Whether the round is one of those asked for; `theirs` are those that have a run of the query's tenants."""
    return (
        (theirs is None or round_.id in theirs or not round_.expanded or round_.state is RoundState.SKIPPED)
        and _among(round_.job, query.jobs)
        and _among(round_.state, query.states)
        and query.schedule in (None, round_.schedule)
        and within(round_.slot, query.slot_since, query.slot_until)
        and (query.before_id is None or round_.id < query.before_id)
    )


def is_schedule_meant(schedule: Schedule, query: ScheduleQuery) -> bool:
    """Whether the schedule is one of those asked for."""
    return (
        _among(schedule.job, query.jobs)
        and _among(schedule.state, query.states)
        and query.origin in (None, schedule.origin)
        and query.has_next in (None, schedule.next_at is not None)
        and (query.pause_over is None or _is_by(schedule.paused_until, query.pause_over))
        and (query.after is None or schedule.name > query.after)
    )


def is_entry_meant(entry: AuditEntry, query: AuditQuery) -> bool:
    """Whether the entry of the audit is one of those asked for."""
    return (
        query.actor in (None, entry.actor)
        and (query.action is None or _is_action(entry.action, query.action))
        and query.target in (None, entry.target)
        and (query.since is None or entry.at >= query.since)
        and (query.before_id is None or entry.id < query.before_id)
    )


def _is_action(action: str, wanted: str) -> bool:
    return action.startswith(wanted) if wanted.endswith(".") else action == wanted


def within(instant: datetime | None, since: datetime | None, until: datetime | None) -> bool:
    """Whether an instant lies in [since, until), where `None` does not narrow; no instant lies in no range."""
    if instant is None:
        return since is None and until is None
    return (since is None or instant >= since) and (until is None or instant < until)


def _is_by(instant: datetime | None, end: datetime) -> bool:
    return instant is not None and instant <= end


def _among(value: object, wanted: Collection[object]) -> bool:
    return not wanted or value in wanted
