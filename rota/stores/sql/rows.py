"""Rows to values and back. On the path of every run, so it is written by position and not by name."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from rota.clock import EPOCH
from rota.core.model import (
    Attempt,
    ErrorReport,
    LogChunk,
    LogLine,
    Outcome,
    Progress,
    Round,
    RoundState,
    Run,
    RunKind,
    State,
    Trigger,
    WorkerRecord,
)
from rota.core.part import Part
from rota.core.policy import Overlap, Retry

Row = Sequence[Any]

MICROSECOND = timedelta(microseconds=1)

# What a run has from the start; the rest is NULL until it is claimed.
ACCEPTED = (
    "id", "job", "queue", "kind", "tenant", "user_id", "args", "state", "reason", "priority", "turn", "due_at",
    "expires_at", "created_at", "triggered_by", "actor", "schedule", "slot", "since", "round_id", "dedupe_key",
    "concurrency_key", "overlap", "max_attempts", "attempt", "lost_count", "token", "cancel_requested", "held_by",
    "batch", "weight", "retry", "carried", "limit_key", "host", "limited_by", "part",
    "parent",
)  # fmt: skip
CLAIMED = (
    "owner", "lease_until", "claimed_at", "started_at", "ended_at", "outcome", "error", "result", "done", "total",
)  # fmt: skip
RUN = ACCEPTED + CLAIMED
ATTEMPT = ("run_id", "token", "owner", "claimed_at", "started_at", "ended_at", "outcome", "error")
CHUNK = ("run_id", "token", "number", "body", "left_out", "created_at")
ROUND = (
    "id", "job", "schedule", "slot", "triggered_by", "actor", "state", "reason", "skipped_from", "expanded",
    "expected", "counts", "created_at", "ended_at", "places",
)  # fmt: skip
PROGRESS = (
    "schedule", "tenant", "last_success", "last_success_at", "last_run_id", "last_state", "last_ended_at", "failures",
)  # fmt: skip
CONTROL = ("kind", "name", "body", "version", "changed_at")
AUDIT = ("id", "at", "actor", "via", "action", "target", "reason", "detail")
WORKER = (
    "id", "host", "boot_id", "pid", "pid_started", "version", "queues", "places", "started_at", "last_seen", "stamps",
)  # fmt: skip

WAITING = "waiting"
HELD = "held"
LIMITED = "limited"
OPEN = "('scheduled', 'waiting', 'held', 'limited', 'queued', 'running')"
"""The states of runs that are not final, as they stand in a statement."""

# A dictionary looked up by text is five times faster than calling the enumeration.
STATES = {str(state): state for state in State} | {
    WAITING: State.SCHEDULED,
    HELD: State.SCHEDULED,
    LIMITED: State.SCHEDULED,
}
KINDS = {str(kind): kind for kind in RunKind}
TRIGGERS = {str(trigger): trigger for trigger in Trigger}
OVERLAPS = {str(overlap): overlap for overlap in Overlap}
OUTCOMES: dict[str | None, Outcome | None] = {None: None} | {str(outcome): outcome for outcome in Outcome}

_part_decoder = msgspec.json.Decoder(Part)
_retry_decoder = msgspec.json.Decoder(Retry)
_error_decoder = msgspec.json.Decoder(ErrorReport)
_lines_decoder = msgspec.json.Decoder(list[tuple[int, str, str, str]])
_counts_decoder = msgspec.json.Decoder(dict[str, int])


def columns(names: Sequence[str], table: str = "") -> str:
    """Return the columns as they stand in a SELECT."""
    return ", ".join(f"{table}.{name}" if table else name for name in names)


def at(micros: int | None) -> datetime | None:
    """Return the instant of a column."""
    return None if micros is None else EPOCH + timedelta(microseconds=micros)


def since_epoch(instant: datetime | None) -> int | None:
    """Return an instant as a column keeps it."""
    return None if instant is None else (instant - EPOCH) // MICROSECOND


def to_json(value: object) -> str:
    """Return a value as the JSON text of a column."""
    return msgspec.json.encode(value).decode()


def clean(text: str | None) -> str | None:
    """Return text that every engine can keep: no NUL, no half of a surrogate pair."""
    if text is None:
        return None
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def error_text(error: ErrorReport | None) -> str | None:
    """Return an error as the JSON text of a column."""
    if error is None:
        return None
    try:
        return to_json(error)
    except UnicodeEncodeError:
        # File names and broken input come with lone surrogates; a run must not stay open for one.
        return to_json(
            ErrorReport(
                type=clean(error.type) or "",
                message=clean(error.message) or "",
                traceback=clean(error.traceback) or "",
                fingerprint=error.fingerprint,
                place=clean(error.place) or "",
            )
        )


def run_of(row: Row) -> Run:
    """Return the run of a row with the columns RUN."""
    (
        run_id, job, queue, kind, tenant, user_id, args, state, reason, priority, turn, due_at, expires_at, created_at,
        trigger, actor, schedule, slot, since, round_id, dedupe_key, concurrency_key, overlap, max_attempts, attempt,
        lost_count, token, cancel_requested, held_by, batch, weight, retry, carried, limit_key, host, limited_by, part,
        parent, owner, lease_until, claimed_at, started_at, ended_at, outcome, error, result, done, total,
    ) = row  # fmt: skip
    due = EPOCH + timedelta(microseconds=due_at)
    return Run(
        id=run_id,
        job=job,
        queue=queue,
        kind=KINDS[kind],
        tenant=tenant,
        user_id=user_id,
        args=args,
        state=STATES[state],
        reason=reason,
        priority=-priority,
        turn=turn,
        due_at=due,
        expires_at=None if expires_at is None else at(expires_at),
        created_at=due if created_at == due_at else EPOCH + timedelta(microseconds=created_at),
        trigger=TRIGGERS[trigger],
        actor=actor,
        schedule=schedule,
        slot=None if slot is None else at(slot),
        since=None if since is None else at(since),
        round_id=round_id,
        dedupe_key=dedupe_key,
        concurrency_key=concurrency_key,
        waits_for=concurrency_key if state == WAITING else None,
        held_by=held_by,
        batch=batch,
        weight=weight,
        retry=None if retry is None else _retry_decoder.decode(retry),
        carried=carried,
        parent=parent,
        limit_key=limit_key,
        host=host,
        limited_by=limited_by,
        part=None if part is None else _part_decoder.decode(part),
        overlap=OVERLAPS[overlap],
        max_attempts=max_attempts,
        attempt=attempt,
        lost_count=lost_count,
        token=token,
        owner=owner,
        lease_until=None if lease_until is None else at(lease_until),
        cancel_requested=bool(cancel_requested),
        claimed_at=None if claimed_at is None else at(claimed_at),
        started_at=None if started_at is None else at(started_at),
        ended_at=None if ended_at is None else at(ended_at),
        outcome=OUTCOMES[outcome],
        error=None if error is None else _error_decoder.decode(error),
        result=result,
        done=done,
        total=total,
    )


def accepted(run: Run, state: str, turn: float) -> tuple[Any, ...]:
    """Return a new run as the columns ACCEPTED, placed in this state with this turn."""
    due_at = (run.due_at - EPOCH) // MICROSECOND
    return (
        run.id,
        run.job,
        run.queue,
        run.kind.value,
        run.tenant,
        run.user_id,
        run.args,
        state,
        run.reason,
        -run.priority,
        turn,
        due_at,
        None if run.expires_at is None else since_epoch(run.expires_at),
        due_at if run.created_at is run.due_at else (run.created_at - EPOCH) // MICROSECOND,
        run.trigger.value,
        run.actor,
        run.schedule,
        None if run.slot is None else since_epoch(run.slot),
        None if run.since is None else since_epoch(run.since),
        run.round_id,
        run.dedupe_key,
        run.concurrency_key,
        run.overlap.value,
        run.max_attempts,
        run.attempt,
        run.lost_count,
        run.token,
        int(run.cancel_requested),
        run.held_by,
        run.batch,
        run.weight,
        None if run.retry is None else to_json(run.retry),
        run.carried,
        run.limit_key,
        run.host,
        run.limited_by,
        None if run.part is None else to_json(run.part),
        run.parent,
    )


def ended(run: Run) -> tuple[Any, ...]:
    """Return a run that is final from the start as the columns RUN."""
    return (
        *accepted(run, run.state.value, run.turn),
        run.owner,
        since_epoch(run.lease_until),
        since_epoch(run.claimed_at),
        since_epoch(run.started_at),
        since_epoch(run.ended_at),
        None if run.outcome is None else run.outcome.value,
        error_text(run.error),
        run.result,
        run.done,
        run.total,
    )


def attempt_of(row: Row) -> Attempt:
    """Return the attempt of a row with the columns ATTEMPT."""
    run_id, token, owner, claimed_at, started_at, ended_at, outcome, error = row
    return Attempt(
        run_id=run_id,
        token=token,
        owner=owner,
        claimed_at=at(claimed_at),
        started_at=at(started_at),
        ended_at=at(ended_at),
        outcome=OUTCOMES[outcome],
        error=None if error is None else _error_decoder.decode(error),
    )


def chunk_of(row: Row) -> LogChunk:
    """Return the chunk of a log of a row with the columns CHUNK."""
    run_id, token, number, body, left_out, _created_at = row
    return LogChunk(
        run_id=run_id,
        token=token,
        number=number,
        lines=tuple(
            LogLine(at=EPOCH + timedelta(microseconds=micros), level=level, source=source, text=text)
            for micros, level, source, text in _lines_decoder.decode(body)
        ),
        left_out=left_out,
    )


def chunk_row(chunk: LogChunk, now: datetime) -> tuple[Any, ...]:
    """Return a chunk of a log as the columns CHUNK."""
    lines = [(since_epoch(line.at), line.level, line.source, line.text) for line in chunk.lines]
    try:
        text = to_json(lines)
    except UnicodeEncodeError:
        text = to_json([(micros, *(clean(word) for word in words)) for micros, *words in lines])
    return chunk.run_id, chunk.token, chunk.number, text, chunk.left_out, since_epoch(now)


def round_of(row: Row) -> Round:
    """Return the round of a row with the columns ROUND."""
    (
        round_id, job, schedule, slot, trigger, actor, state, reason, skipped_from, expanded, expected, counts,
        created_at, ended_at, places,
    ) = row  # fmt: skip
    return Round(
        id=round_id,
        job=job,
        schedule=schedule,
        slot=at(slot),
        trigger=TRIGGERS[trigger],
        actor=actor,
        state=RoundState(state),
        reason=reason,
        skipped_from=at(skipped_from),
        expanded=bool(expanded),
        expected=expected,
        counts=_counts_decoder.decode(counts),
        created_at=EPOCH + timedelta(microseconds=created_at),
        ended_at=at(ended_at),
        places=places,
    )


def round_row(round_: Round) -> tuple[Any, ...]:
    """Return a round as the columns ROUND."""
    return (
        round_.id,
        round_.job,
        round_.schedule,
        since_epoch(round_.slot),
        round_.trigger.value,
        round_.actor,
        round_.state.value,
        clean(round_.reason),
        since_epoch(round_.skipped_from),
        int(round_.expanded),
        round_.expected,
        to_json(dict(round_.counts)),
        since_epoch(round_.created_at),
        since_epoch(round_.ended_at),
        round_.places,
    )


def progress_of(row: Row) -> Progress:
    """Return the progress of a row with the columns PROGRESS."""
    schedule, tenant, last_success, last_success_at, last_run_id, last_state, last_ended_at, failures = row
    return Progress(
        schedule=schedule,
        tenant=tenant,
        last_success=at(last_success),
        last_success_at=at(last_success_at),
        last_run_id=last_run_id,
        last_state=None if last_state is None else STATES[last_state],
        last_ended_at=at(last_ended_at),
        failures=failures,
    )


def progress_row(progress: Progress) -> tuple[Any, ...]:
    """Return progress as the columns PROGRESS."""
    return (
        progress.schedule,
        progress.tenant,
        since_epoch(progress.last_success),
        since_epoch(progress.last_success_at),
        progress.last_run_id,
        None if progress.last_state is None else progress.last_state.value,
        since_epoch(progress.last_ended_at),
        progress.failures,
    )


def worker_of(row: Row) -> WorkerRecord:
    """Return the worker of a row with the columns WORKER."""
    worker_id, host, boot_id, pid, pid_started, version, queues, places, started_at, last_seen, stamps = row
    seen = _counts_decoder.decode(stamps)
    return WorkerRecord(
        id=worker_id,
        host=host,
        boot_id=boot_id,
        pid=pid,
        pid_started=pid_started,
        version=version,
        queues=_counts_decoder.decode(queues),
        places=places,
        started_at=EPOCH + timedelta(microseconds=started_at),
        last_seen=EPOCH + timedelta(microseconds=last_seen),
        stamps={loop: EPOCH + timedelta(microseconds=micros) for loop, micros in seen.items()},
    )


def worker_row(worker: WorkerRecord) -> tuple[Any, ...]:
    """Return a worker as the columns WORKER."""
    return (
        worker.id,
        worker.host,
        worker.boot_id,
        worker.pid,
        worker.pid_started,
        worker.version,
        to_json(dict(worker.queues)),
        worker.places,
        since_epoch(worker.started_at),
        since_epoch(worker.last_seen),
        stamps_text(worker.stamps),
    )


def stamps_text(stamps: Any) -> str:
    """Return when each loop last came round, as the JSON text of a column."""
    return to_json({loop: since_epoch(instant) for loop, instant in stamps.items()})
