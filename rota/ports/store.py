"""What a store must do.

Domain values go in and out. `now` is always an argument. A store applies decisions, it never takes them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

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
from rota.ports.alerts import AlertStore
from rota.ports.freshness import FreshnessStore
from rota.ports.rollups import RollupStore
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


@runtime_checkable
class Joins(Protocol):
    """What a store can do beyond `Store` where its runs may be written in the application's own transaction (R34)."""

    def is_home_of(self, driver: object) -> bool:
        """Whether a driver's connection leads to the database of this store, and finds its tables there.

        Raises:
            TransactionFailed: its transaction has failed already.
        """

    def enqueue_within(self, driver: object, runs: Sequence[Run], *, now: datetime) -> None:
        """Accept new runs without keys as `enqueue` does, in the transaction that is open on this connection: they are
        there when it commits, and never were when it does not. Nobody is woken: see `rouse`.

        Raises:
            ConfigurationError: no transaction is open.
            TransactionFailed: the database refused; the transaction is to be rolled back.
        """

    def rouse(self) -> None:
        """Wake workers that wait: a transaction with new runs has been committed. A hint."""


class Store(Protocol):
    """Keeps runs, rounds, schedules and progress. About 40 verbs; one contract suite proves every implementation.

    Each verb is atomic unless it says otherwise. `StoreUnavailable` means that nothing was written, or that the answer
    was lost: the call may be repeated, and every verb says what that does. Lists are in the order named, not by chance.
    """

    @property
    def freshness(self) -> FreshnessStore:
        """What it keeps for the watchdog."""

    @property
    def alerts(self) -> AlertStore:
        """What it keeps for alerts."""

    @property
    def rollups(self) -> RollupStore:
        """What it keeps for metrics."""

    # --- queue ---

    def enqueue(self, runs: Sequence[Run], *, now: datetime) -> list[str]:
        """Accept runs and return the ids of those that are new, in the order given.

        A run whose id or dedupe_key is known already is left out: repeating the call adds nothing twice. The store
        places each run: `scheduled` when due later than `now`; else `queued` with its turn. A run with a
        concurrency_key of which another run is open is put aside (`scheduled`, `waits_for` its key), or, when its
        overlap is `skip`, stored as `skipped` with the reason; so is one with `queue_one` when another one waits
        already. One with `replace` waits too, and the open ones of its key are cancelled as by `cancel`. A run with
        `held_by` that would be queued is held instead, see `gates`. A run given as `skipped` or another final state
        is stored as it is.
        """

    def enqueue_unique(
        self, wanted: Sequence[UniqueRun], *, now: datetime, new: Sequence[Round] = (), audit: AuditEntry | None = None
    ) -> list[str]:
        """Accept runs of which at most one has a name at a time; return for each the id of the run that stands for it:
        its own, or that of the run that has its name, see `unique.judge`.

        Who has a name is judged by how the run that was given it last stands now; with any number of callers at once
        one of them gets it. Accepted runs are placed as by `enqueue`, those that they replace are cancelled as by
        `cancel`. Of the `new` rounds those of accepted runs are recorded with them, and where a run is accepted
        the audit entry; so a round is started once by a name. Runs with a dedupe key that others may have are not
        meant. All or none; a repeated call finds its own runs by their ids.

        Raises:
            NotUnique: one that may not conflict does; nothing was written.
        """

    def promote(self, *, now: datetime, limit: int = 1000) -> int:
        """Queue up to `limit` scheduled runs that came due and wait for nothing else, or hold them where they have a
        gate to pass. Return how many.

        One index read when there are none. Repeating it is harmless.
        """

    def expire(self, *, now: datetime, limit: int = 1000) -> list[str]:
        """Record up to `limit` runs as skipped that have not begun in time, see `lifecycle.is_expired`, the longest
        overdue first; return their ids. Fewer than `limit` does not say that there are no more.

        Their concurrency keys go on after the last one. One index read when there are none. Repeating it is harmless.
        """

    def unblock(self, *, now: datetime) -> int:
        """Let the first waiting run of each concurrency key go on whose key nobody holds. Return how many.

        `settle`, `cancel` and `enqueue` do this for the keys that they free; this pass finds what two of them racing
        left behind. Repeating it is harmless.
        """

    def claim(self, request: ClaimRequest, *, now: datetime) -> list[Run]:
        """Make up to `limit` queued runs running under a new token, and return them as they now are.

        Order within a queue: priority, higher first, then turn, then id. Nobody else gets the same run; a run that
        another transaction is claiming is passed over. Each claim raises the token: max(token + 1, `now` in
        microseconds), counts an attempt, and sets lease_until = now + lease. `last_success` is filled in. Of one
        concurrency key at most one run is running at any time.
        With `limits`, not one more than each of them allows, counted from what is running and what was begun, exactly
        with any number of callers. What a limit holds back and stands in the way is put aside, see `limited_by`, with
        its priority and turn; from there it is claimed in its order when `reopened` names the limit.
        With `handed`, that running run goes over from its worker to this one under a new token, no attempt counted.
        If the answer is lost, the runs are running under this worker's name: see `runs(owner=...)` and `release`.
        """

    def limit_use(self, limits: Sequence[Limit], *, now: datetime, counts_aside: bool = False) -> list[LimitUse]:
        """Return how these limits are used, by name: those for which runs stand aside, also where there is no such
        limit any more. Where those are to be counted, also those of which runs run, or were begun within their window:
        of a limit on each there may be as many as there are users. Else one index probe for each limit.
        """

    def renew(
        self,
        worker: str,
        held: Sequence[tuple[str, int]],
        *,
        lease: timedelta,
        now: datetime,
        stamps: Mapping[str, datetime],
    ) -> Renewed:
        """Move the leases of these (run id, token) pairs to `now + lease`, where they are still held by `worker`.

        Also stamps the worker as seen, with the times its loops last came round. Atomic per pair, not as a whole.
        Repeating it is harmless.
        """

    def settle(self, settlements: Sequence[Settlement], *, now: datetime, claim: ClaimRequest | None = None) -> Settled:
        """Apply each settlement whose run is still running under the token it was made for; then claim, if asked.

        One transaction. Each settlement is judged alone: run, attempt, progress, round, and the next waiting run of
        a concurrency key that became free, are written together or not at all. A final state keeps the attempt on
        the run's own row; any other appends it to the attempts, and is due at once where the run was cancelled
        meanwhile. A settlement that is refused leaves the run as it is; where its attempt is recorded as `lost`, that
        becomes `superseded`. Tokens only grow: repeating the call applies nothing twice, and names what was applied.
        """

    def release(self, worker: str, held: Sequence[tuple[str, int]], *, now: datetime) -> list[str]:
        """Give running runs back, queued with their turn, attempt not counted; return the ids that were released.

        Only pairs that `worker` still holds. An `interrupted` attempt is appended for those that had started to
        count; repeating it does nothing.
        """

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
        """Cancel open runs: waiting ones at once, running ones by asking their worker. Return the ids affected.

        One that was held, or waited, has no gate and no key to wait for any more. `held_by`: only those that have this
        gate still to pass. `behind`: only while this run has ended and has not succeeded; else none of them.
        """

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
        """Open ended runs again, with all their attempts anew, and return the ids that were ended and are open now.
        Each has this gate to pass and is of this batch from now on; only what is part of a flow stays so. None expires.

        An operator's action. The attempt on the run's row is appended to the attempts; the round opens again. Each
        is due at its slot, or at `now` without one, so that runs that share a concurrency key stand in line by slot;
        `lines` gives runs another line, and place in it, by their ids.
        """

    def note(self, notes: Sequence[Note], *, now: datetime) -> None:
        """Write what attempts have to say: progress on the run's row, chunks of their logs.

        Progress only of the attempt on the run's row, also once that has ended it; it goes when the run is opened
        again. What a note drops is deleted before its chunks are added; a chunk that is there already is left alone,
        so repeating the call adds nothing twice. A note for a run that is not there is left out. Atomic per note.
        """

    def log(self, run_id: str, *, after: tuple[int, int] | None = None, limit: int = 100) -> list[LogChunk]:
        """Return the log of a run, by (token, number), oldest first; only what stands after that key.

        Raises:
            RunNotFound: there is no such run.
        """

    # --- gates ---

    def hold(
        self, gate: str, *, job: str | None = None, tenant: str | None = None, now: datetime, limit: int = 1000
    ) -> int:
        """Put up to `limit` queued runs of this job or tenant aside, held by `gate`; return how many.

        Not what is running, not expansions when a tenant is named. Repeating it is harmless.
        """

    def gates(self) -> list[str]:
        """Return by what gates runs are held now, sorted. One index probe for each."""

    def held(self, gate: str, *, after: tuple[datetime, str] | None = None, limit: int = 1000) -> list[Run]:
        """Return runs that are held by a gate, by (due_at, id); only those after that key."""

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
        """Let up to `limit` runs that are held by `gate` go on, by (due_at, id), and return their ids.

        Only `ids`, where they are named. They are queued with their turn, `held_by` None; or held by the gate `to`.
        With `places`, at most so many that not more than `places` runs of the batch of this name are out: queued,
        running, waiting for a retry, or held by another gate, but for one that comes before that of the batch, see
        `gates.is_before_batch`. That holds exactly with any number of callers.
        """

    def skip_held(self, ids: Sequence[str], *, now: datetime, reason: str) -> list[str]:
        """Record runs as `skipped`, and return the ids of those that were: only scheduled ones with a gate to pass,
        held there, waiting for their key, or not due yet.

        Their concurrency keys go on after the last one. Repeating it does nothing.
        """

    def batch_counts(self, batch: str) -> dict[State, int]:
        """Return how many runs of a batch stand where, now. Held ones count as `scheduled`."""

    # --- schedules ---

    def schedules(self, query: ScheduleQuery = EVERY_SCHEDULE) -> list[Schedule]:
        """Return schedules, by name."""

    def put_schedule(
        self,
        schedule: Schedule,
        *,
        expected_version: int | None,
        expected_cursor: datetime | None = None,
        audit: AuditEntry | None = None,
    ) -> bool:
        """Write a schedule if its stored version is `expected_version` (`None`: if there is none). Return whether.

        With `expected_cursor` only while the cursor still stands there: a firing in between moves it, and what was
        read before that would set it back.

        The audit entry is written with it, here and in all verbs that take one: only where something changed.
        """

    def drop_schedule(self, name: str, *, expected_version: int | None = None, audit: AuditEntry | None = None) -> bool:
        """Delete a schedule, if given a version only one that has it; its history and progress stay. Return whether
        there was one."""

    def due(self, *, now: datetime, limit: int = 1000) -> list[Schedule]:
        """Return active schedules whose next_at has come, oldest first. One index read when there are none."""

    def fire(self, firings: Sequence[Firing], *, now: datetime) -> list[str]:
        """Apply each firing whose schedule still has its version and cursor; return their schedules' names.

        Each firing whole or not at all: rounds, runs (placed as by `enqueue`), cursor, next_at and last_run_at.
        All firings of a call may share a transaction. A repeated one is refused by its cursor; a round or run of a
        slot that exists already is left alone.
        """

    # --- rows ---

    def changed_rows(self, limit: int = 500) -> list[CronJobRow]:
        """Return rows of `cron_jobs` that others wrote or changed since they were taken, by id.

        Only SQL stores have that table; the others answer as if it were empty.
        """

    def take_row(
        self, row: CronJobRow, schedule: Schedule | None, *, expected_version: int | None, problem: str | None
    ) -> bool:
        """Write what a row of `cron_jobs` means and mark it as taken, with what is wrong with it. Return whether.

        One transaction, and only while the row is as it was read. The schedule is written as by `put_schedule` and
        belongs to the row from then on: `drop_schedule` deletes the row too, `fire` tells it when, and a schedule
        that is `done` or `failed` makes it inactive. Without a schedule only the problem is written. A repeated call
        finds the schedule's version changed and does nothing.
        """

    def lost_rows(self, limit: int = 500) -> list[Schedule]:
        """Return schedules that belong to a row of `cron_jobs` which somebody deleted, by name."""

    # --- history ---

    def add_rounds(
        self, rounds: Sequence[Round], runs: Sequence[Run], *, now: datetime, audit: Entries = None
    ) -> list[str]:
        """Record rounds that no schedule fired (manual starts, backfilled slots) with their runs; return the ids of
        the rounds that are new.

        One transaction. A round of a schedule and slot that has a round already is left out; runs are placed as by
        `enqueue`, so repeating the call adds nothing twice. An ended round that a new run names is open again. A known
        round that is given as expanded is so from now on, with the number expected: they were listed anew.
        """

    def schedule(self, name: str) -> Schedule | None:
        """Return one schedule, or None."""

    def run(self, run_id: str) -> RunHistory | None:
        """Return a run with its attempts, or None. A unique prefix of at least six digits will do for the id."""

    def runs(self, query: RunQuery) -> list[Run]:
        """Return runs, newest first (by id). The next page starts before the last id."""

    def rounds(self, query: RoundQuery) -> list[Round]:
        """Return rounds, newest first (by id); `run`'s prefix rule does not apply."""

    def round_counts(self, round_ids: Sequence[str], *, tenants: Sequence[str] = ()) -> dict[str, dict[State, int]]:
        """Return how many job runs of each round, of these tenants or of all, stand in each state. None: no entry."""

    def slot_states(self, schedule: str, *, since: datetime, until: datetime) -> list[SlotState]:
        """Return what is known of the slots in [since, until): one entry per slot and tenant, by slot and tenant."""

    def finished_rounds(self, *, limit: int = 100) -> list[Round]:
        """Return rounds that are not ended and have no open run left, expansions included; oldest first.

        One that is not expanded is among them only when it has runs: its expansion failed for good.
        """

    def end_round(self, round_: Round) -> bool:
        """Write the sum of a round (state, reason, counts, ended_at), and return whether this call did.

        Not of one that is ended already or has an open run. Of several processes one gets True, and tells of it.
        """

    def expired(self, *, now: datetime, limit: int = 100) -> list[Run]:
        """Return running runs whose lease ended more than a second before `now`, oldest lease first."""

    def counts(self, *, jobs: frozenset[str] | None = None, tenants: frozenset[str] | None = None) -> Counts:
        """Return how many open runs stand where, of these jobs and tenants; `None` does not narrow."""

    def errors(self, query: ErrorQuery) -> list[ErrorRecord]:
        """Return error records, last met first, then by job and fingerprint; each with its ten tenants that met it
        most often, then by name.

        `settle` counts them, with the attempts that it applies: those that ended `failed`, `timed_out` or `lost`, each
        once, however often the call is repeated. `prune` forgets those that nobody met since `failed_before`, up to
        `limit` in a call.
        """

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
        """Delete up to `limit` ended runs with their attempts and logs, up to `limit` chunks of logs that were written
        before `logs_before`, up to `limit` entries of the audit from before `audit_before` (`None`: none), and ended
        rounds without runs.

        Failed and cancelled runs go when they ended before `failed_before`, others before `succeeded_before`. Never
        what is open, never a run whose slot is not before `slots_before` (its dedupe key is still needed), never
        the last run of a schedule and tenant (R72). Call again while it deletes `limit` of either.
        """

    # --- workers ---

    def register(self, worker: WorkerRecord) -> None:
        """Record a worker; a known id is overwritten."""

    def deregister(self, worker: str) -> None:
        """Forget a worker. Its runs, if any, end with their leases."""

    def workers(self) -> list[WorkerRecord]:
        """Return the known workers, longest started first."""

    # --- freshness ---

    def progress(self, *, schedule: str | None = None, tenants: Sequence[str] | None = None) -> list[Progress]:
        """Return progress by schedule and tenant; `None` does not narrow."""

    def mark(self, progress: Progress, *, expected: Progress | None, audit: AuditEntry | None = None) -> bool:
        """Replace progress if it still equals `expected` (`None`: there is none). Return whether it did."""

    def reset(self, schedule: str, *, tenants: Sequence[str] | None = None, audit: AuditEntry | None = None) -> int:
        """Forget progress (history stays); return how many entries (R14)."""

    # --- controls and audit ---

    def controls(self, kind: ControlKind | None = None) -> list[Control]:
        """Return controls of a kind, or all, by kind and name."""

    def control(self, kind: ControlKind, name: str) -> Control | None:
        """Return one control, or None."""

    def put_control(self, control: Control, *, expected_version: int | None, audit: AuditEntry | None = None) -> bool:
        """Write a control if its stored version is `expected_version` (`None`: if there is none). Return whether."""

    def drop_control(
        self, kind: ControlKind, name: str, *, expected_version: int, audit: AuditEntry | None = None
    ) -> bool:
        """Delete a control that has this version. Return whether."""

    def audit(self, query: AuditQuery) -> list[AuditEntry]:
        """Return entries of the audit, newest first (by id)."""

    # --- life ---

    def setup(self) -> None:
        """Create or migrate the schema. Any number of processes may do so at once."""

    def check(self) -> None:
        """Refuse a store that this code must not work on.

        Raises:
            SchemaMismatch: the schema is older than the code or too new for it, or is not there (R70).
            UnsafeStore: it cannot keep its promises as it is set up.
        """

    def facts(self) -> Mapping[str, str]:
        """Return what an operator wants to know, for `rota doctor`: engine, version, schema, durability class."""

    def old_snapshots(self, *, older_than: timedelta) -> list[OldSnapshot]:
        """Return what keeps the server from removing dead versions of rows, oldest first, a few at most.

        Only what this account may see, on servers only.
        """

    def now(self) -> datetime:
        """Return the store's own time, in UTC."""

    def signs(self, *, now: datetime) -> frozenset[Sign]:
        """Return of what there may be something to do now; where none is, its verb finds nothing. One read of a few
        index probes, whatever the store holds."""

    def wait(self, timeout: timedelta) -> bool:
        """Return True as soon as work may have come, False after `timeout`. A hint: it may be wrong either way."""

    def close(self) -> None:
        """Let go of connections. The store is not used after."""
