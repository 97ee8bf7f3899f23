"""Why a run is where it is."""

from shlex import quote

from msgspec.structs import replace

from rota.core.cause import said
from rota.core.controls import Paused
from rota.core.counting import counted
from rota.core.duration import duration_text, rough_duration
from rota.core.limits import held_back, is_open
from rota.core.model import Outcome, Run, RunKind, State
from rota.core.policy import tries
from rota.shape import is_fleet
from rota.views.why.facts import Facts
from rota.views.why.gate import at_gate, blocked
from rota.views.why.queue import in_queue
from rota.views.why.reason import Code, Reason, distance, reason


def why_run(facts: Facts, run: Run) -> list[Reason]:
    """Return what stands in the way of a run, or how it ended."""
    match run.state:
        case State.RUNNING:
            return _running(facts, run)
        case State.QUEUED:
            return in_the_way(facts, run) + in_queue(facts, run)
        case State.SCHEDULED:
            return in_the_way(facts, run) + _scheduled(facts, run)
        case _:
            return [_ended(facts, run)]


def name_of(facts: Facts, run: Run) -> str:
    """Return how a run is named in a sentence: `run 0197… of import for acme, slot 2026-06-01 13:00 UTC`."""
    what = "the expansion" if run.kind is RunKind.EXPANSION else "run"
    tenant = f" for {run.tenant}" if run.tenant is not None else ""
    slot = f", slot {facts.at(run.slot)}" if run.slot is not None else ""
    return f"{what} {run.id} of {run.job}{tenant}{slot}"


def in_the_way(facts: Facts, run: Run) -> list[Reason]:
    """Return what is paused or parked of a run's job, tenant and queue: nothing of theirs begins."""
    found = [paused(facts, Paused.JOB, run.job), paused(facts, Paused.QUEUE, run.queue)]
    if run.tenant is not None:
        found += [paused(facts, Paused.TENANT, run.tenant), parked(facts, run.tenant)]
    return [one for one in found if one is not None]


_PAUSED = {Paused.JOB: Code.PAUSED_JOB, Paused.TENANT: Code.PAUSED_TENANT, Paused.QUEUE: Code.PAUSED_QUEUE}


def paused(facts: Facts, kind: Paused, name: str) -> Reason | None:
    """Return by whom, for what and until when a job, tenant or queue is paused; None when it is not."""
    pause = facts.pause(kind, name)
    if pause is None:
        return None
    until = f", until {facts.at(pause.until)} ({distance(pause.until, now=facts.now)})" if pause.until else ""
    flag = "" if kind is Paused.JOB else f"--{kind} "
    return reason(
        _PAUSED[kind],
        f"{kind} {name} is {pause.said}, since {facts.at(pause.since)}{until}",
        f"rota resume {flag}{name}",
        kind=str(kind), name=name, author=pause.author, reason=pause.reason, since=pause.since, until=pause.until,
    )  # fmt: skip


def parked(facts: Facts, tenant: str) -> Reason | None:
    """Return since when and why a tenant is parked, and when it is tried next; None when it is not."""
    circuit = facts.parked(tenant)
    if circuit is None or circuit.parked_at is None:
        return None
    probe = f"; tried next {distance(circuit.probe_at, now=facts.now)}" if circuit.probe_at is not None else ""
    return reason(
        Code.TENANT_PARKED,
        f"tenant {tenant} is parked since {facts.at(circuit.parked_at)}, after {circuit.failures} failures in a row: "
        f"{circuit.reason}{probe}",
        f"rota tenants test {tenant}",
        tenant=tenant, since=circuit.parked_at, failures=circuit.failures, reason=circuit.reason,
        probe_at=circuit.probe_at,
    )  # fmt: skip


def _scheduled(facts: Facts, run: Run) -> list[Reason]:
    if run.waits_for is not None:
        return _overlapped(facts, run)
    if run.limited_by is not None:
        return [_limited(facts, run.limited_by)]
    if run.due_at > facts.now:
        return _later(facts, run)
    if run.held_by is not None:
        return at_gate(facts, run)
    if not facts.workers:
        return [nobody_keeps(facts, "it is due, and no process promotes runs")]
    return [reason(Code.HELD, "it is due, and goes on within a second", run=run.id)]


def _limited(facts: Facts, name: str) -> Reason:
    found = facts.limit(name)
    if found.limit is None or is_open(found.limit, found.use):
        if not facts.workers:
            return nobody_keeps(facts, "a limit held it back and has a place now, and nobody takes it")
        what = "is gone" if found.limit is None else "has a place now"
        return reason(Code.HELD, f"the limit that it waited for {what}: it goes on within seconds", limit=name)
    scope, _, on = name.partition(":")
    others = f"; held back by it: {counted(found.use.aside, 'run')}"
    # What is set takes the place of the whole limit: both numbers are said again.
    said = ["--running N"] if found.limit.running is not None else []
    said += [f"--rate N/{duration_text(found.limit.rate.per)}"] if found.limit.rate is not None else []
    return reason(
        Code.LIMITED,
        f"limit {scope} {on}: {held_back(found.limit, found.use)}{others}",
        f"rota limits set {scope} {quote(on)} {' '.join(said)} --reason WHY",
        scope=scope, name=on, limit=found.limit.said, running=found.use.running, started=found.use.started,
        waiting=found.use.aside,
    )  # fmt: skip


def _overlapped(facts: Facts, run: Run) -> list[Reason]:
    holder = facts.holder(run)
    if holder is None:
        # `unblock` finds it: two that freed the key at once have missed each other.
        return [reason(Code.HELD, "the run before it is over: it goes on within seconds", run=run.id)]
    theirs = why_run(facts, holder)
    how = f"{name_of(facts, holder)}, which is {holder.state}"
    told = reason(
        Code.OVERLAP,
        f"an earlier run of its schedule and tenant goes first: {how}",
        f"rota explain {holder.id}",
        run=holder.id, state=str(holder.state), slot=holder.slot, owner=holder.owner,
        since=holder.started_at or holder.claimed_at,
    )  # fmt: skip
    return [told, *(replace(one, text=f"that one: {one.text}") for one in theirs)]


def _later(facts: Facts, run: Run) -> list[Reason]:
    when = f"{facts.at(run.due_at)} ({distance(run.due_at, now=facts.now)})"
    then = [reason(Code.DEPENDS, one.text, one.fix, **one.facts) for one in blocked(facts, run)] if run.held_by else []
    if run.attempt == 0 and run.lost_count == 0 and not run.token:
        return [reason(Code.NOT_DUE, f"it is not due until {when}", due_at=run.due_at), *then]
    history = facts.app.store.run(run.id)
    last = history.attempts[-1] if history is not None and history.attempts else None
    if last is None:
        return [reason(Code.NOT_DUE, f"it is not due until {when}", due_at=run.due_at), *then]
    if last.outcome is Outcome.SNOOZED:
        return [reason(Code.SNOOZED, f"it asked to be run again at {when}", due_at=run.due_at)]
    error = f": {last.error.first_line}" if last.error is not None else ""
    attempt = f"attempt {tries(run.attempt or 1, run.max_attempts)}"
    return [
        reason(
            Code.RETRY,
            f"its {attempt} {_outcome(last.outcome)}{error}; the next: {when}",
            due_at=run.due_at, attempt=run.attempt, max_attempts=run.max_attempts,
            error=last.error.first_line if last.error is not None else None,
        )
    ]  # fmt: skip


def _running(facts: Facts, run: Run) -> list[Reason]:
    found = []
    worker = facts.worker(run.owner)
    where = f"{worker.host} (pid {worker.pid})" if worker is not None else f"{run.owner}"
    since = run.started_at or run.claimed_at
    took = "" if since is None else f" since {facts.at(since)} ({rough_duration((facts.now - since).total_seconds())})"
    come = "" if run.done is None else f", {run.done:,}/{run.total:,} done" if run.total else f", {run.done:,} done"
    # A store may learn when an attempt began only with how it ended: until then it is not known whether it has.
    begun = f"it runs{took} on {where}" if run.started_at is not None else f"worker {where} has it{took}"
    if (executor := _fleet(facts, run)) is not None and worker is not None:
        # Who claims is who sends it; who takes it over works no queue of Rota's.
        begun = (
            f"it was sent to {executor}{took} and waits for one of its workers; {where} keeps it meanwhile"
            if worker.queues
            else f"worker {where} of {executor} has it{took}"
        )
    if run.lease_until is not None and run.lease_until < facts.now:
        found.append(
            reason(
                Code.LEASE_OVER,
                f"its lease ended {distance(run.lease_until, now=facts.now)}: its worker is gone or frozen, and it is "
                "given to another",
                None if facts.workers else "rota start",
                lease_until=run.lease_until, owner=run.owner,
            )
        )  # fmt: skip
    if run.cancel_requested:
        found.append(reason(Code.STOPPING, f"it was asked to stop: {run.reason or 'no reason is known'}"))
    found.append(
        reason(
            Code.RUNNING,
            f"{begun}, attempt {tries(run.attempt, run.max_attempts)}{come}",
            None if found else f"rota logs {run.id}",
            run=run.id, owner=run.owner, since=since, attempt=run.attempt, done=run.done, total=run.total,
            lease_until=run.lease_until,
        )
    )  # fmt: skip
    return found


def _fleet(facts: Facts, run: Run) -> str | None:
    """Return the executor of a run that is carried out by processes of another system."""
    job = facts.app.jobs.get(run.job)
    return job.job.executor if job is not None and run.kind is RunKind.JOB and is_fleet(job.job.executor) else None


def _ended(facts: Facts, run: Run) -> Reason:
    when = f" at {facts.at(run.ended_at)}" if run.ended_at is not None else ""
    match run.state:
        case State.SUCCEEDED:
            return _end(run, Code.SUCCEEDED, f"it succeeded{when}", None)
        case State.FAILED:
            attempts = f"attempt {tries(run.attempt, run.max_attempts)}" if run.attempt else "no attempt"
            text = f"it failed{when}, {attempts} was its last and {_outcome(run.outcome)}: {said(run)}"
            return _end(run, Code.FAILED, text, said(run))
        case State.CANCELLED:
            return _end(run, Code.CANCELLED, f"it was cancelled{when}: {said(run)}", run.reason)
        case _:
            return _end(run, Code.SKIPPED, f"it was skipped{when}: {run.reason or 'no reason is known'}", run.reason)


def _end(run: Run, code: Code, text: str, why: str | None) -> Reason:
    fix = None if code is Code.SUCCEEDED else f"rota retry {run.id}"
    return reason(
        code, text, fix, run=run.id, tenant=run.tenant, slot=run.slot, ended_at=run.ended_at, outcome=run.outcome,
        reason=why,
    )  # fmt: skip


def _outcome(outcome: Outcome | None) -> str:
    return "was not made" if outcome is None else f"{outcome}".replace("_", " ")


def nobody_keeps(facts: Facts, what: str) -> Reason:
    """Return that no process lives which would do what is to be done."""
    last = facts.last_seen
    since = f"none lives since {facts.at(last)}" if last is not None else "none was ever started"
    return reason(Code.NO_SCHEDULER, f"{what}: {since}", "rota start", last_seen=last)
