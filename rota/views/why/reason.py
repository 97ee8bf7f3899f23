"""What stands in the way of a run, or how it ended, one reason at a time."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any

from msgspec import Struct

from rota.core.duration import rough_duration
from rota.views.explain import Explained


class Code(StrEnum):
    """A reason as programs know it, in the order in which they matter to people."""

    PAUSED_JOB = "paused_job"
    PAUSED_SCHEDULE = "paused_schedule"
    IN_SHADOW = "in_shadow"
    PAUSED_TENANT = "paused_tenant"
    PAUSED_QUEUE = "paused_queue"
    SCHEDULE_BROKEN = "schedule_broken"
    SCHEDULE_ORPHANED = "schedule_orphaned"
    SCHEDULE_FAILED = "schedule_failed"
    SCHEDULE_DONE = "schedule_done"
    TENANTS_NOT_LISTED = "tenants_not_listed"
    TENANT_UNKNOWN = "tenant_unknown"
    TENANT_EXCLUDED = "tenant_excluded"
    TENANT_PARKED = "tenant_parked"
    DEPENDS = "depends"
    FLOW = "flow"
    CANARY = "canary"
    BACKFILL_PAUSED = "backfill_paused"
    BACKFILL_STOPPED = "backfill_stopped"
    BACKFILL_PLACES = "backfill_places"
    BACKFILL_PACE = "backfill_pace"
    ROUND_PLACES = "round_places"
    CATCH_UP_PLACES = "catch_up_places"
    OVERLAP = "overlap"
    LISTING = "listing"
    RETRY = "retry"
    SNOOZED = "snoozed"
    NOT_DUE = "not_due"
    LIMITED = "limited"
    HELD = "held"
    NEVER_STARTED = "never_started"
    NO_SCHEDULER = "no_scheduler"
    NO_WORKER = "no_worker"
    NO_WORKER_FOR_QUEUE = "no_worker_for_queue"
    UNKNOWN_JOB = "unknown_job"
    PLACES_TAKEN = "places_taken"
    IN_LINE = "in_line"
    LEASE_OVER = "lease_over"
    STOPPING = "stopping"
    RUNNING = "running"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    SKIPPED_RANGE = "skipped_range"
    NO_SLOT = "no_slot"
    BEFORE_SCHEDULE = "before_schedule"
    PAUSED_THEN = "paused_then"
    CHANGED_SINCE = "changed_since"
    TENANT_NOT_LISTED_THEN = "tenant_not_listed_then"
    PRUNED = "pruned"
    NOT_FIRED = "not_fired"
    SLOT_TO_COME = "slot_to_come"
    NO_SCHEDULE = "no_schedule"
    FINE = "fine"
    SUCCEEDED = "succeeded"
    NEXT = "next"


ALL_IS_WELL = frozenset({
    Code.IN_LINE, Code.LISTING, Code.NEXT, Code.FINE, Code.NOT_DUE, Code.NO_SCHEDULE, Code.RUNNING, Code.SLOT_TO_COME,
    Code.SUCCEEDED,
})  # fmt: skip
"""What takes its course: nobody has to do anything about it."""

_RANK = {code: rank for rank, code in enumerate(Code)}


class Reason(Struct, frozen=True, kw_only=True):
    """One thing that is so, with what it is about, and what to type where something can be done."""

    code: Code
    text: str
    fix: str | None = None
    facts: Mapping[str, Any] = {}
    """The names, ids, instants and numbers of the text, for programs."""


class Why(Struct, frozen=True, kw_only=True):
    """The answer to "why is this not running?", also for what runs fine."""

    kind: str
    """What was asked about: `job`, `schedule`, `slot`, `run`, `round` or `backfill`."""
    subject: str
    state: str
    """In a word or two: `paused`, `blocked`, `failed`, `runs fine`."""
    is_fine: bool
    """Whether all is well: nobody has to do anything."""
    reasons: list[Reason]
    """What matters most comes first."""
    schedules: list[Explained] = []
    """In words with the next slots, for a job or schedule."""


def in_order(reasons: Iterable[Reason]) -> list[Reason]:
    """Return reasons by what matters, each once."""
    once = {(reason.code, reason.text): reason for reason in reasons}
    return sorted(once.values(), key=lambda reason: _RANK[reason.code])


def reason(code: Code, text: str, fix: str | None = None, **facts: object) -> Reason:
    """Return a reason; facts that are None are left out."""
    return Reason(code=code, text=text, fix=fix, facts={name: fact for name, fact in facts.items() if fact is not None})


def at(instant: datetime, zone: tzinfo = UTC) -> str:
    """Return an instant as reasons name it: to the minute, to the second where it has some, with its zone."""
    local = instant.astimezone(zone)
    return local.strftime("%Y-%m-%d %H:%M:%S %Z" if local.second else "%Y-%m-%d %H:%M %Z")


def distance(instant: datetime, *, now: datetime) -> str:
    """Return how far away an instant is: `in 12m`, `3h ago`, `now`."""
    seconds = (instant - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"in {rough_duration(seconds)}" if seconds > 0 else f"{rough_duration(-seconds)} ago"


def named(names: Iterable[str], *, most: int = 5) -> str:
    """Return some names, and how many more there are."""
    listed = list(names)
    more = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {more} more" if more > 0 else "")
