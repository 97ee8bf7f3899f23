"""The nouns of Rota as values: jobs, schedules, rounds, runs, attempts, tenants, progress.

Instants are aware datetimes in UTC. Values never change; a change is a new value.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct

from rota.core.freshness import Expectation
from rota.core.part import Part
from rota.core.policy import CatchUp, Overlap, Retry

NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class State(StrEnum):
    """Where a run stands. `scheduled -> queued -> running ->` one of the four final states."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def is_final(self) -> bool:
        return self in FINAL


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.SKIPPED})
OPEN = frozenset(State) - FINAL


class Outcome(StrEnum):
    """How one attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    SNOOZED = "snoozed"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    SUPERSEDED = "superseded"


class RunKind(StrEnum):
    """What a run does: the job's own work, or the expansion of a round into one run per tenant."""

    JOB = "job"
    EXPANSION = "expansion"


class Trigger(StrEnum):
    """Why a run or a round exists."""

    SCHEDULE = "schedule"
    BACKFILL = "backfill"
    MANUAL = "manual"
    ENQUEUE = "enqueue"


class RoundState(StrEnum):
    """The sum of a round: `succeeded` only if every run is, `partial` if some are."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    SKIPPED = "skipped"


class ScheduleState(StrEnum):
    """Whether a schedule fires. Only `active` ones do (R5, R12)."""

    ACTIVE = "active"
    PAUSED = "paused"
    ORPHANED = "orphaned"
    BROKEN = "broken"
    DONE = "done"
    FAILED = "failed"
    """A one-time schedule whose run failed for good (R7)."""


class Origin(StrEnum):
    """Where a schedule was declared."""

    CODE = "code"
    ROW = "row"


class Schedule(Struct, frozen=True, kw_only=True):
    """When a job is due. Declared in code or stored as a row; both are the same thing to every other part (R5)."""

    name: str
    job: str
    timing: str
    """The canonical text of its timing, with its zone; `words.parse` reads it."""
    tenants: tuple[str, ...] | None = None
    """The tenants it is for; `None` is every tenant of the source, or no tenant when the job is not per tenant."""
    exclude: tuple[str, ...] = ()
    """Tenants that it is not for: they have a schedule of their own in its place (R24)."""
    zones: tuple[str, ...] = ()
    """The zones of its tenants, when its timing is in the zone of the tenant: its slots are those of all of them (R15).
    """
    user_id: str | None = None
    args: str = '{"args":[],"kwargs":{}}'
    catch_up: CatchUp = CatchUp()
    overlap: Overlap = Overlap.SKIP
    jitter: timedelta | None = None
    fresh_within: timedelta | None = None
    """How old the slot of its last success may be; `None` is as its job says (R51)."""
    keep: bool = False
    """Whether a one-time schedule is kept as `done` after its run succeeded, and not deleted (R7)."""
    origin: Origin = Origin.CODE
    fingerprint: str = ""
    """A hash of what the code declared, to notice an edit at start-up."""
    declared: str | None = None
    """What the code says, as JSON, while an operator's override stands in its place (R5)."""
    confirmed_at: datetime | None = None
    """When a process that has it in its code last said so."""
    state: ScheduleState = ScheduleState.ACTIVE
    reason: str | None = None
    """Why it does not fire: for what it was paused, or what is broken."""
    paused_by: str | None = None
    paused_until: datetime | None = None
    version: int = 1
    """Grows with each change of definition or state; a firing names the version it was decided on."""
    cursor: datetime
    """The newest slot that was decided on; later slots are still to come."""
    next_at: datetime | None = None
    """The next slot after the cursor; `None` when there is none."""
    created_at: datetime
    last_run_at: datetime | None = None


class Round(Struct, frozen=True, kw_only=True):
    """One firing of a schedule, or one manual start: the slot with all its runs.

    A range of slots that a policy decided not to run is one round in state `skipped`, from `skipped_from` to `slot`.
    """

    id: str
    job: str
    schedule: str | None = None
    slot: datetime | None = None
    trigger: Trigger = Trigger.SCHEDULE
    actor: str | None = None
    state: RoundState = RoundState.RUNNING
    reason: str | None = None
    skipped_from: datetime | None = None
    expanded: bool = False
    """Whether the tenants were listed and their runs queued. A round that is not expanded is never succeeded."""
    expected: int | None = None
    """How many tenants the expansion listed."""
    places: int | None = None
    """How many of its runs are out at once; `None` is without limit."""
    counts: Mapping[str, int] = MappingProxyType({})
    """Runs per state, as they were when the round ended; empty before."""
    created_at: datetime
    ended_at: datetime | None = None


class ErrorReport(Struct, frozen=True, kw_only=True):
    """An exception as plain data. Exceptions do not enter the store or cross a process."""

    type: str
    message: str
    traceback: str = ""
    fingerprint: str = ""
    """What makes it the same error as another one: class, normalised message and place (R38)."""
    place: str = ""
    """Where in the application it comes from: `app.mail.send, line 42`; "" where that is not known."""

    @property
    def first_line(self) -> str:
        """Return `Type: first line of the message`, for lists."""
        head = self.message.strip().splitlines()
        return f"{self.type}: {head[0]}" if head else self.type


class Run(Struct, frozen=True, kw_only=True, gc=False):
    """The work to be done for one job and one tenant, and the attempt that runs or ended it."""

    id: str
    job: str
    queue: str = "default"
    kind: RunKind = RunKind.JOB
    tenant: str | None = None
    user_id: str | None = None
    args: str = '{"args":[],"kwargs":{}}'
    """`{"args": [...], "kwargs": {...}}` in the codec's JSON."""
    state: State = State.QUEUED
    reason: str | None = None
    """Why it was skipped or cancelled, by whom; or why it waits."""
    priority: int = 0
    turn: float = 0.0
    """Its place among the tenants of its queue; given by the store when it becomes `queued`."""
    due_at: datetime
    expires_at: datetime | None = None
    """When it has to have begun, or it is skipped; one that was opened again has no such time."""
    created_at: datetime
    trigger: Trigger = Trigger.ENQUEUE
    actor: str | None = None
    schedule: str | None = None
    slot: datetime | None = None
    since: datetime | None = None
    """Where its window starts when that is not the last success: backfilled and manual runs."""
    round_id: str | None = None
    dedupe_key: str | None = None
    """At most one run with this key is ever accepted; for a slot it is made of schedule, slot and tenant."""
    concurrency_key: str | None = None
    """Runs with the same key run one at a time, in the order of (due_at, id); one that is not final holds back the
    later ones, also while it waits for a retry."""
    waits_for: str | None = None
    """The concurrency key that it waits for; such a run is `scheduled`, whatever its due time."""
    held_by: str | None = None
    """The gate that it has to pass, see `gates`. Once it is due and first of its key it is held there: `scheduled`, no
    matter its due time, until `admit`. It holds its concurrency key meanwhile."""
    batch: str | None = None
    """Which runs it belongs with: those of a campaign, a round or a schedule's missed slots, which share a number of
    places; or those of a flow."""
    part: Part | None = None
    """Its role in the flow that is its batch; `None` where it is part of no flow."""
    weight: float = 1.0
    """Its tenant's share of the queue beside other tenants."""
    overlap: Overlap = Overlap.QUEUE_ALL
    """On enqueue, when another run of its concurrency key is not final: wait, or be recorded as skipped."""
    retry: Retry | None = None
    """How it is retried, where its enqueuer said; `None` is as its job says."""
    carried: str | None = None
    """What was carried along from where it was enqueued, as JSON (R37)."""
    parent: str | None = None
    """The run whose code enqueued it."""
    limit_key: str | None = None
    """A key of its enqueuer's own that limits may name (R35)."""
    host: str | None = None
    """The host of its tenant's database, for limits per host."""
    limited_by: str | None = None
    """The limit that it stands aside for: `scheduled`, whatever its due time, until a place is free (R35)."""
    max_attempts: int = 3
    attempt: int = 0
    """Attempts used, with the current one. Attempts that were interrupted or lost are given back."""
    lost_count: int = 0
    token: int = 0
    """Grows with every claim; whoever holds an older one can change nothing."""
    owner: str | None = None
    lease_until: datetime | None = None
    cancel_requested: bool = False
    claimed_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: Outcome | None = None
    error: ErrorReport | None = None
    result: str | None = None
    """What the job returned, in the codec's JSON."""
    done: int | None = None
    total: int | None = None
    """How far its attempt has come, by its own word: `done` of `total`, in units of the job's own."""
    last_success: datetime | None = None
    """The newest slot of its schedule and tenant that succeeded, as the claim found it; `None` elsewhere."""


class Attempt(Struct, frozen=True, kw_only=True):
    """One try at a run."""

    run_id: str
    token: int
    owner: str | None
    claimed_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    outcome: Outcome | None
    error: ErrorReport | None = None


class ErrorRecord(Struct, frozen=True, kw_only=True):
    """An error of a job: everything that has one fingerprint, over all runs and tenants (R38)."""

    job: str
    fingerprint: str
    type: str
    message: str
    """As it was last, not longer than `tally.LONGEST_MESSAGE`."""
    place: str
    first_at: datetime
    last_at: datetime
    last_run_id: str
    number: int
    """How many attempts it ended."""
    tenants: int
    """How many tenants it met."""
    top: Mapping[str, int] = MappingProxyType({})
    """The tenants that it met most often, first, with how often."""


class LogLine(Struct, frozen=True, kw_only=True):
    """One line that a run printed or logged (R44)."""

    at: datetime
    level: str
    """As in `logging`: `INFO`; what goes to standard output is `INFO`, to standard error `WARNING`."""
    source: str
    """The logger's name, or `stdout`, or `stderr`."""
    text: str


class LogChunk(Struct, frozen=True, kw_only=True):
    """Lines of one attempt that were written together, oldest first."""

    run_id: str
    token: int
    number: int
    """Counts from 0 within the attempt."""
    lines: tuple[LogLine, ...]
    left_out: int = 0
    """How many lines came right before these and were not kept."""


class Note(Struct, frozen=True, kw_only=True):
    """What an attempt has to say between its claim and its settlement: lines, and how far it has come."""

    run_id: str
    token: int
    done: int | None = None
    total: int | None = None
    chunks: tuple[LogChunk, ...] = ()
    drop: tuple[int, int] | None = None
    """Chunks of this attempt with a number in [first, second) are deleted: the middle of a log that is too long."""


class RunHistory(Struct, frozen=True, kw_only=True):
    """A run with all its attempts, oldest first, the one on the run's own row last."""

    run: Run
    attempts: tuple[Attempt, ...]


class Settlement(Struct, frozen=True, kw_only=True, gc=False):
    """What an ended attempt makes of its run: decided in `lifecycle`, applied by a store under the run's token."""

    run: Run
    """The run as it was claimed: gives id, token and owner, and what the attempt row needs."""
    outcome: Outcome
    state: State
    """The run's next state."""
    due_at: datetime
    """When it is due next; matters for `scheduled` and `queued`."""
    attempt: int
    lost_count: int
    started_at: datetime | None = None
    ended_at: datetime
    error: ErrorReport | None = None
    result: str | None = None
    reason: str | None = None
    lease_until: datetime | None = None
    """For a rescue: applied only while the lease still ends then, so that a heartbeat in between makes it void."""
    expanded: int | None = None
    """For an expansion that succeeded: how many tenants it listed; marks the round expanded."""
    expected: Expectation | None = None
    """For a slot that succeeded: by when its schedule has to succeed again for its tenant (R51)."""


class Tenant(Struct, frozen=True, kw_only=True):
    """An id with attributes and, usually, a database of its own."""

    id: str
    tz: str | None = None
    """Its zone, for timings in the zone of the tenant."""
    weight: float = 1.0
    """Its share of a queue beside other tenants."""
    url: str | None = None
    """The SQLAlchemy URL of its database, with the password in it: never printed or stored."""
    schema: str | None = None
    """The PostgreSQL schema that is its own, where tenants share a database."""
    tags: tuple[str, ...] = ()
    attributes: Mapping[str, str] = NO_ATTRIBUTES

    def __repr__(self) -> str:
        # Without the URL and the attributes: a tenant that ends up in a log must not take a password along (R65).
        return f"Tenant(id={self.id!r}, schema={self.schema!r}, tags={self.tags!r})"


class Progress(Struct, frozen=True, kw_only=True):
    """How far a schedule has come for one tenant; kept for ever. `tenant` is "" where there is none."""

    schedule: str
    tenant: str = ""
    last_success: datetime | None = None
    """The newest slot that succeeded. Moves only on success, only forward (R9)."""
    last_success_at: datetime | None = None
    """When that success was recorded."""
    last_run_id: str | None = None
    last_state: State | None = None
    last_ended_at: datetime | None = None
    failures: int = 0
    """Runs that failed in a row."""


class Firing(Struct, frozen=True, kw_only=True):
    """What a scheduler decided for one schedule: all of it is written, or nothing."""

    schedule: str
    version: int
    """Applied only while the schedule still has this version."""
    after: datetime
    """Applied only while the cursor still stands here: another scheduler has not been faster."""
    cursor: datetime
    next_at: datetime | None
    rounds: tuple[Round, ...] = ()
    runs: tuple[Run, ...] = ()


class SlotState(NamedTuple):
    """One slot of one tenant as the history knows it."""

    slot: datetime
    tenant: str | None
    state: State
    run_id: str


class WorkerRecord(Struct, frozen=True, kw_only=True):
    """A process that claims runs, as others see it."""

    id: str
    host: str
    boot_id: str
    pid: int
    pid_started: str
    """The process's start time as the kernel tells it: a pid alone may be somebody else's by now."""
    version: str
    queues: Mapping[str, int]
    places: int
    started_at: datetime
    last_seen: datetime
    stamps: Mapping[str, datetime] = MappingProxyType({})
    """When each of its loops last came round."""
