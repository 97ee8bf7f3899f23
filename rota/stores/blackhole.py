"""The store that accepts everything and keeps nothing (R33)."""

# It reads none of its arguments; their names are the contract.

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Never

from rota.clock import Clock, SystemClock
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
    Schedule,
    Settlement,
    SlotState,
    State,
    WorkerRecord,
)
from rota.core.unique import UniqueRun
from rota.errors import StoreIsBlackHole
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
from rota.stores.blackhole_watch import NoAlerts, NoFreshness, NoRollups


class BlackHole:
    """Discards always, executes never. For environments where jobs must not run: nothing is there to be claimed.

    Writes are answered as if they had been done, so that the code which enqueues needs no second path.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._closed = threading.Event()
        self.freshness: NoFreshness = NoFreshness()
        self.alerts: NoAlerts = NoAlerts()
        self.rollups: NoRollups = NoRollups()

    # --- queue ---

    def enqueue(self, runs: Sequence[Run], *, now: datetime) -> list[str]:
        return [run.id for run in runs]

    def enqueue_unique(
        self, wanted: Sequence[UniqueRun], *, now: datetime, new: Sequence[Round] = (), audit: AuditEntry | None = None
    ) -> list[str]:
        # Nobody ever has a name: every run is accepted, and gone.
        return [one.run.id for one in wanted]

    def promote(self, *, now: datetime, limit: int = 1000) -> int:
        return 0

    def expire(self, *, now: datetime, limit: int = 1000) -> list[str]:
        return []

    def unblock(self, *, now: datetime) -> int:
        return 0

    def claim(self, request: ClaimRequest, *, now: datetime) -> list[Run]:
        return []

    def limit_use(self, limits: Sequence[Limit], *, now: datetime, counts_aside: bool = False) -> list[LimitUse]:
        return []

    def renew(
        self,
        worker: str,
        held: Sequence[tuple[str, int]],
        *,
        lease: timedelta,
        now: datetime,
        stamps: Mapping[str, datetime],
    ) -> Renewed:
        return Renewed(held=frozenset(), stop=frozenset(), now=self.now())

    def settle(
        self,
        settlements: Sequence[Settlement],
        *,
        now: datetime,
        claim: ClaimRequest | None = None,
    ) -> Settled:
        return Settled(applied=[], claimed=[])

    def release(self, worker: str, held: Sequence[tuple[str, int]], *, now: datetime) -> list[str]:
        return []

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
        return []

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
        return []

    def note(self, notes: Sequence[Note], *, now: datetime) -> None:
        """Keep nothing."""

    def log(self, run_id: str, *, after: tuple[int, int] | None = None, limit: int = 100) -> list[LogChunk]:
        return []

    # --- gates ---

    def hold(
        self, gate: str, *, job: str | None = None, tenant: str | None = None, now: datetime, limit: int = 1000
    ) -> int:
        return 0

    def gates(self) -> list[str]:
        return []

    def held(self, gate: str, *, after: tuple[datetime, str] | None = None, limit: int = 1000) -> list[Run]:
        return []

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
        return []

    def skip_held(self, ids: Sequence[str], *, now: datetime, reason: str) -> list[str]:
        return []

    def batch_counts(self, batch: str) -> dict[State, int]:
        return {}

    # --- schedules ---

    def schedules(self, query: ScheduleQuery = EVERY_SCHEDULE) -> list[Schedule]:
        return []

    def schedule(self, name: str) -> Schedule | None:
        return None

    def put_schedule(
        self,
        schedule: Schedule,
        *,
        expected_version: int | None,
        expected_cursor: datetime | None = None,
        audit: AuditEntry | None = None,
    ) -> bool:
        return True

    def drop_schedule(self, name: str, *, expected_version: int | None = None, audit: AuditEntry | None = None) -> bool:
        return False

    def due(self, *, now: datetime, limit: int = 1000) -> list[Schedule]:
        return []

    def fire(self, firings: Sequence[Firing], *, now: datetime) -> list[str]:
        return []

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
        return [round_.id for round_ in rounds]

    def run(self, run_id: str) -> Never:
        """Refuse.

        Raises:
            StoreIsBlackHole: always; whoever waits for a result would wait for ever.
        """
        raise StoreIsBlackHole(f"run {run_id!r} was discarded: the store is blackhole://, which keeps nothing")

    def runs(self, query: RunQuery) -> list[Run]:
        return []

    def rounds(self, query: RoundQuery) -> list[Round]:
        return []

    def round_counts(self, round_ids: Sequence[str], *, tenants: Sequence[str] = ()) -> dict[str, dict[State, int]]:
        return {}

    def slot_states(self, schedule: str, *, since: datetime, until: datetime) -> list[SlotState]:
        return []

    def finished_rounds(self, *, limit: int = 100) -> list[Round]:
        return []

    def end_round(self, round_: Round) -> bool:
        return False

    def expired(self, *, now: datetime, limit: int = 100) -> list[Run]:
        return []

    def counts(self, *, jobs: frozenset[str] | None = None, tenants: frozenset[str] | None = None) -> Counts:
        return Counts(by_queue={}, waiting=0, oldest_queued_at=None)

    def errors(self, query: ErrorQuery) -> list[ErrorRecord]:
        return []

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
        return Pruned(runs=0, chunks=0)

    # --- workers ---

    def register(self, worker: WorkerRecord) -> None:
        """Keep nothing."""

    def deregister(self, worker: str) -> None:
        """Forget nothing."""

    def workers(self) -> list[WorkerRecord]:
        return []

    # --- freshness ---

    def progress(self, *, schedule: str | None = None, tenants: Sequence[str] | None = None) -> list[Progress]:
        return []

    def mark(self, progress: Progress, *, expected: Progress | None, audit: AuditEntry | None = None) -> bool:
        return True

    def reset(self, schedule: str, *, tenants: Sequence[str] | None = None, audit: AuditEntry | None = None) -> int:
        return 0

    # --- controls and audit ---

    def controls(self, kind: ControlKind | None = None) -> list[Control]:
        return []

    def control(self, kind: ControlKind, name: str) -> Control | None:
        return None

    def put_control(self, control: Control, *, expected_version: int | None, audit: AuditEntry | None = None) -> bool:
        return True

    def drop_control(
        self, kind: ControlKind, name: str, *, expected_version: int, audit: AuditEntry | None = None
    ) -> bool:
        return False

    def audit(self, query: AuditQuery) -> list[AuditEntry]:
        return []

    # --- life ---

    def setup(self) -> None:
        """Nothing to create."""

    def check(self) -> None:
        """Nothing to refuse: it promises nothing."""

    def facts(self) -> Mapping[str, str]:
        return {"engine": "blackhole", "durability": "none: everything is discarded, nothing is executed"}

    def old_snapshots(self, *, older_than: timedelta) -> list[OldSnapshot]:
        return []

    def now(self) -> datetime:
        return self._clock.now()

    def signs(self, *, now: datetime) -> frozenset[Sign]:
        return frozenset()

    def wait(self, timeout: timedelta) -> bool:
        """Nothing ever comes; but do wait, or a worker would spin."""
        self._closed.wait(timeout.total_seconds())
        return False

    def close(self) -> None:
        self._closed.set()
