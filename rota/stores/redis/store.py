"""The store on Redis. Each verb is one script, whole or not at all; what it does stands in `lua/`."""

import os
import weakref
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

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
from rota.stores.redis import (
    audit as audits,
)
from rota.stores.redis import (
    controls,
    errors,
    gates,
    history,
    logs,
    pruning,
    queue,
    safety,
    schedules,
    settling,
    signs,
    sweeping,
    uniques,
    workers,
)
from rota.stores.redis import (
    limits as limiting,
)
from rota.stores.redis import (
    progress as progresses,
)
from rota.stores.redis import (
    rounds as rounding,
)
from rota.stores.redis.alerts import RedisAlerts
from rota.stores.redis.freshness import RedisFreshness
from rota.stores.redis.hints import Channel
from rota.stores.redis.rollups import RedisRollups
from rota.stores.redis.safety import Permits
from rota.stores.redis.server import Server
from rota.stores.waking import Waking


class RedisStore:
    """Keeps everything in one database of a server. What a verb promises stands in `rota.ports.Store`."""

    def __init__(self, server: Server, permits: Permits, *, is_private: bool) -> None:
        self._server = server
        self._permits = permits
        self._is_private = is_private
        self._waking = Waking(Channel(server))
        self._sweep = sweeping.Sweep(server)
        self.freshness: RedisFreshness = RedisFreshness(server)
        self.alerts: RedisAlerts = RedisAlerts(server)
        self.rollups: RedisRollups = RedisRollups(server)
        _all_open.add(self)

    # --- queue ---

    def enqueue(self, runs: Sequence[Run], *, now: datetime) -> list[str]:
        return queue.enqueue(self._server, runs, now=now) if runs else []

    def enqueue_unique(
        self, wanted: Sequence[UniqueRun], *, now: datetime, new: Sequence[Round] = (), audit: AuditEntry | None = None
    ) -> list[str]:
        return uniques.enqueue(self._server, wanted, new=new, audit=audit, now=now) if wanted else []

    def promote(self, *, now: datetime, limit: int = 1000) -> int:
        return queue.promote(self._server, now=now, limit=limit)

    def expire(self, *, now: datetime, limit: int = 1000) -> list[str]:
        return queue.expire(self._server, now=now, limit=limit)

    def unblock(self, *, now: datetime) -> int:
        self._sweep.tick()
        return queue.unblock(self._server, now=now)

    def claim(self, request: ClaimRequest, *, now: datetime) -> list[Run]:
        return queue.claim(self._server, request, now=now)

    def limit_use(self, limits: Sequence[Limit], *, now: datetime, counts_aside: bool = False) -> list[LimitUse]:
        return limiting.use(self._server, limits, now=now, only_aside=not counts_aside)

    def renew(
        self,
        worker: str,
        held: Sequence[tuple[str, int]],
        *,
        lease: timedelta,
        now: datetime,
        stamps: Mapping[str, datetime],
    ) -> Renewed:
        return queue.renew(self._server, worker, held, lease=lease, now=now, stamps=stamps)

    def settle(self, settlements: Sequence[Settlement], *, now: datetime, claim: ClaimRequest | None = None) -> Settled:
        if not settlements and claim is None:
            return Settled(applied=[], claimed=[])
        return settling.settle(self._server, settlements, now=now, claim=claim)

    def release(self, worker: str, held: Sequence[tuple[str, int]], *, now: datetime) -> list[str]:
        return queue.release(self._server, worker, held, now=now) if held else []

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
        return queue.cancel(
            self._server, ids, now=now, reason=reason, held_by=held_by, behind=behind, audit=audit
        )  # fmt: skip

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
        return queue.requeue(
            self._server, ids, now=now, reason=reason, held_by=held_by, batch=batch, lines=lines, audit=audit
        )

    def note(self, notes: Sequence[Note], *, now: datetime) -> None:
        if notes:
            logs.note(self._server, notes, now=now)

    def log(self, run_id: str, *, after: tuple[int, int] | None = None, limit: int = 100) -> list[LogChunk]:
        return logs.chunks(self._server, run_id, after=after, limit=limit)

    # --- gates ---

    def hold(
        self, gate: str, *, job: str | None = None, tenant: str | None = None, now: datetime, limit: int = 1000
    ) -> int:
        return gates.hold(self._server, gate, job=job, tenant=tenant, limit=limit)

    def gates(self) -> list[str]:
        return gates.gates(self._server)

    def held(self, gate: str, *, after: tuple[datetime, str] | None = None, limit: int = 1000) -> list[Run]:
        return gates.held(self._server, gate, after=after, limit=limit)

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
        return gates.admit(self._server, gate, ids=ids, limit=limit, places=places, to=to)

    def skip_held(self, ids: Sequence[str], *, now: datetime, reason: str) -> list[str]:
        return gates.skip_held(self._server, ids, now=now, reason=reason) if ids else []

    def batch_counts(self, batch: str) -> dict[State, int]:
        return gates.batch_counts(self._server, batch)

    # --- schedules ---

    def schedules(self, query: ScheduleQuery = EVERY_SCHEDULE) -> list[Schedule]:
        return schedules.meant(self._server, query)

    def schedule(self, name: str) -> Schedule | None:
        return schedules.one(self._server, name)

    def put_schedule(
        self,
        schedule: Schedule,
        *,
        expected_version: int | None,
        expected_cursor: datetime | None = None,
        audit: AuditEntry | None = None,
    ) -> bool:
        return schedules.put(
            self._server, schedule, expected_version=expected_version, expected_cursor=expected_cursor, audit=audit
        )

    def drop_schedule(self, name: str, *, expected_version: int | None = None, audit: AuditEntry | None = None) -> bool:
        return schedules.drop(self._server, name, expected_version=expected_version, audit=audit)

    def due(self, *, now: datetime, limit: int = 1000) -> list[Schedule]:
        return schedules.due(self._server, now=now, limit=limit)

    def fire(self, firings: Sequence[Firing], *, now: datetime) -> list[str]:
        return schedules.fire(self._server, firings, now=now) if firings else []

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
        return rounding.add(self._server, rounds, runs, now=now, audit=audit) if rounds or runs else []

    def run(self, run_id: str) -> RunHistory | None:
        return history.run(self._server, run_id)

    def runs(self, query: RunQuery) -> list[Run]:
        return history.runs(self._server, query)

    def rounds(self, query: RoundQuery) -> list[Round]:
        return rounding.meant(self._server, query)

    def round_counts(self, round_ids: Sequence[str], *, tenants: Sequence[str] = ()) -> dict[str, dict[State, int]]:
        return rounding.counts(self._server, round_ids, tenants)

    def slot_states(self, schedule: str, *, since: datetime, until: datetime) -> list[SlotState]:
        return history.slot_states(self._server, schedule, since=since, until=until)

    def finished_rounds(self, *, limit: int = 100) -> list[Round]:
        return rounding.finished(self._server, limit=limit)

    def end_round(self, round_: Round) -> bool:
        return rounding.end(self._server, round_)

    def expired(self, *, now: datetime, limit: int = 100) -> list[Run]:
        return history.expired(self._server, now=now, limit=limit)

    def counts(self, *, jobs: frozenset[str] | None = None, tenants: frozenset[str] | None = None) -> Counts:
        return history.counts(self._server, jobs=jobs, tenants=tenants)

    def errors(self, query: ErrorQuery) -> list[ErrorRecord]:
        return errors.meant(self._server, query)

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
        return pruning.prune(
            self._server,
            succeeded_before=succeeded_before,
            failed_before=failed_before,
            slots_before=slots_before,
            logs_before=logs_before,
            audit_before=audit_before,
            limit=limit,
        )

    # --- workers ---

    def register(self, worker: WorkerRecord) -> None:
        workers.register(self._server, worker)

    def deregister(self, worker: str) -> None:
        workers.deregister(self._server, worker)

    def workers(self) -> list[WorkerRecord]:
        return workers.every(self._server)

    # --- freshness ---

    def progress(self, *, schedule: str | None = None, tenants: Sequence[str] | None = None) -> list[Progress]:
        return progresses.entries(self._server, schedule, tenants)

    def mark(self, progress: Progress, *, expected: Progress | None, audit: AuditEntry | None = None) -> bool:
        return progresses.mark(self._server, progress, expected=expected, audit=audit)

    def reset(self, schedule: str, *, tenants: Sequence[str] | None = None, audit: AuditEntry | None = None) -> int:
        return progresses.reset(self._server, schedule, tenants, audit=audit)

    # --- controls and audit ---

    def controls(self, kind: ControlKind | None = None) -> list[Control]:
        return controls.every(self._server, kind)

    def control(self, kind: ControlKind, name: str) -> Control | None:
        return controls.one(self._server, kind, name)

    def put_control(self, control: Control, *, expected_version: int | None, audit: AuditEntry | None = None) -> bool:
        return controls.put(self._server, control, expected_version=expected_version, audit=audit)

    def drop_control(
        self, kind: ControlKind, name: str, *, expected_version: int, audit: AuditEntry | None = None
    ) -> bool:
        return controls.drop(self._server, kind, name, expected_version=expected_version, audit=audit)

    def audit(self, query: AuditQuery) -> list[AuditEntry]:
        return audits.meant(self._server, query)

    # --- life ---

    def setup(self) -> None:
        safety.setup(self._server)

    def erase(self) -> None:
        """Delete all keys of this store. For a measurement, which made them; nothing else calls this."""
        self._server.erase()

    def check(self) -> None:
        safety.check(self._server, self._permits, is_private=self._is_private)

    def facts(self) -> Mapping[str, str]:
        return safety.facts(self._server, self._permits)

    def old_snapshots(self, *, older_than: timedelta) -> list[OldSnapshot]:
        return []

    def now(self) -> datetime:
        seconds, micros = self._server.ask("TIME")
        return from_micros(int(seconds) * 1_000_000 + int(micros))

    def signs(self, *, now: datetime) -> frozenset[Sign]:
        return signs.shown(self._server, now=now)

    def wait(self, timeout: timedelta) -> bool:
        return self._waking.wait(timeout)

    def close(self) -> None:
        self._waking.close()
        self._server.close()

    def after_fork(self) -> None:
        """Start anew in a child process. The client looks after its own connections; the one that waits is ours."""
        self._waking.after_fork()


_all_open: "weakref.WeakSet[RedisStore]" = weakref.WeakSet()


def _after_fork() -> None:
    for store in list(_all_open):
        store.after_fork()


os.register_at_fork(after_in_child=_after_fork)
