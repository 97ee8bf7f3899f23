"""The store on SQL. Each verb is one short transaction; what it does stands in the module of its subject."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

from rota.clock import from_micros
from rota.core.controls import AuditEntry, Control, ControlKind, Entries
from rota.core.cron_jobs import CronJobRow
from rota.core.limits import Limit, LimitUse
from rota.core.model import (
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
from rota.errors import StoreUnavailable
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
from rota.stores.doubt import IS_NOT_WRITTEN
from rota.stores.plain import plain
from rota.stores.sql import (
    alerts,
    borrowing,
    controls,
    cron_jobs,
    errors,
    expiry,
    gates,
    history,
    keys,
    limits,
    logs,
    operating,
    progress,
    pruning,
    queue,
    rounds,
    schedules,
    schema,
    settling,
    signs,
    single,
    succeeding,
    uniques,
    workers,
)
from rota.stores.sql.alerts import SqlAlerts
from rota.stores.sql.audit import meant, prune, told
from rota.stores.sql.database import Database, Link
from rota.stores.sql.dialects import KeyTaken
from rota.stores.sql.freshness import SqlFreshness
from rota.stores.sql.rollups import SqlRollups
from rota.stores.waking import Waking

T = TypeVar("T")

RACES = 10
"""How often a verb is repeated because somebody else took a key first; each time there is one less to take."""


class SqlStore:
    """Keeps everything in the tables of one database. What a verb promises stands in `rota.ports.Store`."""

    def __init__(self, database: Database, waking: Waking) -> None:
        self._database = database
        self._waking = waking
        self.freshness: SqlFreshness = SqlFreshness(database)
        self.alerts: SqlAlerts = SqlAlerts(database)
        self.rollups: SqlRollups = SqlRollups(database)

    def _write(self, work: Callable[[Link], T], entry: AuditEntry | None = None) -> T:
        """Do `work` in one transaction, again after losing a race for a key; an audit entry is written with it."""
        return self._raced(lambda _: told(work, entry))

    def _raced(
        self, work: Callable[[bool], Callable[[Link], T]], how: Callable[[Callable[[Link], T]], T] | None = None
    ) -> T:
        """Do what `work` returns, in one transaction or as told; it hears whether a key was found taken before."""
        careful = False
        for _ in range(RACES):
            try:
                return (how or self._database.write)(work(careful))
            except KeyTaken as taken:
                if taken.is_running_key:
                    self._database.write(keys.put_aside)
                careful = True
                last = taken
        raise StoreUnavailable(f"store {self._database.shown}: {last}; {IS_NOT_WRITTEN}")

    # --- queue ---

    def enqueue(self, runs: Sequence[Run], *, now: datetime) -> list[str]:
        if not runs:
            return []
        if len(runs) == 1 and self._enqueue_one(runs[0], now):
            self._waking.ring()
            return [runs[0].id]
        ids = self._raced(lambda careful: lambda link: queue.enqueue(link, runs, now=now, careful=careful))
        if ids:
            self._waking.ring()
        return ids

    def _enqueue_one(self, run: Run, now: datetime) -> bool:
        try:
            return self._database.one(lambda link: single.enqueue(link, run, now=now))
        except KeyTaken:
            # By an earlier call, it may be: the long way looks for that.
            return False

    def is_home_of(self, driver: object) -> bool:
        return borrowing.is_home(self._database, driver)

    def enqueue_within(self, driver: object, runs: Sequence[Run], *, now: datetime) -> None:
        borrowing.enqueue(self._database, driver, runs, now=now)

    def rouse(self) -> None:
        self._waking.ring()

    def enqueue_unique(
        self, wanted: Sequence[UniqueRun], *, now: datetime, new: Sequence[Round] = (), audit: AuditEntry | None = None
    ) -> list[str]:
        if not wanted:
            return []
        ids = self._raced(
            lambda careful: lambda link: uniques.enqueue(link, wanted, new=new, audit=audit, now=now, careful=careful)
        )
        if not {one.run.id for one in wanted}.isdisjoint(ids):
            self._waking.ring()
        return ids

    def promote(self, *, now: datetime, limit: int = 1000) -> int:
        if not self._database.read(lambda link: queue.is_any_due(link, now=now)):
            return 0
        return self._write(lambda link: queue.promote(link, now=now, limit=limit))

    def expire(self, *, now: datetime, limit: int = 1000) -> list[str]:
        over = self._database.read(lambda link: expiry.over(link, now=now, limit=limit))
        return self._write(lambda link: operating.expire(link, over, now=now)) if over else []

    def unblock(self, *, now: datetime) -> int:
        if not self._database.read(lambda link: keys.first_waiting(link, None)):
            return 0
        return self._write(lambda link: queue.unblock(link, None, now=now))

    def claim(self, request: ClaimRequest, *, now: datetime) -> list[Run]:
        at_once = self._database.dialect.name == "postgres" and queue.is_one_statement(request, self._database.fronts)
        how = self._database.once if at_once else self._database.write
        return self._raced(lambda _: lambda link: queue.claim(link, request, now=now, at_once=at_once), how)()

    def limit_use(self, limits_: Sequence[Limit], *, now: datetime, counts_aside: bool = False) -> list[LimitUse]:
        return self._database.read(lambda link: limits.use(link, limits_, now=now, counts_aside=counts_aside))

    def renew(
        self,
        worker: str,
        held: Sequence[tuple[str, int]],
        *,
        lease: timedelta,
        now: datetime,
        stamps: Mapping[str, datetime],
    ) -> Renewed:
        def work(link: Link) -> Renewed:
            kept, stop, micros = workers.renew(link, worker, held, until=now + lease)
            workers.seen(link, worker, now=now, stamps=stamps)
            return Renewed(held=kept, stop=stop, now=_now(link) if micros is None else from_micros(micros))

        return self._database.pulse(work)

    def settle(self, settlements: Sequence[Settlement], *, now: datetime, claim: ClaimRequest | None = None) -> Settled:
        def then(link: Link, applied: list[str]) -> tuple[list[str], queue.Claimed]:
            return applied, queue.claim(link, claim, now=now) if claim else list

        def settled() -> tuple[list[str], queue.Claimed]:
            alike = plain(settlements)
            if alike is not None:
                with suppress(succeeding.NotHeld):
                    return self._write(lambda link: then(link, succeeding.succeed(link, alike)))
            return self._write(
                lambda link: then(link, settling.settle(link, settlements, now=now) if settlements else [])
            )

        applied, claimed = settled()
        return Settled(applied=applied, claimed=claimed())

    def release(self, worker: str, held: Sequence[tuple[str, int]], *, now: datetime) -> list[str]:
        released = self._write(lambda link: queue.release(link, worker, held, now=now)) if held else []
        if released:
            self._waking.ring()
        return released

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
        if not ids:
            return []
        return self._write(
            lambda link: operating.cancel(link, ids, now=now, reason=reason, held_by=held_by, behind=behind), audit
        )

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
        if not ids:
            return []
        opened = self._write(
            lambda link: operating.requeue(
                link, ids, now=now, reason=reason, held_by=held_by, batch=batch, lines=lines
            ),
            audit,
        )
        if opened:
            self._waking.ring()
        return opened

    def note(self, notes: Sequence[Note], *, now: datetime) -> None:
        if notes:
            self._write(lambda link: logs.note(link, notes, now=now))

    def log(self, run_id: str, *, after: tuple[int, int] | None = None, limit: int = 100) -> list[LogChunk]:
        return self._database.read(lambda link: logs.chunks(link, run_id, after=after, limit=limit))

    # --- gates ---

    def hold(
        self, gate: str, *, job: str | None = None, tenant: str | None = None, now: datetime, limit: int = 1000
    ) -> int:
        # Asked each second, and mostly in vain: no transaction then.
        found = self._database.read(lambda link: gates.queued(link, job=job, tenant=tenant, limit=limit))
        return self._write(lambda link: gates.hold(link, gate, found)) if found else 0

    def gates(self) -> list[str]:
        return self._database.read(gates.gates)

    def held(self, gate: str, *, after: tuple[datetime, str] | None = None, limit: int = 1000) -> list[Run]:
        return self._database.read(lambda link: gates.held(link, gate, after=after, limit=limit))

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
        admitted = self._write(lambda link: gates.admit(link, gate, ids=ids, limit=limit, places=places, to=to))
        if admitted and to is None:
            self._waking.ring()
        return admitted

    def skip_held(self, ids: Sequence[str], *, now: datetime, reason: str) -> list[str]:
        return self._write(lambda link: operating.skip_held(link, ids, now=now, reason=reason)) if ids else []

    def batch_counts(self, batch: str) -> dict[State, int]:
        return self._database.read(lambda link: gates.batch_counts(link, batch))

    # --- schedules ---

    def schedules(self, query: ScheduleQuery = EVERY_SCHEDULE) -> list[Schedule]:
        return self._database.read(lambda link: schedules.meant(link, query))

    def schedule(self, name: str) -> Schedule | None:
        return self._database.read(lambda link: schedules.one(link, name))

    def put_schedule(
        self,
        schedule: Schedule,
        *,
        expected_version: int | None,
        expected_cursor: datetime | None = None,
        audit: AuditEntry | None = None,
    ) -> bool:
        return self._write(lambda link: cron_jobs.put(link, schedule, expected_version, expected_cursor), audit)

    def drop_schedule(self, name: str, *, expected_version: int | None = None, audit: AuditEntry | None = None) -> bool:
        return self._write(lambda link: cron_jobs.drop(link, name, expected_version), audit)

    def due(self, *, now: datetime, limit: int = 1000) -> list[Schedule]:
        return self._database.read(lambda link: schedules.due(link, now=now, limit=limit))

    def fire(self, firings: Sequence[Firing], *, now: datetime) -> list[str]:
        if not firings:
            return []
        fired = self._raced(lambda careful: lambda link: schedules.fire(link, firings, now=now, careful=careful))
        if fired:
            self._waking.ring()
        return fired

    # --- rows ---

    def changed_rows(self, limit: int = 500) -> list[CronJobRow]:
        return self._database.read(lambda link: cron_jobs.changed(link, limit))

    def take_row(
        self, row: CronJobRow, schedule: Schedule | None, *, expected_version: int | None, problem: str | None
    ) -> bool:
        return self._write(
            lambda link: cron_jobs.take(link, row, schedule, expected_version=expected_version, problem=problem)
        )

    def lost_rows(self, limit: int = 500) -> list[Schedule]:
        return self._database.read(lambda link: cron_jobs.lost(link, limit))

    # --- history ---

    def add_rounds(
        self, new: Sequence[Round], runs: Sequence[Run], *, now: datetime, audit: Entries = None
    ) -> list[str]:
        added = self._raced(
            lambda careful: told(lambda link: rounds.start(link, new, runs, now=now, careful=careful), audit)
        )
        if runs:
            self._waking.ring()
        return added

    def run(self, run_id: str) -> RunHistory | None:
        return self._database.read(lambda link: history.run(link, run_id))

    def runs(self, query: RunQuery) -> list[Run]:
        return self._database.read(lambda link: history.runs(link, query))

    def rounds(self, query: RoundQuery) -> list[Round]:
        return self._database.read(lambda link: rounds.meant(link, query))

    def round_counts(self, round_ids: Sequence[str], *, tenants: Sequence[str] = ()) -> dict[str, dict[State, int]]:
        return self._database.read(lambda link: rounds.counts(link, round_ids, tenants))

    def slot_states(self, schedule: str, *, since: datetime, until: datetime) -> list[SlotState]:
        return self._database.read(lambda link: history.slot_states(link, schedule, since=since, until=until))

    def finished_rounds(self, *, limit: int = 100) -> list[Round]:
        return self._database.read(lambda link: rounds.finished(link, limit))

    def end_round(self, round_: Round) -> bool:
        return self._write(lambda link: rounds.end(link, round_))

    def expired(self, *, now: datetime, limit: int = 100) -> list[Run]:
        return self._database.read(lambda link: history.expired(link, now=now, limit=limit))

    def counts(self, *, jobs: frozenset[str] | None = None, tenants: frozenset[str] | None = None) -> Counts:
        return self._database.read(lambda link: history.counts(link, jobs=jobs, tenants=tenants))

    def errors(self, query: ErrorQuery) -> list[ErrorRecord]:
        return self._database.read(lambda link: errors.meant(link, query))

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
        ages = {"succeeded_before": succeeded_before, "failed_before": failed_before, "slots_before": slots_before}
        # The search reads far and so is no part of the transaction; what it found is checked again there.
        old = self._database.read(lambda link: pruning.old_runs(link, **ages, limit=limit))
        dropped = self._write(lambda link: pruning.drop_runs(link, old)) if old else 0
        self._write(lambda link: pruning.drop_rounds(link, **ages))
        names = self._database.read(lambda link: uniques.forgotten(link, before=succeeded_before, limit=limit))
        if names:
            self._write(lambda link: uniques.forget(link, names))
        forgotten = self._write(lambda link: logs.drop_old(link, logs_before, limit=limit))
        self._write(lambda link: limits.forget(link, logs_before))
        self._write(lambda link: errors.prune(link, failed_before, limit=limit))
        self._write(lambda link: alerts.forget(link, failed_before))
        if audit_before is not None:
            self._write(lambda link: prune(link, audit_before, limit=limit))
        return Pruned(runs=dropped, chunks=forgotten)

    # --- workers ---

    def register(self, worker: WorkerRecord) -> None:
        self._write(lambda link: workers.register(link, worker))
        # Before it claims anything: the first renewal of a lease must not have to open its connection on a slow line.
        self._database.pulse(lambda link: workers.seen(link, worker.id, now=worker.last_seen, stamps=worker.stamps))

    def deregister(self, worker: str) -> None:
        self._write(lambda link: workers.deregister(link, worker))

    def workers(self) -> list[WorkerRecord]:
        return self._database.read(workers.every)

    # --- freshness ---

    def progress(self, *, schedule: str | None = None, tenants: Sequence[str] | None = None) -> list[Progress]:
        return self._database.read(lambda link: progress.entries(link, schedule, tenants))

    def mark(self, progress_: Progress, *, expected: Progress | None, audit: AuditEntry | None = None) -> bool:
        return self._write(lambda link: progress.mark(link, progress_, expected), audit)

    def reset(self, schedule: str, *, tenants: Sequence[str] | None = None, audit: AuditEntry | None = None) -> int:
        return self._write(lambda link: progress.reset(link, schedule, tenants), audit)

    # --- controls and audit ---

    def controls(self, kind: ControlKind | None = None) -> list[Control]:
        return self._database.read(lambda link: controls.every(link, kind))

    def control(self, kind: ControlKind, name: str) -> Control | None:
        return self._database.read(lambda link: controls.one(link, kind, name))

    def put_control(self, control: Control, *, expected_version: int | None, audit: AuditEntry | None = None) -> bool:
        return self._write(lambda link: controls.put(link, control, expected_version), audit)

    def drop_control(
        self, kind: ControlKind, name: str, *, expected_version: int, audit: AuditEntry | None = None
    ) -> bool:
        return self._write(lambda link: controls.drop(link, kind, name, expected_version), audit)

    def audit(self, query: AuditQuery) -> list[AuditEntry]:
        return self._database.read(lambda link: meant(link, query))

    # --- life ---

    def setup(self) -> None:
        schema.upgrade(self._database)

    def upgrade_sql(self, *, start: int = 0) -> str:
        """Return the statements that take schema `start` (0: none) to this code's, for someone else to execute."""
        return schema.upgrade_sql(self._database, start=start)

    def erase(self) -> None:
        """Delete the tables and all that is in them. For a measurement, which made them; nothing else calls this."""
        schema.erase(self._database)

    def check(self) -> None:
        schema.check(self._database)

    def facts(self) -> Mapping[str, str]:
        number = schema.stored(self._database)
        engine = {"engine": self._database.dialect.name, "store": self._database.shown}
        found = self._database.read(lambda link: link.dialect.facts(link.driver))
        return {**engine, **found, "schema": "missing" if number is None else str(number)}

    def old_snapshots(self, *, older_than: timedelta) -> list[OldSnapshot]:
        return self._database.read(lambda link: link.dialect.old_snapshots(link.driver, older_than=older_than))

    def now(self) -> datetime:
        return self._database.read(_now)

    def signs(self, *, now: datetime) -> frozenset[Sign]:
        return self._database.read(lambda link: signs.shown(link, now=now))

    def wait(self, timeout: timedelta) -> bool:
        return self._waking.wait(timeout)

    def close(self) -> None:
        self._waking.close()
        self._database.close()


def _now(link: Link) -> datetime:
    [micros] = link.one("SELECT {now}")
    return from_micros(int(micros))
