"""What a firing, a manual start or a backfill consists of: rounds, their expansion, and one run per tenant."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec
from msgspec import Struct

from rota.core.catchup import Due
from rota.core.model import (
    CatchUpMode,
    Firing,
    Job,
    Overlap,
    Round,
    RoundState,
    Run,
    RunKind,
    Schedule,
    State,
    Trigger,
)
from rota.core.timing import is_spread, next_slot
from rota.core.words import parse


class Expansion(Struct, frozen=True, kw_only=True):
    """What an expansion needs to know to queue the runs of its round; stored as the arguments of its run."""

    args: str
    tenants: tuple[str, ...] | None = None
    """Only these; `None` is every tenant that the source lists."""
    exclude: tuple[str, ...] = ()
    overlap: Overlap = Overlap.SKIP
    user_id: str | None = None
    since: datetime | None = None
    spread: str | None = None
    """The timing, when its H spreads the runs of a slot over the range of the field (R2)."""


def digest(*parts: object) -> str:
    """Return a key of 32 hexadecimal digits for these parts: the same in every process, and short in an index."""
    text = "\x1f".join(str(part) for part in parts)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def slot_key(schedule: str, slot: datetime, tenant: str | None) -> str:
    """Return the dedupe key of a slot's run: at most one per schedule, slot and tenant, for ever (G4)."""
    return digest("slot", schedule, slot.isoformat(), tenant or "")


def spread_at(timing: str, slot: datetime, *, schedule: str, tenant: str | None) -> datetime:
    """Return when the run of a slot is due, for this schedule and tenant: the same in every round and process.

    The slot itself is the first instant that the H fields allow, so no run comes before it or after the next (R15).
    """
    just_before = slot - timedelta(microseconds=1)
    return next_slot(parse(timing), after=just_before, key=f"{schedule}/{tenant or ''}") or slot


def line_key(schedule: str, tenant: str | None, *, trigger: Trigger) -> str:
    """Return the concurrency key in which the runs of a schedule and tenant stand in line.

    Made-up slots have a line of their own: a backfill of a year must neither hold back tonight's slot nor make it
    look like an overlap and be skipped.
    """
    return digest("backfill" if trigger is Trigger.BACKFILL else "line", schedule, tenant or "")


def firing(schedule: Schedule, job: Job, due: Due, *, now: datetime, new_id: Callable[[], str]) -> Firing:
    """Return what one firing writes: the rounds of the due slots, the round that records a skipped range, and for
    each round its expansion, or its one run when the job is not per tenant."""
    rounds: list[Round] = []
    runs: list[Run] = []
    if due.skipped_until is not None:
        rounds.append(_skipped(schedule, due, now=now, new_id=new_id))
    for slot in due.slots:
        round_ = Round(
            id=new_id(), job=job.name, schedule=schedule.name, slot=slot, created_at=now, expanded=not job.per_tenant
        )
        rounds.append(round_)
        expansion = Expansion(
            args=schedule.args,
            tenants=schedule.tenants,
            overlap=overlap_of(schedule),
            user_id=schedule.user_id,
            spread=schedule.timing if is_spread(parse(schedule.timing)) else None,
        )
        runs.append(
            expansion_run(round_, expansion, job, now=now, new_id=new_id)
            if job.per_tenant
            else tenant_run(round_, expansion, job, tenant=None, now=now, new_id=new_id)
        )
    return Firing(
        schedule=schedule.name,
        version=schedule.version,
        after=schedule.cursor,
        cursor=due.cursor,
        next_at=due.next_at,
        rounds=tuple(rounds),
        runs=tuple(runs),
    )


def overlap_of(schedule: Schedule) -> Overlap:
    """Return how slots of one tenant meet. Slots of a catch-up wait for one another, whatever the policy says (R8)."""
    return Overlap.QUEUE_ALL if schedule.catch_up.mode is CatchUpMode.ALL else schedule.overlap


def _skipped(schedule: Schedule, due: Due, *, now: datetime, new_id: Callable[[], str]) -> Round:
    return Round(
        id=new_id(),
        job=schedule.job,
        schedule=schedule.name,
        slot=due.skipped_until,
        state=RoundState.SKIPPED,
        reason=f"missed; catch-up is {schedule.catch_up.mode}",
        skipped_from=due.skipped_from,
        expanded=True,
        expected=0,
        created_at=now,
        ended_at=now,
    )


def expansion_run(round_: Round, expansion: Expansion, job: Job, *, now: datetime, new_id: Callable[[], str]) -> Run:
    """Return the run that lists the tenants and queues their runs.

    Expansions of one schedule's slots stand in line: the runs of an earlier slot are queued before those of a later
    one, so that each tenant's slots run in order.
    """
    return Run(
        id=new_id(),
        job=job.name,
        queue=job.queue,
        kind=RunKind.EXPANSION,
        args=msgspec.json.encode(expansion).decode(),
        priority=job.priority,
        due_at=round_.slot or now,
        created_at=now,
        trigger=round_.trigger,
        actor=round_.actor,
        schedule=round_.schedule,
        slot=round_.slot,
        round_id=round_.id,
        dedupe_key=digest("expansion", round_.id),
        concurrency_key=digest("expansions", round_.schedule) if round_.schedule and round_.slot else None,
        max_attempts=job.retry.attempts,
    )


def tenant_runs(
    round_: Round, expansion: Expansion, job: Job, *, tenants: Sequence[str], now: datetime, new_id: Callable[[], str]
) -> list[Run]:
    """Return the runs of a round, one per tenant, in the order given. Repeating it gives runs with the same keys."""
    return [tenant_run(round_, expansion, job, tenant=tenant, now=now, new_id=new_id) for tenant in tenants]


def tenant_run(
    round_: Round, expansion: Expansion, job: Job, *, tenant: str | None, now: datetime, new_id: Callable[[], str]
) -> Run:
    """Return the run of a round for one tenant, or its only run."""
    schedule, slot = round_.schedule, round_.slot
    dedupe_key = slot_key(schedule, slot, tenant) if schedule and slot else digest("round", round_.id, tenant or "")
    due_at = slot or now
    if expansion.spread is not None and schedule and slot:
        due_at = spread_at(expansion.spread, slot, schedule=schedule, tenant=tenant)
    in_line = schedule is not None and expansion.overlap is not Overlap.ALLOW
    return Run(
        id=new_id(),
        job=job.name,
        queue=job.queue,
        tenant=tenant,
        user_id=expansion.user_id,
        args=expansion.args,
        state=State.QUEUED,
        # Made-up work comes after live work of the same priority.
        priority=job.priority - 1 if round_.trigger is Trigger.BACKFILL else job.priority,
        due_at=due_at,
        created_at=now,
        trigger=round_.trigger,
        actor=round_.actor,
        schedule=schedule,
        slot=slot,
        since=expansion.since,
        round_id=round_.id,
        dedupe_key=dedupe_key,
        concurrency_key=line_key(schedule, tenant, trigger=round_.trigger) if schedule and in_line else None,
        overlap=expansion.overlap,
        max_attempts=job.retry.attempts,
    )
