"""What a store is asked, and what it answers, where that is more than a noun of the model."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from msgspec import Struct

from rota.core.delivery import DeliveryState
from rota.core.freshness import Freshness
from rota.core.incident import IncidentState
from rota.core.limits import Limit
from rota.core.model import Origin, RoundState, Run, RunKind, ScheduleState, State, Trigger
from rota.core.rollup import Grain, Subject


class ClaimRequest(Struct, frozen=True, kw_only=True):
    """What a worker can take now."""

    worker: str
    queues: Mapping[str, int]
    """The queues it works, in this order, and how many runs it takes from each at most in this claim."""
    limit: int
    """How many runs it takes at most in all."""
    lease: timedelta
    except_jobs: frozenset[str] = frozenset()
    """Jobs that this worker does not know (R36), and paused ones."""
    except_tenants: frozenset[str] = frozenset()
    """Tenants that are paused or parked (R12, R25)."""
    limits: tuple[Limit, ...] = ()
    """What holds for everybody who claims (R35)."""
    reopened: tuple[str, ...] = ()
    """Limits that may have a place free for runs that stand aside for them, by their own names: those of runs that
    ended, and what `limit_use` shows. A hint: one that has none costs little."""
    handed: tuple[str, int] | None = None
    """Only this run, by (run id, token): its worker has given it into other hands, and whoever asks first has it."""


class Sign(StrEnum):
    """A hint that there may be something to do for one service."""

    RUN_QUEUED = "run_queued"
    """For `claim`."""
    RUN_DUE = "run_due"
    """For `promote`, `expire` and `unblock`: a scheduled run came due or expired, or one waits for a key."""
    RUN_HELD = "run_held"
    """For those who open `gates`."""
    RUN_ASIDE = "run_aside"
    """For `limit_use`: a run stands aside for a limit."""
    ROUND_OVER = "round_over"
    """For `finished_rounds`."""
    SLOT_DUE = "slot_due"
    """For `due`."""
    CONTROL = "control"
    """For `controls`: there are any."""
    ALERT_WAITING = "alert_waiting"
    """For `alerts.claim_deliveries`, of any channel."""


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

    ids: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    states: tuple[State, ...] = ()
    queues: tuple[str, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    kind: RunKind | None = RunKind.JOB
    """Expansions are left out unless `kind` is None or names them."""
    schedule: str | None = None
    round_id: str | None = None
    batch: str | None = None
    parent: str | None = None
    owner: str | None = None
    slot_since: datetime | None = None
    slot_until: datetime | None = None
    """Slots in [slot_since, slot_until)."""
    since: datetime | None = None
    until: datetime | None = None
    """Created in [since, until)."""
    ended_since: datetime | None = None
    """Ended at it or later; those that have not ended are left out."""
    before_id: str | None = None
    """The key of the page before: only runs with a smaller id."""
    limit: int = 50


class RoundQuery(Struct, frozen=True, kw_only=True):
    """Which rounds; every field that is set narrows the answer."""

    jobs: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    """Only rounds that have a run of one of these; and those that are not expanded, or record slots that were skipped:
    of whom they are, their runs do not tell."""
    schedule: str | None = None
    states: tuple[RoundState, ...] = ()
    slot_since: datetime | None = None
    slot_until: datetime | None = None
    before_id: str | None = None
    limit: int = 50


class ScheduleQuery(Struct, frozen=True, kw_only=True):
    """Which schedules; every field that is set narrows the answer."""

    states: tuple[ScheduleState, ...] = ()
    jobs: tuple[str, ...] = ()
    origin: Origin | None = None
    has_next: bool | None = None
    """False: those without a further slot: one-time schedules that have fired, and rows nobody has looked at yet."""
    pause_over: datetime | None = None
    """Only those whose pause ends by then."""
    after: str | None = None
    """The key of the page before: only names after this one."""
    limit: int | None = None


class ErrorKey(NamedTuple):
    """Where an error record stands in a list."""

    last_at: datetime
    job: str
    fingerprint: str


class ErrorQuery(Struct, frozen=True, kw_only=True):
    """Which error records; every field that is set narrows the answer."""

    jobs: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    """Only errors that met one of these."""
    fingerprint: str | None = None
    """A fingerprint, or the beginning of one."""
    since: datetime | None = None
    until: datetime | None = None
    """Last met in [since, until)."""
    before: ErrorKey | None = None
    """The key of the last record of the page before."""
    limit: int = 50


class IncidentQuery(Struct, frozen=True, kw_only=True):
    """Which incidents; every field that is set narrows the answer."""

    ids: tuple[str, ...] = ()
    states: tuple[IncidentState, ...] = ()
    jobs: tuple[str, ...] = ()
    held: bool = False
    """Only those that have a key: what fails in the same way belongs to them."""
    look_before: datetime | None = None
    """Only those that are to be looked at by then."""
    before_id: str | None = None
    """The key of the page before: only incidents with a smaller id."""
    limit: int = 50


class DeliveryQuery(Struct, frozen=True, kw_only=True):
    """Which deliveries; every field that is set narrows the answer."""

    channel: str | None = None
    incident: str | None = None
    states: tuple[DeliveryState, ...] = ()
    created_before: datetime | None = None
    before_id: str | None = None
    limit: int = 50


class AuditQuery(Struct, frozen=True, kw_only=True):
    """Which entries of the audit; every field that is set narrows the answer."""

    actor: str | None = None
    action: str | None = None
    """An action, or the beginning of one that ends in a dot: `schedule.`"""
    target: str | None = None
    since: datetime | None = None
    before_id: str | None = None
    limit: int = 50


class RollupQuery(Struct, frozen=True, kw_only=True):
    """Which sums, and what is added up over; every field that is set narrows the answer."""

    grain: Grain
    subject: Subject | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Of periods that start in [since, until)."""
    jobs: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    by: frozenset[str] = frozenset({"start_at", "job", "tenant", "queue", "outcome"})
    """The fields of the key that are kept apart; over the others it is added up, and they are "". Without `start_at`
    the sums are said to start at `since`, or at the beginning."""


class MeasureQuery(Struct, frozen=True, kw_only=True):
    """Which of the jobs' own numbers; every field that is set narrows the answer."""

    grain: Grain
    since: datetime | None = None
    until: datetime | None = None
    """Of periods that start in [since, until)."""
    jobs: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()


class Counts(Struct, frozen=True, kw_only=True):
    """How many runs stand where, now. Final runs are not counted: history has no cheap total."""

    by_queue: Mapping[str, Mapping[State, int]]
    """Open runs per queue and state, expansions included."""
    waiting: int
    """Of the scheduled ones: how many wait for their concurrency key, not for their time."""
    oldest_queued_at: datetime | None
    """The smallest due time among queued runs."""
    oldest_by_queue: Mapping[str, datetime] = MappingProxyType({})
    """The same for each queue that has queued runs."""


class InLine(NamedTuple):
    """Where a run stands that is opened again."""

    key: str
    """Its concurrency key from now on."""
    due_at: datetime


NO_LINES: Mapping[str, InLine] = MappingProxyType({})


class Pruned(Struct, frozen=True, kw_only=True):
    """The answer to `prune`: what was deleted."""

    runs: int
    chunks: int
    """Chunks of logs that were too old themselves; those that went with their runs do not count."""


EVERY_SCHEDULE = ScheduleQuery()


class OldSnapshot(Struct, frozen=True, kw_only=True):
    """What has kept the store's server from clearing up for long."""

    holder: str
    """Who: never what it asked, which may be secret. May hold any character: others chose the names in it."""
    age: timedelta | None
    """Since when; None where the server counts transactions only, and `holder` says how many."""
    way_out: str


class PairQuery(Struct, frozen=True, kw_only=True):
    """Which watched pairs; every field that is set narrows the answer."""

    schedules: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    states: tuple[Freshness, ...] = ()
    after: tuple[str, str] | None = None
    """The key of the page before: only pairs after it, by schedule and tenant."""
    limit: int | None = None


class FlipQuery(Struct, frozen=True, kw_only=True):
    """Which changes of state; every field that is set narrows the answer."""

    schedule: str | None = None
    tenant: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Flips in [since, until)."""
    before_id: str | None = None
    """The key of the page before: only flips with a smaller id."""
    limit: int = 100


EVERY_PAIR = PairQuery()
