"""What a firing, a manual start or a backfill consists of: rounds, their expansion, and one run per tenant."""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from rota.core.agenda import agenda_of, is_of_tenants
from rota.core.catchup import ON_TIME, Due
from rota.core.gates import catch_up_batch, first_gate, round_batch
from rota.core.model import Firing, Round, RoundState, Run, RunKind, Schedule, State, Trigger
from rota.core.policy import CatchUpMode, Job, Overlap
from rota.core.timing import in_zone, is_spread, next_slot
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
    zoned: str | None = None
    """The timing, when it is in the zone of the tenant: only for tenants in whose zone it names the slot (R15)."""
    jitter: timedelta | None = None
    """Each run is due up to so much later, by its own share."""
    ends: datetime | None = None
    """The schedule's next slot: no jitter reaches it (R15)."""
    canary: str | None = None
    """The tenant that goes first; the others only if it succeeds (R24)."""
    batch: str | None = None
    """With what its runs share a number of places."""


def digest(*parts: object) -> str:
    """Return a key of 32 hexadecimal digits for these parts: the same in every process, and short in an index."""
    text = "\x1f".join(str(part) for part in parts)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def slot_key(schedule: str, slot: datetime, tenant: str | None) -> str:
    """Return the dedupe key of a slot's run: at most one per schedule, slot and tenant, for ever (G4)."""
    return digest("slot", schedule, slot.isoformat(), tenant or "")


def spread_at(timing: str, slot: datetime, *, schedule: str, tenant: str | None, zone: str = "UTC") -> datetime:
    """Return when the run of a slot is due, for this schedule and tenant: the same in every round and process.

    The slot itself is the first instant that the H fields allow, so no run comes before it or after the next (R15).
    """
    just_before = slot - timedelta(microseconds=1)
    return next_slot(in_zone(parse(timing), zone), after=just_before, key=f"{schedule}/{tenant or ''}") or slot


def jittered(due_at: datetime, expansion: Expansion, *, schedule: str, slot: datetime, tenant: str | None) -> datetime:
    """Return when a run is due with its share of the jitter: the same in every process, before the next slot (R15)."""
    if expansion.jitter is None:
        return due_at
    most = expansion.jitter if expansion.ends is None else min(expansion.jitter, expansion.ends - due_at)
    share = int(digest("jitter", schedule, slot.isoformat(), tenant or "")[:8], 16) / 2**32
    # In whole microseconds, rounded down, so that the share of one tenant in many is not the whole.
    return due_at + timedelta(microseconds=int(max(most, timedelta(0)) / timedelta(microseconds=1) * share))


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
    timing, agenda = parse(schedule.timing), agenda_of(schedule)
    # What is fired late, or with others, was missed: so many tenants' slots at once are let out by and by (R8).
    is_missed = len(due.slots) > 1 or any(now - slot > ON_TIME for slot in due.slots)
    for slot in due.slots:
        round_id = new_id()
        round_ = Round(
            id=round_id,
            job=job.name,
            schedule=schedule.name,
            slot=slot,
            created_at=now,
            expanded=not job.per_tenant,
            places=job.max_parallel,
        )
        rounds.append(round_)
        jitter = job.jitter if schedule.jitter is None else schedule.jitter
        expansion = Expansion(
            args=schedule.args,
            tenants=schedule.tenants,
            exclude=schedule.exclude,
            overlap=overlap_of(schedule),
            user_id=schedule.user_id,
            spread=schedule.timing if is_spread(timing) else None,
            zoned=schedule.timing if is_of_tenants(timing) else None,
            jitter=jitter,
            ends=agenda.next_slot(after=slot) if jitter is not None else None,
            batch=_batch(round_, schedule, job, is_missed=is_missed),
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


def passed_over(schedule: Schedule, due: Due) -> Firing:
    """Return what is written for the slots of a paused job: they are decided on, and nothing runs (R12)."""
    return Firing(
        schedule=schedule.name, version=schedule.version, after=schedule.cursor, cursor=due.cursor, next_at=due.next_at
    )


def in_shadow(schedule: Schedule, due: Due, reason: str, *, now: datetime, new_id: Callable[[], str]) -> Firing:
    """Return what is written for the slots of a schedule that another system still carries out: each is fired and
    recorded as skipped, with the reason."""
    rounds = [_round_skipped(schedule, slot, slot, reason, now=now, new_id=new_id) for slot in due.slots]
    if due.skipped_until is not None:
        rounds.insert(0, _skipped(schedule, due, now=now, new_id=new_id))
    return replace(passed_over(schedule, due), rounds=tuple(rounds))


def _batch(round_: Round, schedule: Schedule, job: Job, *, is_missed: bool) -> str | None:
    if not job.per_tenant:
        return None
    if is_missed:
        return catch_up_batch(schedule.name)
    return round_batch(round_.id) if round_.places is not None else None


def overlap_of(schedule: Schedule) -> Overlap:
    """Return how slots of one tenant meet. Slots of a catch-up wait for one another, whatever the policy says (R8)."""
    return Overlap.QUEUE_ALL if schedule.catch_up.mode is CatchUpMode.ALL else schedule.overlap


def _skipped(schedule: Schedule, due: Due, *, now: datetime, new_id: Callable[[], str]) -> Round:
    reason = f"missed; catch-up is {schedule.catch_up.mode}"
    return _round_skipped(schedule, due.skipped_from, due.skipped_until, reason, now=now, new_id=new_id)


def _round_skipped(
    schedule: Schedule,
    first: datetime | None,
    last: datetime | None,
    reason: str,
    *,
    now: datetime,
    new_id: Callable[[], str],
) -> Round:
    return Round(
        id=new_id(),
        job=schedule.job,
        schedule=schedule.name,
        slot=last,
        state=RoundState.SKIPPED,
        reason=reason,
        skipped_from=first,
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


def tenant_run(
    round_: Round,
    expansion: Expansion,
    job: Job,
    *,
    tenant: str | None,
    now: datetime,
    new_id: Callable[[], str],
    weight: float = 1.0,
    host: str | None = None,
    zone: str = "UTC",
) -> Run:
    """Return the run of a round for one tenant, or its only run, before the first gate that it has to pass.

    `host` is that of the tenant's database; `zone` the tenant's, for an H in the zone of the tenant. Repeating it
    gives a run with the same keys.
    """
    schedule, slot = round_.schedule, round_.slot
    dedupe_key = slot_key(schedule, slot, tenant) if schedule and slot else digest("round", round_.id, tenant or "")
    due_at = slot or now
    if schedule and slot:
        if expansion.spread is not None:
            due_at = spread_at(expansion.spread, slot, schedule=schedule, tenant=tenant, zone=zone)
        due_at = jittered(due_at, expansion, schedule=schedule, slot=slot, tenant=tenant)
    in_line = schedule is not None and expansion.overlap is not Overlap.ALLOW
    run = Run(
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
        batch=expansion.batch,
        weight=weight,
        host=host,
        overlap=expansion.overlap,
        max_attempts=job.retry.attempts,
    )
    follows = expansion.canary is not None and expansion.canary != tenant
    return replace(run, held_by=first_gate(run, job, canary=follows))


def paused_run(run: Run, reason: str, *, now: datetime) -> Run:
    """Return the run of a slot of a paused tenant: recorded, and missing for a backfill (R12)."""
    return replace(run, state=State.SKIPPED, reason=reason, ended_at=now, held_by=None)


def parked_run(run: Run, gate: str) -> Run:
    """Return the run of a parked tenant: its slot is kept, whatever the overlap policy says of it (R25)."""
    kept = replace(run, overlap=Overlap.QUEUE_ALL if run.overlap is not Overlap.ALLOW else run.overlap)
    # The canary of its round is asked first: what it decides is for this tenant as well.
    return kept if kept.held_by is not None and kept.held_by.startswith("canary/") else replace(kept, held_by=gate)
