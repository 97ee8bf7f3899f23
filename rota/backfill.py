"""Making up slots of the past: which are missing or failed, and the runs that mend them (R13)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from rota.clock import Clock
from rota.core.model import Job, Overlap, Round, Run, Schedule, SlotState, State, Trigger
from rota.core.rounds import Expansion, tenant_run
from rota.core.timing import slot_before, slots
from rota.core.words import parse
from rota.ports import RoundQuery, Store

CHUNK = 2000
"""Runs written in one transaction."""

JUST_BEFORE = timedelta(microseconds=1)


class Mode(StrEnum):
    """Which slots: those without a success to show, those that failed (missing ones too), or every one again."""

    MISSING = "missing"
    FAILED = "failed"
    ALL = "all"


REOPENED = {
    Mode.MISSING: frozenset({State.SKIPPED}),
    Mode.FAILED: frozenset({State.SKIPPED, State.FAILED, State.CANCELLED}),
    Mode.ALL: frozenset({State.SKIPPED, State.FAILED, State.CANCELLED, State.SUCCEEDED}),
}
"""Ended runs that a mode opens again; a slot without a run gets one in every mode."""


class SlotPlan(Struct, frozen=True, kw_only=True):
    """One slot of a backfill."""

    slot: datetime
    missing: tuple[str | None, ...]
    """Tenants without a run; None stands for the job that has no tenants."""
    reopened: tuple[str, ...]
    """Ids of ended runs that are opened again."""
    open: int
    """Runs that are under way already; they are left alone."""
    succeeded: int


class BackfillPlan(Struct, frozen=True, kw_only=True):
    """What a backfill would do."""

    job: str
    schedule: str
    mode: Mode
    tenants: tuple[str | None, ...]
    slots: tuple[SlotPlan, ...]

    @property
    def total(self) -> int:
        """How many runs it adds or opens again."""
        return sum(len(plan.missing) + len(plan.reopened) for plan in self.slots)


class Backfill(Struct, frozen=True, kw_only=True):
    """What a backfill did, or would do."""

    plan: BackfillPlan
    round_ids: tuple[str, ...]
    """The rounds that its runs belong to; empty for a dry run."""
    added: int
    reopened: int


def plan_backfill(
    store: Store,
    schedule: Schedule,
    job: Job,
    *,
    since: datetime,
    until: datetime,
    tenants: Sequence[str | None],
    mode: Mode,
    newest_first: bool,
    now: datetime,
) -> BackfillPlan:
    """Return what a backfill of the slots in [since, until) would do; slots to come are left to their time."""
    timing = parse(schedule.timing)
    ends = min(until - JUST_BEFORE, now)
    chosen = list(slots(timing, after=since - JUST_BEFORE, until=ends))
    known: dict[datetime, dict[str | None, SlotState]] = {}
    for entry in store.slot_states(schedule.name, since=since, until=until):
        known.setdefault(entry.slot, {})[entry.tenant] = entry
    if newest_first:
        chosen.reverse()
    plans = [_plan_slot(slot, known.get(slot, {}), tenants, mode) for slot in chosen]
    return BackfillPlan(job=job.name, schedule=schedule.name, mode=mode, tenants=tuple(tenants), slots=tuple(plans))


def _plan_slot(
    slot: datetime, known: dict[str | None, SlotState], tenants: Sequence[str | None], mode: Mode
) -> SlotPlan:
    of_ours = [known[tenant] for tenant in tenants if tenant in known]
    return SlotPlan(
        slot=slot,
        missing=tuple(tenant for tenant in tenants if tenant not in known),
        reopened=tuple(entry.run_id for entry in of_ours if entry.state in REOPENED[mode]),
        open=sum(1 for entry in of_ours if not entry.state.is_final),
        succeeded=sum(1 for entry in of_ours if entry.state is State.SUCCEEDED),
    )


def carry_out(
    store: Store, plan: BackfillPlan, schedule: Schedule, job: Job, *, actor: str | None, clock: Clock
) -> Backfill:
    """Write the runs of a plan, a chunk of slots at a time. Interrupted anywhere, the next backfill adds the rest.

    Its runs come after live work of the same priority, and a tenant's slots run in order, one at a time.
    """
    due = [slot_plan for slot_plan in plan.slots if slot_plan.missing or slot_plan.reopened]
    per_slot = max(len(plan.tenants), 1)
    step = max(CHUNK // per_slot, 1)
    round_ids: list[str] = []
    added = reopened = 0
    for start in range(0, len(due), step):
        chunk = due[start : start + step]
        rounds = _rounds_of(store, plan, chunk, actor=actor, clock=clock)
        runs = _runs_of(rounds, chunk, schedule, job, clock=clock)
        now = clock.now()
        store.add_rounds(list(rounds.values()), runs, now=now)
        again = [run_id for slot_plan in chunk for run_id in slot_plan.reopened]
        reopened += len(store.requeue(again, now=now, reason=f"backfill ({plan.mode})")) if again else 0
        added += len(runs)
        round_ids += [round_.id for round_ in rounds.values()]
    return Backfill(plan=plan, round_ids=tuple(round_ids), added=added, reopened=reopened)


def _rounds_of(
    store: Store, plan: BackfillPlan, chunk: Sequence[SlotPlan], *, actor: str | None, clock: Clock
) -> dict[datetime, Round]:
    """Return the round of each slot: the one it has, or a new one."""
    wanted = [slot_plan.slot for slot_plan in chunk]
    query = RoundQuery(
        schedule=plan.schedule,
        slot_since=min(wanted),
        slot_until=max(wanted) + JUST_BEFORE,
        limit=len(wanted) * 2 + 100,
    )
    # A round that was skipped, or whose tenants could not be listed, gets them now.
    known = {
        round_.slot: round_
        if round_.expanded and round_.expected
        else replace(round_, expanded=True, expected=len(plan.tenants))
        for round_ in store.rounds(query)
    }
    return {
        slot: known.get(slot)
        or Round(
            id=clock.new_id(),
            job=plan.job,
            schedule=plan.schedule,
            slot=slot,
            trigger=Trigger.BACKFILL,
            actor=actor,
            expanded=True,
            expected=len(plan.tenants),
            created_at=clock.now(),
        )
        for slot in wanted
    }


def _runs_of(
    rounds: dict[datetime, Round],
    chunk: Sequence[SlotPlan],
    schedule: Schedule,
    job: Job,
    *,
    clock: Clock,
) -> list[Run]:
    timing = parse(schedule.timing)
    now = clock.now()
    runs = []
    for slot_plan in chunk:
        # A backfilled run stands for its own slot only: (the slot before, slot] (R9).
        expansion = Expansion(
            args=schedule.args,
            overlap=Overlap.QUEUE_ALL,
            user_id=schedule.user_id,
            since=slot_before(timing, slot_plan.slot),
        )
        round_ = backfilled(rounds[slot_plan.slot])
        runs += [
            tenant_run(round_, expansion, job, tenant=tenant, now=now, new_id=clock.new_id)
            for tenant in slot_plan.missing
        ]
    return runs


def backfilled(round_: Round) -> Round:
    """Return the round as its made-up runs see it: what they add to a round that fired is still a backfill."""
    return Round(
        id=round_.id,
        job=round_.job,
        schedule=round_.schedule,
        slot=round_.slot,
        trigger=Trigger.BACKFILL,
        actor=round_.actor,
        created_at=round_.created_at,
    )
