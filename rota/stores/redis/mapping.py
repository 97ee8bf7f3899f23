"""Values to records and back. On the path of every run, so it is written out field by field."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from rota.clock import EPOCH
from rota.core.freshness import Expectation
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
    Schedule,
    ScheduleState,
    Settlement,
    State,
    Trigger,
    WorkerRecord,
)
from rota.core.part import Part
from rota.core.policy import Overlap, Retry
from rota.core.signal import signals_of
from rota.core.tally import LONGEST_MESSAGE, tallies
from rota.stores.redis.records import (
    AttemptRecord,
    EndRecord,
    ExpectationRecord,
    ProgressRecord,
    RoundRecord,
    RunRecord,
    ScheduleRecord,
    SettlementRecord,
    Whole,
    WorkerBeat,
)

MICROSECOND = timedelta(microseconds=1)
EXACT = 2**53
"""Whole numbers below this are doubles without loss."""

# A dictionary looked up by text is five times faster than calling the enumeration.
STATES = {str(state): state for state in State}
TRIGGERS = {str(trigger): trigger for trigger in Trigger}
OVERLAPS = {str(overlap): overlap for overlap in Overlap}
OUTCOMES = {str(outcome): outcome for outcome in Outcome}

encoded = msgspec.msgpack.Encoder().encode
_part = msgspec.json.Decoder(Part)
_retry = msgspec.json.Decoder(Retry)
_error = msgspec.json.Decoder(ErrorReport)
_schedule = msgspec.json.Decoder(Schedule)
_worker = msgspec.json.Decoder(WorkerRecord)
_counts = msgspec.json.Decoder(dict[str, int])
_chunk = msgspec.json.Decoder(tuple[int, int, int, list[tuple[int, str, str, str]]])


def whole(number: int) -> Whole:
    """Return a whole number as it is kept."""
    return number if -EXACT < number < EXACT else str(number)


def micros(instant: datetime) -> Whole:
    """Return an instant as it is kept."""
    number = (instant - EPOCH) // MICROSECOND
    return number if -EXACT < number < EXACT else str(number)


def micros_if(instant: datetime | None) -> Whole | None:
    """Return an instant as it is kept, if there is one."""
    return None if instant is None else micros(instant)


def at(kept: Whole) -> datetime:
    """Return the instant that was kept."""
    return EPOCH + timedelta(microseconds=kept if type(kept) is int else int(kept))


def at_if(kept: Whole | None) -> datetime | None:
    """Return the instant that was kept, if there is one."""
    return None if kept is None else at(kept)


def to_json(value: object) -> str:
    """Return a value as the JSON text that stands in a record."""
    return msgspec.json.encode(value).decode()


def clean(text: str) -> str:
    """Return text that can be encoded: no half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def clean_if(text: str | None) -> str | None:
    """Return text that can be encoded, if there is any."""
    return None if text is None else clean(text)


def error_json(error: ErrorReport | None) -> str | None:
    """Return an error as JSON."""
    if error is None:
        return None
    try:
        return to_json(error)
    except UnicodeEncodeError:
        # File names and broken input come with lone surrogates; a run must not stay open for one.
        words = {name: clean(getattr(error, name)) for name in ("type", "message", "traceback", "place")}
        return to_json(msgspec.structs.replace(error, **words))


def new_run(run: Run) -> bytes:
    """Return a new run as the scripts take it."""
    return encoded(run_record(run))


def run_record(run: Run) -> RunRecord:
    """Return a run as Redis keeps it."""
    due_at = micros(run.due_at)
    record = RunRecord(
        id=run.id,
        job=run.job,
        queue=run.queue,
        state=run.state.value,
        due_at=due_at,
        created_at=due_at if run.created_at is run.due_at else micros(run.created_at),
        kind=None if run.kind is RunKind.JOB else run.kind.value,
        tenant=run.tenant,
        user_id=run.user_id,
        args=run.args,
        reason=run.reason,
        priority=run.priority,
        turn=run.turn,
        expires_at=micros_if(run.expires_at),
        trigger=run.trigger.value,
        actor=run.actor,
        schedule=run.schedule,
        slot=micros_if(run.slot),
        since=micros_if(run.since),
        round_id=run.round_id,
        dedupe_key=run.dedupe_key,
        concurrency_key=run.concurrency_key,
        held_by=run.held_by,
        batch=run.batch,
        part=None if run.part is None else to_json(run.part),
        weight=run.weight,
        overlap=run.overlap.value,
        retry=None if run.retry is None else to_json(run.retry),
        carried=run.carried,
        parent=run.parent,
        limit_key=run.limit_key,
        host=run.host,
        limited_by=run.limited_by,
        max_attempts=run.max_attempts,
        attempt=run.attempt,
        lost_count=run.lost_count,
        token=run.token,
        cancel_requested=run.cancel_requested,
    )
    return _with_end(record, run) if run.state.is_final else record


def _with_end(record: RunRecord, run: Run) -> RunRecord:
    """Add what only a run has that is final from the start."""
    record.is_ended_from_start = True
    record.owner, record.lease_until = run.owner, micros_if(run.lease_until)
    record.claimed_at, record.started_at = micros_if(run.claimed_at), micros_if(run.started_at)
    record.ended_at = micros_if(run.ended_at)
    record.outcome = None if run.outcome is None else run.outcome.value
    record.error, record.result = error_json(run.error), run.result
    record.done = None if run.done is None else whole(run.done)
    record.total = None if run.total is None else whole(run.total)
    return record


def run_of(record: RunRecord) -> Run:
    """Return the run of a record."""
    due_at = at(record.due_at)
    return Run(
        id=record.id,
        job=record.job,
        queue=record.queue,
        kind=RunKind.JOB if record.kind is None else RunKind(record.kind),
        tenant=record.tenant,
        user_id=record.user_id,
        args=record.args,
        state=STATES[record.state],
        reason=record.reason,
        priority=record.priority,
        turn=record.turn,
        due_at=due_at,
        expires_at=None if record.expires_at is None else at(record.expires_at),
        created_at=due_at if record.created_at == record.due_at else at(record.created_at),
        trigger=TRIGGERS[record.trigger],
        actor=record.actor,
        schedule=record.schedule,
        slot=None if record.slot is None else at(record.slot),
        since=None if record.since is None else at(record.since),
        round_id=record.round_id,
        dedupe_key=record.dedupe_key,
        concurrency_key=record.concurrency_key,
        waits_for=record.waits_for,
        held_by=record.held_by,
        batch=record.batch,
        part=None if record.part is None else _part.decode(record.part),
        weight=record.weight,
        overlap=OVERLAPS[record.overlap],
        retry=None if record.retry is None else _retry.decode(record.retry),
        carried=record.carried,
        parent=record.parent,
        limit_key=record.limit_key,
        host=record.host,
        limited_by=record.limited_by,
        max_attempts=record.max_attempts,
        attempt=record.attempt,
        lost_count=record.lost_count,
        token=record.token,
        owner=record.owner,
        lease_until=None if record.lease_until is None else at(record.lease_until),
        cancel_requested=record.cancel_requested,
        claimed_at=None if record.claimed_at is None else at(record.claimed_at),
        started_at=None if record.started_at is None else at(record.started_at),
        ended_at=None if record.ended_at is None else at(record.ended_at),
        outcome=None if record.outcome is None else OUTCOMES[record.outcome],
        error=None if record.error is None else _error.decode(record.error),
        result=record.result,
        done=None if record.done is None else int(record.done),
        total=None if record.total is None else int(record.total),
        last_success=None if record.last_success is None else at(record.last_success),
    )


def settlement_record(settlement: Settlement) -> SettlementRecord:
    """Return a settlement as the script takes it, but for its end."""
    return SettlementRecord(
        id=settlement.run.id,
        token=settlement.run.token,
        state=settlement.state.value,
        ended_at=micros(settlement.ended_at),
        lease_until=micros_if(settlement.lease_until),
        is_expanded=settlement.expanded is not None,
        expanded=settlement.expanded,
        met=_met(settlement),
        signal=_signal(settlement),
        expected=expectation_record(settlement.expected),
    )


def expectation_record(expected: Expectation | None) -> ExpectationRecord | None:
    """Return what is expected as scripts take it, if anything is known of it."""
    if expected is None:
        return None
    return ExpectationRecord(
        late_at=micros_if(expected.late_at),
        stale_at=micros_if(expected.stale_at),
        look_at=micros_if(expected.look_at),
        rule=expected.rule,
    )


def _signal(settlement: Settlement) -> tuple[str, str] | None:
    if settlement.state is not State.FAILED:
        return None
    [signal] = signals_of([settlement])
    return signal.id, to_json(signal)


def end_of(settlement: Settlement) -> bytes:
    """Return what a settlement makes of its run: an `EndRecord`."""
    return encoded(
        EndRecord(
            state=settlement.state.value,
            outcome=settlement.outcome.value,
            due_at=None if settlement.state.is_final else micros(settlement.due_at),
            ended_at=micros(settlement.ended_at),
            attempt=settlement.attempt,
            lost_count=settlement.lost_count,
            started_at=micros_if(settlement.started_at),
            error=error_json(settlement.error),
            result=settlement.result,
            reason=clean_if(settlement.reason) or None,
        )
    )


def _met(settlement: Settlement) -> dict[str, str] | None:
    """Return the error that a settlement's attempt is counted under; None when it met none."""
    found = tallies([settlement]) if settlement.error is not None else []
    return (
        {
            "fingerprint": found[0].fingerprint,
            "type": clean(found[0].error.type),
            "message": clean(found[0].error.message[:LONGEST_MESSAGE]),
            "place": clean(found[0].error.place),
        }
        if found
        else None
    )


def attempt_of(record: AttemptRecord) -> Attempt:
    """Return the attempt of a record."""
    return Attempt(
        run_id=record.run_id,
        token=record.token,
        owner=record.owner,
        claimed_at=at_if(record.claimed_at),
        started_at=at_if(record.started_at),
        ended_at=at_if(record.ended_at),
        outcome=None if record.outcome is None else OUTCOMES[record.outcome],
        error=None if record.error is None else _error.decode(record.error),
    )


def round_record(round_: Round) -> RoundRecord:
    """Return a round as Redis keeps it."""
    return RoundRecord(
        id=round_.id,
        job=round_.job,
        created_at=micros(round_.created_at),
        schedule=round_.schedule,
        slot=micros_if(round_.slot),
        trigger=round_.trigger.value,
        actor=round_.actor,
        state=round_.state.value,
        reason=clean_if(round_.reason),
        skipped_from=micros_if(round_.skipped_from),
        expanded=round_.expanded,
        expected=round_.expected,
        places=round_.places,
        counts=to_json(dict(round_.counts)),
        ended_at=micros_if(round_.ended_at),
    )


def round_of(record: RoundRecord) -> Round:
    """Return the round of a record."""
    return Round(
        id=record.id,
        job=record.job,
        created_at=at(record.created_at),
        schedule=record.schedule,
        slot=at_if(record.slot),
        trigger=TRIGGERS[record.trigger],
        actor=record.actor,
        state=RoundState(record.state),
        reason=record.reason,
        skipped_from=at_if(record.skipped_from),
        expanded=record.expanded,
        expected=record.expected,
        places=record.places,
        counts=_counts.decode(record.counts),
        ended_at=at_if(record.ended_at),
    )


def progress_record(progress: Progress) -> ProgressRecord:
    """Return progress as Redis keeps it."""
    return ProgressRecord(
        schedule=progress.schedule,
        tenant=progress.tenant,
        last_success=micros_if(progress.last_success),
        last_success_at=micros_if(progress.last_success_at),
        last_run_id=progress.last_run_id,
        last_state=None if progress.last_state is None else progress.last_state.value,
        last_ended_at=micros_if(progress.last_ended_at),
        failures=progress.failures,
    )


def progress_of(record: ProgressRecord) -> Progress:
    """Return the progress of a record."""
    return Progress(
        schedule=record.schedule,
        tenant=record.tenant,
        last_success=at_if(record.last_success),
        last_success_at=at_if(record.last_success_at),
        last_run_id=record.last_run_id,
        last_state=None if record.last_state is None else STATES[record.last_state],
        last_ended_at=at_if(record.last_ended_at),
        failures=record.failures,
    )


def schedule_record(schedule: Schedule) -> ScheduleRecord:
    """Return a schedule as Redis keeps it."""
    return ScheduleRecord(
        version=schedule.version,
        cursor=micros(schedule.cursor),
        body=to_json(schedule),
        is_active=schedule.state is ScheduleState.ACTIVE,
        next_at=micros_if(schedule.next_at),
        last_run_at=micros_if(schedule.last_run_at),
    )


def schedule_of(record: ScheduleRecord) -> Schedule:
    """Return the schedule of a record: firings have moved on what stands in its body."""
    return msgspec.structs.replace(
        _schedule.decode(record.body),
        cursor=at(record.cursor),
        next_at=at_if(record.next_at),
        last_run_at=at_if(record.last_run_at),
    )


def worker_beat(worker: WorkerRecord) -> WorkerBeat:
    """Return a worker as Redis keeps it."""
    body = msgspec.structs.replace(worker, queues=dict(worker.queues), stamps={})
    return WorkerBeat(body=to_json(body), last_seen=micros(worker.last_seen), stamps=kept_stamps(worker.stamps))


def worker_of(beat: WorkerBeat) -> WorkerRecord:
    """Return the worker of a record, as its last heartbeat left it."""
    stamps = {loop: at(kept) for loop, kept in _counts.decode(beat.stamps).items()}
    return msgspec.structs.replace(_worker.decode(beat.body), last_seen=at(beat.last_seen), stamps=stamps)


def kept_stamps(stamps: Mapping[str, datetime]) -> str:
    """Return when each loop last came round, as it is kept."""
    return to_json({loop: (instant - EPOCH) // MICROSECOND for loop, instant in stamps.items()})


def chunk_json(chunk: LogChunk) -> str:
    """Return what a chunk of a log holds, as JSON."""
    lines: list[tuple[Any, ...]] = [
        ((line.at - EPOCH) // MICROSECOND, line.level, line.source, line.text) for line in chunk.lines
    ]
    try:
        return to_json((chunk.token, chunk.number, chunk.left_out, lines))
    except UnicodeEncodeError:
        lines = [(since, *(clean(word) for word in words)) for since, *words in lines]
        return to_json((chunk.token, chunk.number, chunk.left_out, lines))


def chunk_of(text: str, run_id: str) -> LogChunk:
    """Return a chunk of a run's log."""
    token, number, left_out, lines = _chunk.decode(text)
    return LogChunk(
        run_id=run_id,
        token=token,
        number=number,
        lines=tuple(
            LogLine(at=EPOCH + timedelta(microseconds=since), level=level, source=source, text=text)
            for since, level, source, text in lines
        ),
        left_out=left_out,
    )
