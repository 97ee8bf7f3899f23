"""The store in memory: the reference that the other stores are held against, written to be read.

It lives and dies with its process. What a verb promises stands in `rota.ports.Store`.
"""

import heapq
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.clock import Clock, SystemClock, to_micros
from rota.core.model import (
    OPEN,
    Firing,
    LogChunk,
    Note,
    Outcome,
    Progress,
    Round,
    Run,
    RunHistory,
    RunKind,
    Schedule,
    ScheduleState,
    Settlement,
    SlotState,
    State,
    WorkerRecord,
)
from rota.errors import RunNotFound
from rota.ports import ClaimRequest, Counts, Pruned, Renewed, RoundQuery, RunQuery, Settled
from rota.stores.memory_log import Logs
from rota.stores.memory_progress import ProgressBook
from rota.stores.memory_prune import Age
from rota.stores.memory_query import is_round_meant, is_run_meant, within
from rota.stores.memory_round import Rounds
from rota.stores.memory_run import Runs, attempt_of, in_line, in_queue, without_attempt

SKEW = timedelta(seconds=1)
"""How far two clocks may differ before a live lease looks expired."""
MIN_PREFIX = 6


class MemoryStore:
    """Keeps everything in dictionaries, under one lock. `clock` is the store's own time."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()
        self._came = threading.Condition(self._lock)
        self._seen = threading.local()
        self._closed = False
        self._runs = Runs()
        self._rounds = Rounds()
        self._logs = Logs()
        self._progress = ProgressBook()
        self._schedules: dict[str, Schedule] = {}
        self._workers: dict[str, WorkerRecord] = {}

    @contextmanager
    def _change(self) -> Iterator[None]:
        """Hold the lock; wake those who wait when something was queued."""
        with self._lock:
            before = self._runs.times_queued
            yield
            if self._runs.times_queued != before:
                self._came.notify_all()

    # --- queue ---

    def enqueue(self, runs: Sequence[Run], *, now: datetime) -> list[str]:
        with self._change():
            return self._runs.accept(runs, now=now)

    def promote(self, *, now: datetime, limit: int = 1000) -> int:
        with self._change():
            scheduled = self._runs.standing(State.SCHEDULED)
            due = [run for run in scheduled if run.due_at <= now and run.waits_for is None]
            first = heapq.nsmallest(limit, due, key=in_line)
            self._runs.go_on(first, now=now)
            return len(first)

    def unblock(self, *, now: datetime) -> int:
        with self._change():
            return self._runs.unblock(self._runs.waited_for(), now=now)

    def claim(self, request: ClaimRequest, *, now: datetime) -> list[Run]:
        with self._lock:
            queued = [run for run in self._runs.standing(State.QUEUED) if run.job not in request.except_jobs]
            chosen: list[Run] = []
            for queue, places in request.queues.items():
                free = min(places, request.limit - len(chosen))
                chosen += heapq.nsmallest(free, (run for run in queued if run.queue == queue), key=in_queue)
            return [self._claimed(run, request, now) for run in chosen]

    def _claimed(self, run: Run, request: ClaimRequest, now: datetime) -> Run:
        claimed = replace(
            run,
            state=State.RUNNING,
            attempt=run.attempt + 1,
            # The clock part keeps tokens rising when a failover takes the store back in time, the other part
            # when the clock goes back.
            token=max(run.token + 1, to_micros(now)),
            owner=request.worker,
            lease_until=now + request.lease,
            claimed_at=now,
        )
        self._runs.write(claimed)
        return replace(claimed, last_success=self._progress.last_success(run))

    def _held(self, worker: str, held: Sequence[tuple[str, int]]) -> list[Run]:
        """Return the runs that are running under these tokens in the hands of this worker."""
        wanted = set(held)
        return [
            run
            for run in self._runs.named(run_id for run_id, _ in held)
            if run.state is State.RUNNING and run.owner == worker and (run.id, run.token) in wanted
        ]

    def renew(
        self,
        worker: str,
        held: Sequence[tuple[str, int]],
        *,
        lease: timedelta,
        now: datetime,
        stamps: Mapping[str, datetime],
    ) -> Renewed:
        with self._lock:
            runs = self._held(worker, held)
            for run in runs:
                self._runs.write(replace(run, lease_until=now + lease))
            if worker in self._workers:
                self._workers[worker] = replace(self._workers[worker], last_seen=now, stamps=dict(stamps))
            return Renewed(
                held=frozenset(run.id for run in runs),
                stop=frozenset(run.id for run in runs if run.cancel_requested),
                now=self.now(),
            )

    def settle(self, settlements: Sequence[Settlement], *, now: datetime, claim: ClaimRequest | None = None) -> Settled:
        with self._change():
            applied = [settlement.run.id for settlement in settlements if self._settle(settlement, now)]
            return Settled(applied=applied, claimed=self.claim(claim, now=now) if claim else [])

    def _settle(self, settlement: Settlement, now: datetime) -> bool:
        """Apply one settlement, and say whether it is applied now."""
        run, token = self._runs.get(settlement.run.id), settlement.run.token
        if run is None:
            return False
        lease_moved = settlement.lease_until not in (None, run.lease_until)
        if run.state is not State.RUNNING or run.token != token or lease_moved:
            return self._was_settled(run, settlement)
        ended = replace(
            run,
            state=settlement.state,
            due_at=run.due_at if settlement.state.is_final else settlement.due_at,
            attempt=settlement.attempt,
            lost_count=settlement.lost_count,
            started_at=settlement.started_at,
            ended_at=settlement.ended_at,
            outcome=settlement.outcome,
            error=settlement.error,
            result=settlement.result,
            reason=settlement.reason or run.reason,
            lease_until=None,
        )
        if ended.state.is_final:
            self._runs.write(ended)
            self._progress.move(ended)
            self._free(ended, now)
        else:
            self._runs.append(attempt_of(ended))
            self._runs.write(without_attempt(ended))
        if settlement.expanded is not None:
            self._rounds.expand(run.round_id, settlement.expanded)
        return True

    def _was_settled(self, run: Run, settlement: Settlement) -> bool:
        """Whether an earlier try of the same call has applied this settlement. If not, it comes too late."""
        recorded = self._runs.attempt(run, settlement.run.token)
        if recorded is None:
            return False
        if (recorded.outcome, recorded.ended_at) == (settlement.outcome, settlement.ended_at):
            return True
        if recorded.outcome is Outcome.LOST and settlement.outcome is not Outcome.LOST:
            self._runs.supersede(run, settlement.run.token)
        return False

    def _free(self, run: Run, now: datetime) -> None:
        """Let the next run of a concurrency key go on."""
        if run.concurrency_key is not None:
            self._runs.unblock([run.concurrency_key], now=now)

    def release(self, worker: str, held: Sequence[tuple[str, int]], *, now: datetime) -> list[str]:
        with self._change():
            runs = self._held(worker, held)
            for run in runs:
                if run.started_at is not None:
                    self._runs.append(attempt_of(replace(run, outcome=Outcome.INTERRUPTED, ended_at=now)))
                self._runs.write(replace(without_attempt(run), state=State.QUEUED, attempt=run.attempt - 1))
            return [run.id for run in runs]

    def cancel(self, ids: Sequence[str], *, now: datetime, reason: str) -> list[str]:
        with self._change():
            runs = [run for run in self._runs.named(ids) if run.state in OPEN]
            for run in runs:
                if run.state is State.RUNNING:
                    self._runs.write(replace(run, cancel_requested=True, reason=reason))
                else:
                    cancelled = replace(run, state=State.CANCELLED, waits_for=None, reason=reason, ended_at=now)
                    self._runs.write(cancelled)
            # After the last one: a run of the same key that is cancelled too must not go on in between.
            for run in runs:
                self._free(run, now)
            return [run.id for run in runs]

    def requeue(self, ids: Sequence[str], *, now: datetime, reason: str) -> list[str]:
        with self._change():
            runs = [run for run in self._runs.named(ids) if run.state.is_final]
            opened = [self._opened(run, now, reason) for run in runs]
            self._runs.go_on([run for run in opened if run.concurrency_key is None], now=now)
            self._runs.unblock([run.concurrency_key for run in opened if run.concurrency_key is not None], now=now)
            return [run.id for run in runs]

    def _opened(self, run: Run, now: datetime, reason: str) -> Run:
        if run.outcome is not None:
            self._runs.append(attempt_of(run))
        self._rounds.reopen(run.round_id)
        opened = replace(
            without_attempt(run),
            state=State.SCHEDULED,
            waits_for=run.concurrency_key,
            due_at=run.slot or now,
            attempt=0,
            lost_count=0,
            cancel_requested=False,
            reason=reason,
        )
        self._runs.write(opened)
        return opened

    def note(self, notes: Sequence[Note], *, now: datetime) -> None:
        with self._lock:
            for note in notes:
                run = self._runs.get(note.run_id)
                if run is None:
                    continue
                if note.done is not None and run.state is State.RUNNING and run.token == note.token:
                    self._runs.write(replace(run, done=note.done, total=note.total))
                if note.chunks or note.drop is not None:
                    self._logs.take(note, now=now)

    def log(self, run_id: str, *, after: tuple[int, int] | None = None, limit: int = 100) -> list[LogChunk]:
        with self._lock:
            if self._runs.get(run_id) is None:
                raise RunNotFound(run_id)
            return self._logs.of(run_id, after=after, limit=limit)

    # --- schedules ---

    def schedules(self) -> list[Schedule]:
        with self._lock:
            return [self._schedules[name] for name in sorted(self._schedules)]

    def schedule(self, name: str) -> Schedule | None:
        with self._lock:
            return self._schedules.get(name)

    def put_schedule(self, schedule: Schedule, *, expected_version: int | None) -> bool:
        with self._lock:
            stored = self._schedules.get(schedule.name)
            if (stored.version if stored else None) != expected_version:
                return False
            self._schedules[schedule.name] = schedule
            return True

    def drop_schedule(self, name: str) -> bool:
        with self._lock:
            return self._schedules.pop(name, None) is not None

    def due(self, *, now: datetime, limit: int = 1000) -> list[Schedule]:
        with self._lock:
            due = [
                (schedule.next_at, schedule.name)
                for schedule in self._schedules.values()
                if schedule.state is ScheduleState.ACTIVE and schedule.next_at is not None and schedule.next_at <= now
            ]
            return [self._schedules[name] for _, name in heapq.nsmallest(limit, due)]

    def fire(self, firings: Sequence[Firing], *, now: datetime) -> list[str]:
        with self._change():
            return [firing.schedule for firing in firings if self._fire(firing, now)]

    def _fire(self, firing: Firing, now: datetime) -> bool:
        schedule = self._schedules.get(firing.schedule)
        if schedule is None or (schedule.version, schedule.cursor) != (firing.version, firing.after):
            return False
        self._schedules[schedule.name] = replace(
            schedule, cursor=firing.cursor, next_at=firing.next_at, last_run_at=now
        )
        for round_ in firing.rounds:
            self._rounds.add(round_)
        self._runs.accept(firing.runs, now=now)
        return True

    # --- history ---

    def add_rounds(self, rounds: Sequence[Round], runs: Sequence[Run], *, now: datetime) -> list[str]:
        with self._change():
            added = [round_.id for round_ in rounds if self._rounds.add(round_)]
            for round_ in rounds:
                if round_.expanded and round_.id not in added:
                    self._rounds.expand(round_.id, round_.expected)
            accepted = set(self._runs.accept(runs, now=now))
            for run in runs:
                if run.id in accepted:
                    self._rounds.reopen(run.round_id)
            return added

    def run(self, run_id: str) -> RunHistory | None:
        with self._lock:
            run = self._runs.get(run_id)
            if run is None and len(run_id) >= MIN_PREFIX:
                alike = [other for other in self._runs if other.id.startswith(run_id)]
                run = alike[0] if len(alike) == 1 else None
            return self._runs.history(run) if run else None

    def runs(self, query: RunQuery) -> list[Run]:
        with self._lock:
            meant = (run for run in self._runs if is_run_meant(run, query))
            return heapq.nlargest(query.limit, meant, key=lambda run: run.id)

    def rounds(self, query: RoundQuery) -> list[Round]:
        with self._lock:
            meant = (round_ for round_ in self._rounds if is_round_meant(round_, query))
            return heapq.nlargest(query.limit, meant, key=lambda round_: round_.id)

    def round_counts(self, round_ids: Sequence[str]) -> dict[str, dict[State, int]]:
        with self._lock:
            answer: dict[str, dict[State, int]] = {}
            wanted = frozenset(round_ids)
            for run in self._runs:
                if run.round_id in wanted and run.kind is RunKind.JOB:
                    counts = answer.setdefault(run.round_id, {})
                    counts[run.state] = counts.get(run.state, 0) + 1
            return answer

    def slot_states(self, schedule: str, *, since: datetime, until: datetime) -> list[SlotState]:
        with self._lock:
            newest: dict[tuple[datetime, str], SlotState] = {}
            for run in sorted(self._runs, key=lambda run: run.id):
                if run.schedule != schedule or run.kind is not RunKind.JOB or run.slot is None:
                    continue
                if within(run.slot, since, until):
                    newest[run.slot, run.tenant or ""] = SlotState(run.slot, run.tenant, run.state, run.id)
            return [newest[key] for key in sorted(newest)]

    def finished_rounds(self, *, limit: int = 100) -> list[Round]:
        with self._lock:
            busy = {run.round_id for run in self._runs.standing(*OPEN)}
            known = {run.round_id for run in self._runs}
            finished = (
                round_
                for round_ in self._rounds
                if round_.ended_at is None and round_.id not in busy and (round_.expanded or round_.id in known)
            )
            return heapq.nsmallest(limit, finished, key=lambda round_: round_.id)

    def end_round(self, round_: Round) -> bool:
        with self._lock:
            if any(run.round_id == round_.id for run in self._runs.standing(*OPEN)):
                return False
            return self._rounds.end(round_)

    def expired(self, *, now: datetime, limit: int = 100) -> list[Run]:
        with self._lock:
            expired = [
                (run.lease_until, run.id)
                for run in self._runs.standing(State.RUNNING)
                if run.lease_until is not None and run.lease_until < now - SKEW
            ]
            return self._runs.named(run_id for _, run_id in heapq.nsmallest(limit, expired))

    def counts(self) -> Counts:
        with self._lock:
            by_queue: dict[str, Counter[State]] = {}
            for run in self._runs.standing(*OPEN):
                by_queue.setdefault(run.queue, Counter())[run.state] += 1
            return Counts(
                by_queue={queue: dict(counter) for queue, counter in by_queue.items()},
                waiting=sum(run.waits_for is not None for run in self._runs.standing(State.SCHEDULED)),
                oldest_queued_at=min((run.due_at for run in self._runs.standing(State.QUEUED)), default=None),
            )

    def prune(
        self,
        *,
        succeeded_before: datetime,
        failed_before: datetime,
        slots_before: datetime,
        logs_before: datetime,
        limit: int,
    ) -> Pruned:
        with self._lock:
            age = Age(succeeded_before=succeeded_before, failed_before=failed_before, slots_before=slots_before)
            old = age.old_runs(self._runs)[:limit]
            for run in old:
                self._runs.delete(run.id)
            for round_ in age.empty_rounds(self._rounds, self._runs):
                self._rounds.delete(round_)
            self._logs.delete(run.id for run in old)
            return Pruned(runs=len(old), chunks=self._logs.prune(logs_before, limit=limit))

    # --- workers ---

    def register(self, worker: WorkerRecord) -> None:
        with self._lock:
            self._workers[worker.id] = worker

    def deregister(self, worker: str) -> None:
        with self._lock:
            self._workers.pop(worker, None)

    def workers(self) -> list[WorkerRecord]:
        with self._lock:
            return sorted(self._workers.values(), key=lambda worker: (worker.started_at, worker.id))

    # --- freshness ---

    def progress(self, *, schedule: str | None = None, tenants: Sequence[str] | None = None) -> list[Progress]:
        with self._lock:
            return self._progress.entries(schedule, tenants)

    def mark(self, progress: Progress, *, expected: Progress | None) -> bool:
        with self._lock:
            return self._progress.mark(progress, expected=expected)

    def reset(self, schedule: str, *, tenants: Sequence[str] | None = None) -> int:
        with self._lock:
            return self._progress.reset(schedule, tenants)

    # --- life ---

    def setup(self) -> None:
        """Nothing to create."""

    def check(self) -> None:
        """Nothing to refuse: whoever chose memory chose to lose it with the process."""

    def facts(self) -> Mapping[str, str]:
        return {"engine": "memory", "durability": "none: everything ends with this process"}

    def now(self) -> datetime:
        return self._clock.now()

    def wait(self, timeout: timedelta) -> bool:
        """Return at once for what came since this thread last waited: nothing slips through between two calls."""
        with self._came:
            seen = getattr(self._seen, "times", 0)
            came = self._came.wait_for(lambda: self._closed or self._runs.times_queued != seen, timeout.total_seconds())
            self._seen.times = self._runs.times_queued
            return came

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._came.notify_all()
