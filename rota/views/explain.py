"""Why a thing is as it is: a schedule in words with its next slots, and what a run is waiting for."""

from datetime import datetime, timedelta
from itertools import islice

from msgspec import Struct

from rota.app import Rota
from rota.core import words
from rota.core.kind import Timing
from rota.core.model import Round, Run, ScheduleState, State
from rota.core.timing import cron_of, slots
from rota.views.schedule import planned

FAR = timedelta(days=366 * 100)


class Slot(Struct, frozen=True, kw_only=True):
    """One slot, and what daylight saving does to it."""

    slot: datetime
    note: str | None


class Explained(Struct, frozen=True, kw_only=True):
    """A schedule in words."""

    text: str
    cron: str | None
    """The cron expression with the same slots, where there is one."""
    timing: str
    """The canonical text."""
    slots: list[Slot]


def explain_timing(timing: Timing, *, after: datetime, count: int) -> Explained:
    """Return a timing in words with its next `count` slots after `after`. Works without a store."""
    found = islice(slots(timing, after=after, until=after + FAR), count)
    return Explained(
        text=words.describe(timing),
        cron=cron_of(timing),
        timing=words.text_of(timing),
        slots=[Slot(slot=slot, note=words.notes(timing, slot)) for slot in found],
    )


class JobExplained(Struct, frozen=True, kw_only=True):
    """Why a job runs when it does, or does not."""

    job: str
    reasons: list[str]
    schedules: list[Explained]


def explain_job(app: Rota, name: str, *, count: int) -> JobExplained:
    """Return the schedules of a job with their next slots, and why they fire or not."""
    now, reasons, explained = app.clock.now(), [], []
    for schedule in planned(app, job=name):
        reasons.append(
            f"schedule {schedule.name} is {schedule.state}" + (f": {schedule.reason}" if schedule.reason else "")
        )
        if schedule.state is ScheduleState.PAUSED and schedule.paused_until:
            reasons.append(f"it fires again after {schedule.paused_until.isoformat()}")
        if not schedule.is_stored:
            reasons.append("nothing has started it yet: rota start, or rota tick")
        if (
            schedule.next_at
            and schedule.state is ScheduleState.ACTIVE
            and schedule.next_at < now - timedelta(minutes=1)
        ):
            reasons.append(f"it is overdue since {schedule.next_at.isoformat()}: no scheduler is running")
        if schedule.timing is not None:
            explained.append(explain_timing(schedule.timing, after=now, count=count))
    if not reasons:
        reasons.append(f"job {name} has no schedule: it runs when somebody enqueues or starts it")
    return JobExplained(job=name, reasons=reasons, schedules=explained)


def explain_run(app: Rota, run: Run) -> list[str]:
    """Return why a run is in its state, one sentence each."""
    now = app.clock.now()
    said = [f"run {run.id} of {run.job} is {run.state}" + (f": {run.reason}" if run.reason else "")]
    match run.state:
        case State.SCHEDULED if run.waits_for:
            said.append("an earlier run of the same schedule and tenant is not over; this one is next in line")
        case State.SCHEDULED:
            said.append(f"it is due at {run.due_at.isoformat()}")
            if run.due_at < now:
                said.append("that has passed: no process is promoting runs (rota start)")
        case State.QUEUED:
            said.extend(_why_queued(app, run))
        case State.RUNNING:
            said.append(f"worker {run.owner} has it, attempt {run.attempt} of {run.max_attempts}")
            if run.lease_until and run.lease_until < now:
                said.append("its lease has ended: the worker is gone, and the run is given to another")
            if run.cancel_requested:
                said.append("it was asked to stop")
        case _:
            said.append(f"attempt {run.attempt} of {run.max_attempts} was its last: {run.outcome or 'none was made'}")
    if run.error is not None:
        said.append(f"the last error: {run.error.first_line}")
    return said


def explain_round(app: Rota, round_: Round) -> list[str]:
    """Return why a round is in its state, one sentence each."""
    counts = app.store.round_counts([round_.id]).get(round_.id, {})
    said = [f"round {round_.id} of {round_.job} is {round_.state}" + (f": {round_.reason}" if round_.reason else "")]
    if not round_.expanded and round_.skipped_from is None:
        said.append("its tenants are not listed yet, or the listing failed")
    if counts:
        said.append("its runs: " + ", ".join(f"{count} {state}" for state, count in sorted(counts.items())))
    return said


def _why_queued(app: Rota, run: Run) -> list[str]:
    alive = [w for w in app.store.workers() if app.clock.now() - w.last_seen <= app.settings.worker.lease]
    if not alive:
        return ["no worker is alive: rota start"]
    if not any(not worker.queues or run.queue in worker.queues for worker in alive):
        return [f"no worker works queue {run.queue!r}: rota start --queues {run.queue}:8"]
    if run.job not in app.jobs:
        return [f"no job {run.job!r} is registered in this code"]
    busy = sum(states.get(State.RUNNING, 0) for states in app.store.counts().by_queue.values())
    return [
        f"{len(alive)} workers have {sum(worker.places for worker in alive)} places, {busy} are taken; it is in line"
    ]
