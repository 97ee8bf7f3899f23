"""The store in memory: the reference that the other stores are held against, written to be read.

It lives and dies with its process. What a verb promises stands in `rota.ports.Store`.
"""

import heapq
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec.structs import replace

from rota.clock import Clock, SystemClock
from rota.core.controls import AuditEntry, Control, ControlKind, Entries, entries_of
from rota.core.cron_jobs import CronJobRow
from rota.core.limits import Limit, LimitUse
from rota.core.model import (
    OPEN,
    ErrorRecord,
    Firing,
    LogChunk,
    Note,
    Progress,
    Round,
    Run,
    RunHistory,
    Schedule,
    Settlement,
    SlotState,
    State,
    WorkerRecord,
)
from rota.core.unique import UniqueRun
from rota.errors import RunNotFound
from rota.queries import (
    EVERY_SCHEDULE,
    NO_LINES,
    AuditQuery,
    ClaimRequest,
    Counts,
    ErrorQuery,
    InLine,
    OldSnapshot,
    Pruned,
    Renewed,
    RoundQuery,
    RunQuery,
    ScheduleQuery,
    Settled,
    Sign,
)
from rota.stores.memory_alerts import MemoryAlerts, Signals
from rota.stores.memory_claim import claim, expired, held_by
from rota.stores.memory_control import Audit, Controls
from rota.stores.memory_errors import Errors
from rota.stores.memory_freshness import MemoryFreshness
from rota.stores.memory_gate import Gates
from rota.stores.memory_history import finished_rounds, open_counts, round_counts, rounds_of, slot_states
from rota.stores.memory_idle import Idleness
from rota.stores.memory_limit import Limits
from rota.stores.memory_line import Line
from rota.stores.memory_log import Logs
from rota.stores.memory_progress import ProgressBook
from rota.stores.memory_prune import Age
from rota.stores.memory_query import is_round_meant
from rota.stores.memory_rollups import MemoryRollups
from rota.stores.memory_round import Rounds
from rota.stores.memory_run import Runs
from rota.stores.memory_schedule import Schedules
from rota.stores.memory_settle import Ledger
from rota.stores.memory_signs import signs
from rota.stores.memory_unique import Uniques

MIN_PREFIX = 6

Answer = TypeVar("Answer", bool, int, list[str])


class MemoryStore:
    """Keeps everything in dictionaries, under one lock. `clock` is the store's own time."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()
        self._came = threading.Condition(self._lock)
        self._seen = threading.local()
        self._closed = False
        self._runs = Runs()
        self._line = Line(self._runs)
        self._uniques = Uniques(self._runs, self._line)
        self._gates = Gates(self._runs, self._line)
        self._limits = Limits(self._runs)
        self._rounds = Rounds()
        self._logs = Logs()
        self._progress = ProgressBook()
        self._errors = Errors()
        self._signals = Signals()
        self._ledger = Ledger(self._runs, self._line, self._rounds, self._progress, self._errors, self._signals)
        self._schedules = Schedules()
        self._controls = Controls()
        self._audit = Audit()
        self._workers: dict[str, WorkerRecord] = {}
        self._idleness = Idleness()
        self.freshness: MemoryFreshness = MemoryFreshness(self._lock, self._progress)
        self.alerts: MemoryAlerts = MemoryAlerts(self._lock, self._signals, self._audit.add)
        self.rollups: MemoryRollups = MemoryRollups(self._lock)

    @contextmanager
    def _change(self) -> Iterator[None]:
        """Hold the lock; wake those who wait when something was queued."""
        with self._lock:
            before = self._runs.times_queued
            yield
            if self._runs.times_queued != before:
                self._came.notify_all()

    def _told(self, answer: Answer, audit: Entries) -> Answer:
        """Return the answer of a verb. Where it says that something changed, the audit is kept with it."""
        for entry in entries_of(audit) if answer else ():
            self._audit.add(entry)
        return answer

    # --- queue ---

    def enqueue(self, runs: Sequence[Run], *, now: datetime) -> list[str]:
        with self._change():
            self._idleness.warn(runs, is_worked=bool(self._workers))
            return self._line.accept(runs, now=now)

    def enqueue_unique(
        self, wanted: Sequence[UniqueRun], *, now: datetime, new: Sequence[Round] = (), audit: AuditEntry | None = None
    ) -> list[str]:
        with self._change():
            self._idleness.warn([one.run for one in wanted], is_worked=bool(self._workers))
            judgement = self._uniques.enqueue(wanted, now=now)
            self._rounds.start(new, of=[one.run for one in judgement.accepted])
            self._told(bool(judgement.accepted), audit)
            return judgement.ids

    def promote(self, *, now: datetime, limit: int = 1000) -> int:
        with self._change():
            return self._line.promote(now=now, limit=limit)

    def expire(self, *, now: datetime, limit: int = 1000) -> list[str]:
        with self._change():
            return self._line.expire(now=now, limit=limit)

    def unblock(self, *, now: datetime) -> int:
        with self._change():
            return self._line.unblock(self._line.waited_for(), now=now)

    def claim(self, request: ClaimRequest, *, now: datetime) -> list[Run]:
        with self._lock:
            return [
                replace(run, last_success=self._progress.last_success(run))
                for run in claim(self._runs, self._limits, request, now=now)
            ]

    def limit_use(self, limits: Sequence[Limit], *, now: datetime, counts_aside: bool = False) -> list[LimitUse]:
        with self._lock:
            return self._limits.use(limits, now=now, only_aside=not counts_aside)

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
            runs = held_by(self._runs, worker, held)
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
            applied = [settlement.run.id for settlement in settlements if self._ledger.apply(settlement, now=now)]
            return Settled(applied=applied, claimed=self.claim(claim, now=now) if claim else [])

    def release(self, worker: str, held: Sequence[tuple[str, int]], *, now: datetime) -> list[str]:
        with self._change():
            runs = held_by(self._runs, worker, held)
            for run in runs:
                self._runs.give_back(run, now=now)
            return [run.id for run in runs]

    def cancel(
        self,
        ids: Sequence[str],
        *,
        now: datetime,
        reason: str,
        held_by: str | None = None,
        behind: str | None = None,
        audit: AuditEntry | None = None,
    ) -> list[str]:
        with self._change():
            meant = self._gates.behind(behind, self._runs.named(ids), gate=held_by)
            stopped = self._line.stop(meant, reason=reason, now=now)
            # After the last one: a run of the same key that is cancelled too must not go on in between.
            self._line.free(stopped, now=now)
            return self._told([run.id for run in stopped], audit)

    def requeue(
        self,
        ids: Sequence[str],
        *,
        now: datetime,
        reason: str,
        held_by: str | None = None,
        batch: str | None = None,
        lines: Mapping[str, InLine] = NO_LINES,
        audit: AuditEntry | None = None,
    ) -> list[str]:
        with self._change():
            runs = [run for run in self._runs.named(ids) if run.state.is_final]
            for run in runs:
                self._rounds.reopen(run.round_id)
            self._line.open_again(runs, reason=reason, held_by=held_by, batch=batch, lines=lines, now=now)
            return self._told([run.id for run in runs], audit)

    def note(self, notes: Sequence[Note], *, now: datetime) -> None:
        with self._lock:
            for note in notes:
                if self._runs.tell(note) and (note.chunks or note.drop is not None):
                    self._logs.take(note, now=now)

    def log(self, run_id: str, *, after: tuple[int, int] | None = None, limit: int = 100) -> list[LogChunk]:
        with self._lock:
            if self._runs.get(run_id) is None:
                raise RunNotFound(run_id)
            return self._logs.of(run_id, after=after, limit=limit)

    # --- gates ---

    def hold(
        self, gate: str, *, job: str | None = None, tenant: str | None = None, now: datetime, limit: int = 1000
    ) -> int:
        with self._lock:
            return self._gates.hold(gate, job=job, tenant=tenant, limit=limit)

    def gates(self) -> list[str]:
        with self._lock:
            return self._runs.gates()

    def held(self, gate: str, *, after: tuple[datetime, str] | None = None, limit: int = 1000) -> list[Run]:
        with self._lock:
            return self._gates.held(gate, after=after, limit=limit)

    def admit(
        self,
        gate: str,
        *,
        now: datetime,
        limit: int = 1000,
        ids: Sequence[str] | None = None,
        places: int | None = None,
        to: str | None = None,
    ) -> list[str]:
        with self._change():
            return self._gates.admit(gate, ids=ids, limit=limit, places=places, to=to)

    def skip_held(self, ids: Sequence[str], *, now: datetime, reason: str) -> list[str]:
        with self._change():
            return self._line.skip_held(self._runs.named(ids), reason=reason, now=now)

    def batch_counts(self, batch: str) -> dict[State, int]:
        with self._lock:
            return self._gates.counts(batch)

    # --- schedules ---

    def schedules(self, query: ScheduleQuery = EVERY_SCHEDULE) -> list[Schedule]:
        with self._lock:
            return self._schedules.meant(query)

    def schedule(self, name: str) -> Schedule | None:
        with self._lock:
            return self._schedules.get(name)

    def put_schedule(
        self,
        schedule: Schedule,
        *,
        expected_version: int | None,
        expected_cursor: datetime | None = None,
        audit: AuditEntry | None = None,
    ) -> bool:
        with self._lock:
            written = self._schedules.put(schedule, expected_version=expected_version, expected_cursor=expected_cursor)
            return self._told(written, audit)

    def drop_schedule(self, name: str, *, expected_version: int | None = None, audit: AuditEntry | None = None) -> bool:
        with self._lock:
            return self._told(self._schedules.drop(name, expected_version=expected_version), audit)

    def due(self, *, now: datetime, limit: int = 1000) -> list[Schedule]:
        with self._lock:
            return self._schedules.due(now=now, limit=limit)

    def fire(self, firings: Sequence[Firing], *, now: datetime) -> list[str]:
        with self._change():
            return [firing.schedule for firing in firings if self._fire(firing, now)]

    def _fire(self, firing: Firing, now: datetime) -> bool:
        if not self._schedules.advance(firing, now=now):
            return False
        for round_ in firing.rounds:
            self._rounds.add(round_)
        self._line.accept(firing.runs, now=now)
        return True

    # --- rows ---

    def changed_rows(self, limit: int = 500) -> list[CronJobRow]:
        return []

    def take_row(
        self, row: CronJobRow, schedule: Schedule | None, *, expected_version: int | None, problem: str | None
    ) -> bool:
        return False

    def lost_rows(self, limit: int = 500) -> list[Schedule]:
        return []

    # --- history ---

    def add_rounds(
        self, rounds: Sequence[Round], runs: Sequence[Run], *, now: datetime, audit: Entries = None
    ) -> list[str]:
        with self._change():
            added = self._rounds.record(rounds)
            self._rounds.joined(runs, accepted=self._line.accept(runs, now=now))
            return self._told(added, audit)

    def run(self, run_id: str) -> RunHistory | None:
        with self._lock:
            run = self._runs.get(run_id)
            if run is None and len(run_id) >= MIN_PREFIX:
                alike = [other for other in self._runs if other.id.startswith(run_id)]
                run = alike[0] if len(alike) == 1 else None
            return self._runs.history(run) if run else None

    def runs(self, query: RunQuery) -> list[Run]:
        with self._lock:
            return heapq.nlargest(query.limit, self._runs.meant(query), key=lambda run: run.id)

    def rounds(self, query: RoundQuery) -> list[Round]:
        with self._lock:
            theirs = rounds_of(self._runs, query.tenants)
            meant = (one for one in self._rounds if is_round_meant(one, query, theirs=theirs))
            return heapq.nlargest(query.limit, meant, key=lambda round_: round_.id)

    def round_counts(self, round_ids: Sequence[str], *, tenants: Sequence[str] = ()) -> dict[str, dict[State, int]]:
        with self._lock:
            return round_counts(self._runs, round_ids, tenants)

    def slot_states(self, schedule: str, *, since: datetime, until: datetime) -> list[SlotState]:
        with self._lock:
            return slot_states(self._runs, schedule, since=since, until=until)

    def finished_rounds(self, *, limit: int = 100) -> list[Round]:
        with self._lock:
            return heapq.nsmallest(limit, finished_rounds(self._rounds, self._runs), key=lambda round_: round_.id)

    def end_round(self, round_: Round) -> bool:
        with self._lock:
            if any(run.round_id == round_.id for run in self._runs.standing(*OPEN)):
                return False
            return self._rounds.end(round_)

    def expired(self, *, now: datetime, limit: int = 100) -> list[Run]:
        with self._lock:
            return expired(self._runs, now=now, limit=limit)

    def counts(self, *, jobs: frozenset[str] | None = None, tenants: frozenset[str] | None = None) -> Counts:
        with self._lock:
            return open_counts(self._runs, jobs=jobs, tenants=tenants)

    def errors(self, query: ErrorQuery) -> list[ErrorRecord]:
        with self._lock:
            return self._errors.meant(query)

    def prune(
        self,
        *,
        succeeded_before: datetime,
        failed_before: datetime,
        slots_before: datetime,
        logs_before: datetime,
        audit_before: datetime | None = None,
        limit: int,
    ) -> Pruned:
        with self._lock:
            age = Age(succeeded_before=succeeded_before, failed_before=failed_before, slots_before=slots_before)
            old = age.forget(self._runs, self._rounds, limit=limit)
            self._logs.delete(run.id for run in old)
            self._uniques.prune(succeeded_before)
            self._errors.prune(failed_before, limit=limit)
            self._signals.forget(failed_before)
            if audit_before is not None:
                self._audit.prune(audit_before, limit=limit)
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

    def mark(self, progress: Progress, *, expected: Progress | None, audit: AuditEntry | None = None) -> bool:
        with self._lock:
            return self._told(self._progress.mark(progress, expected=expected), audit)

    def reset(self, schedule: str, *, tenants: Sequence[str] | None = None, audit: AuditEntry | None = None) -> int:
        with self._lock:
            return self._told(self._progress.reset(schedule, tenants), audit)

    # --- controls and audit ---

    def controls(self, kind: ControlKind | None = None) -> list[Control]:
        with self._lock:
            return self._controls.of(kind)

    def control(self, kind: ControlKind, name: str) -> Control | None:
        with self._lock:
            return self._controls.get(kind, name)

    def put_control(self, control: Control, *, expected_version: int | None, audit: AuditEntry | None = None) -> bool:
        with self._lock:
            return self._told(self._controls.put(control, expected_version=expected_version), audit)

    def drop_control(
        self, kind: ControlKind, name: str, *, expected_version: int, audit: AuditEntry | None = None
    ) -> bool:
        with self._lock:
            return self._told(self._controls.drop(kind, name, expected_version=expected_version), audit)

    def audit(self, query: AuditQuery) -> list[AuditEntry]:
        with self._lock:
            return self._audit.meant(query)

    # --- life ---

    def setup(self) -> None:
        """Nothing to create."""

    def check(self) -> None:
        """Nothing to refuse: whoever chose memory chose to lose it with the process."""

    def facts(self) -> Mapping[str, str]:
        return {"engine": "memory", "durability": "none: everything ends with this process"}

    def old_snapshots(self, *, older_than: timedelta) -> list[OldSnapshot]:
        return []

    def now(self) -> datetime:
        return self._clock.now()

    def signs(self, *, now: datetime) -> frozenset[Sign]:
        with self._lock:
            return frozenset(signs(self, self._runs, now=now))

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
