"""The seams: what a store, an executor and a tenant source must do.

Domain values go in and out. `now` is always an argument. A store applies decisions, it never takes them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from rota.context import StopSignal
from rota.core.lifecycle import Ending
from rota.core.model import (
    Firing,
    Job,
    LogChunk,
    Note,
    Progress,
    Round,
    RoundState,
    Run,
    RunHistory,
    RunKind,
    Schedule,
    Settlement,
    SlotState,
    State,
    Tenant,
    Trigger,
    WorkerRecord,
)


class TenantSource(Protocol):
    """Where tenants come from. Listed afresh for every round."""

    allow_empty: bool

    def tenants(self) -> Sequence[Tenant]:
        """Return every tenant there is now.

        Raises:
            TenantListFailed: the source could not be read.
        """


class ClaimRequest(Struct, frozen=True, kw_only=True):
    """What a worker can take now."""

    worker: str
    queues: Mapping[str, int]
    """The queues it works, in this order, and how many runs it takes from each at most in this claim."""
    limit: int
    """How many runs it takes at most in all."""
    lease: timedelta
    except_jobs: frozenset[str] = frozenset()
    """Jobs that this worker does not know (R36)."""


class Settled(Struct, frozen=True, kw_only=True):
    """The answer to `settle`."""

    applied: list[str]
    """Ids of the runs whose settlement was applied, now or by an earlier try of the same call. A missing one lost
    its lease and was settled by someone else."""
    claimed: list[Run]


class Renewed(Struct, frozen=True, kw_only=True):
    """The answer to `renew`."""

    held: frozenset[str]
    """Ids of the runs that this worker still owns under the tokens it named. The others are lost."""
    stop: frozenset[str]
    """Ids of held runs that somebody asked to cancel."""
    now: datetime
    """The store's own time, to anchor the clock."""


class RunQuery(Struct, frozen=True, kw_only=True):
    """Which runs; every field that is set narrows the answer."""

    jobs: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    states: tuple[State, ...] = ()
    queues: tuple[str, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    kind: RunKind | None = RunKind.JOB
    """Expansions are left out unless `kind` is None or names them."""
    schedule: str | None = None
    round_id: str | None = None
    owner: str | None = None
    slot_since: datetime | None = None
    slot_until: datetime | None = None
    """Slots in [slot_since, slot_until)."""
    since: datetime | None = None
    until: datetime | None = None
    """Created in [since, until)."""
    before_id: str | None = None
    """The key of the page before: only runs with a smaller id."""
    limit: int = 50


class RoundQuery(Struct, frozen=True, kw_only=True):
    """Which rounds; every field that is set narrows the answer."""

    jobs: tuple[str, ...] = ()
    schedule: str | None = None
    states: tuple[RoundState, ...] = ()
    slot_since: datetime | None = None
    slot_until: datetime | None = None
    before_id: str | None = None
    limit: int = 50


class Counts(Struct, frozen=True, kw_only=True):
    """How many runs stand where, now. Final runs are not counted: history has no cheap total."""

    by_queue: Mapping[str, Mapping[State, int]]
    """Open runs per queue and state, expansions included."""
    waiting: int
    """Of the scheduled ones: how many wait for their concurrency key, not for their time."""
    oldest_queued_at: datetime | None
    """The smallest due time among queued runs."""


class Pruned(Struct, frozen=True, kw_only=True):
    """The answer to `prune`: what was deleted."""

    runs: int
    chunks: int
    """Chunks of logs that were too old themselves; those that went with their runs do not count."""


class Store(Protocol):
    """Keeps runs, rounds, schedules and progress. About 25 verbs; one contract suite proves every implementation.

    Each verb is atomic unless it says otherwise. `StoreUnavailable` means that nothing was written and the call may
    be repeated; every verb says what a repetition does. Lists are in the order named, never in a chance order.
    """

    # --- queue ---

    def enqueue(self, runs: Sequence[Run], *, now: datetime) -> list[str]:
        """Accept runs and return the ids of those that are new, in the order given.

        A run whose id or dedupe_key is known already is left out: repeating the call adds nothing twice. The store
        places each run: `scheduled` when due later than `now`; else `queued` with its turn. A run with a
        concurrency_key of which another run is open is put aside (`scheduled`, `waits_for` its key), or, when its
        overlap is `skip`, stored as `skipped` with the reason. A run given as `skipped` or another final state is
        stored as it is.
        """

    def promote(self, *, now: datetime, limit: int = 1000) -> int:
        """Queue up to `limit` scheduled runs that came due and wait for nothing else. Return how many.

        One index read when there are none. Repeating it is harmless.
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
        If the answer is lost, the runs are running under this worker's name: see `runs(owner=...)` and `release`.
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

        Also stamps the worker as seen, with the times its loops last came round. Repeating it is harmless.
        """

    def settle(self, settlements: Sequence[Settlement], *, now: datetime, claim: ClaimRequest | None = None) -> Settled:
        """Apply each settlement whose run is still running under the token it was made for; then claim, if asked.

        One transaction. Each settlement is judged alone: run, attempt, progress, round, and the next waiting run of
        a concurrency key that became free, are written together or not at all. A final state keeps the attempt on
        the run's own row; any other appends it to the attempts. A settlement that is refused leaves the run as it
        is; where its attempt is recorded as `lost`, that becomes `superseded`.
        Tokens only grow, so repeating the call applies nothing twice, and names what the first try applied.
        """

    def release(self, worker: str, held: Sequence[tuple[str, int]], *, now: datetime) -> list[str]:
        """Give running runs back, queued with their turn, attempt not counted; return the ids that were released.

        Only pairs that `worker` still holds. An `interrupted` attempt is appended for those that had started to
        count; repeating it does nothing.
        """

    def cancel(self, ids: Sequence[str], *, now: datetime, reason: str) -> list[str]:
        """Cancel open runs: waiting ones at once, running ones by asking their worker. Return the ids affected."""

    def requeue(self, ids: Sequence[str], *, now: datetime, reason: str) -> list[str]:
        """Open ended runs again, with all their attempts anew, and return the ids that were ended and are open now.

        An operator's action. The attempt on the run's row is appended to the attempts; the round opens again. Each
        is due at its slot, or at `now` without one, so that runs that share a concurrency key stand in line by slot.
        """

    def note(self, notes: Sequence[Note], *, now: datetime) -> None:
        """Write what attempts have to say: progress on the run's row, chunks of their logs.

        Progress only while the run is running under that token; it goes when the run is opened again. What a note
        drops is deleted before its chunks are added; a chunk that is there already is left alone, so repeating the
        call adds nothing twice. A note for a run that is not there is left out. Atomic per note.
        """

    def log(self, run_id: str, *, after: tuple[int, int] | None = None, limit: int = 100) -> list[LogChunk]:
        """Return the log of a run, by (token, number), oldest first; only what stands after that key.

        Raises:
            RunNotFound: there is no such run.
        """

    # --- schedules ---

    def schedules(self) -> list[Schedule]:
        """Return all schedules, by name."""

    def put_schedule(self, schedule: Schedule, *, expected_version: int | None) -> bool:
        """Write a schedule if its stored version is `expected_version` (`None`: if there is none). Return whether."""

    def drop_schedule(self, name: str) -> bool:
        """Delete a schedule; its history and progress stay. Return whether there was one."""

    def due(self, *, now: datetime, limit: int = 1000) -> list[Schedule]:
        """Return active schedules whose next_at has come, oldest first. One index read when there are none."""

    def fire(self, firings: Sequence[Firing], *, now: datetime) -> list[str]:
        """Apply each firing whose schedule still has its version and cursor; return their schedules' names.

        Each firing whole or not at all: rounds, runs (placed as by `enqueue`), cursor, next_at and last_run_at.
        All firings of a call may share a transaction. A repeated one is refused by its cursor; a round or run of a
        slot that exists already is left alone.
        """

    # --- history ---

    def add_rounds(self, rounds: Sequence[Round], runs: Sequence[Run], *, now: datetime) -> list[str]:
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

    def round_counts(self, round_ids: Sequence[str]) -> dict[str, dict[State, int]]:
        """Return how many job runs of each round stand in each state, now. Rounds without runs have no entry."""

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

    def counts(self) -> Counts:
        """Return how many open runs stand where."""

    def prune(
        self,
        *,
        succeeded_before: datetime,
        failed_before: datetime,
        slots_before: datetime,
        logs_before: datetime,
        limit: int,
    ) -> Pruned:
        """Delete up to `limit` ended runs with their attempts and logs, up to `limit` chunks of logs that were written
        before `logs_before`, and ended rounds without runs.

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

    def mark(self, progress: Progress, *, expected: Progress | None) -> bool:
        """Replace progress if it still equals `expected` (`None`: there is none). Return whether it did."""

    def reset(self, schedule: str, *, tenants: Sequence[str] | None = None) -> int:
        """Forget progress (history stays); return how many entries (R14)."""

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

    def now(self) -> datetime:
        """Return the store's own time, in UTC."""

    def wait(self, timeout: timedelta) -> bool:
        """Return True as soon as work may have come, False after `timeout`. A hint: it may be wrong either way."""

    def close(self) -> None:
        """Let go of connections. The store is not used after."""


class Brief(Struct, frozen=True, kw_only=True):
    """All that a function may ask about its run, as plain data: it crosses into a child process as JSON."""

    run: Run
    """With its own window filled in."""
    tenant: Tenant | None = None
    deadline: datetime | None = None
    """When its soft time limit ends; None without one."""


class Call(Protocol):
    """One attempt, ready to be executed."""

    run: Run
    stop_signal: StopSignal

    @property
    def is_coroutine(self) -> bool:
        """Whether it is executed by `aexecute`, on an event loop."""

    def execute(self) -> Ending:
        """Call the job's function and return how it ended. Raises nothing that the job raised."""

    async def aexecute(self) -> Ending:
        """The same for a coroutine function, on the loop that awaits this. Being cancelled is how it is stopped."""


class Executor(Protocol):
    """How a function is run."""

    def submit(self, calls: Sequence[Call], done: Callable[[Run, Ending], None]) -> None:
        """Execute each call, in this order; report its ending exactly once, from any thread."""

    def withdraw(self) -> list[Call]:
        """Take back and return the calls that have not begun; they are not reported."""

    def close(self) -> None:
        """Start nothing more and let go of threads or children; what still runs is abandoned to its lease."""


class Children(Protocol):
    """Child processes that call the functions of process jobs."""

    def execute(self, job: Job, brief: Brief, *, stop: StopSignal, started_at: datetime) -> Ending:
        """Have a child call the job's function, and return how it ended; the calling thread waits.

        Once `stop` is set the child is told; after `stop.grace` its process group gets SIGTERM, after the hard grace
        SIGKILL. When this returns, no process that the attempt started is alive. A child that dies by itself is
        `lost`, with its signal or exit status in the error. Raises nothing.
        """

    def close(self) -> None:
        """End every child, whatever it is doing."""
