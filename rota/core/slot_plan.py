"""What a backfill makes of each slot: who has no run, whose ended run is opened again, who is left alone (R13)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from msgspec import Struct

from rota.core.agenda import Agenda
from rota.core.campaign import Campaign, Mode, Reach
from rota.core.model import SlotState, State

_TICK = timedelta.resolution

REOPENED: Mapping[Mode, frozenset[State]] = {
    Mode.MISSING: frozenset({State.SKIPPED}),
    Mode.FAILED: frozenset({State.SKIPPED, State.FAILED, State.CANCELLED}),
    Mode.ALL: frozenset({State.SKIPPED, State.FAILED, State.CANCELLED, State.SUCCEEDED}),
}
"""Ended runs that a mode opens again; a slot without a run gets one in every mode."""


class Made(Struct, frozen=True, kw_only=True):
    """Slots that one run of an earlier campaign stands for, for one tenant: those in (since, until]."""

    tenant: str | None
    since: datetime | None
    until: datetime
    state: State
    run_id: str

    def has(self, slot: datetime) -> bool:
        return slot <= self.until and (self.since is None or slot > self.since)


class SlotPlan(Struct, frozen=True, kw_only=True):
    """One slot of a backfill."""

    slot: datetime
    missing: tuple[str | None, ...] = ()
    """Tenants that get a run; None stands for the job that has no tenants."""
    reopened: tuple[str, ...] = ()
    """Ids of ended runs that are opened again."""
    again: tuple[str | None, ...] = ()
    """Their tenants."""
    open: int = 0
    """Runs that are under way already; they are left alone."""
    succeeded: int = 0
    failed: int = 0
    """Runs that failed or were cancelled, and are left alone."""
    pruned: int = 0
    """Tenants that have passed the slot and whose history is not kept any more; they are left alone."""

    @property
    def total(self) -> int:
        """How many runs it adds or opens again."""
        return len(self.missing) + len(self.reopened)


def plan_slot(
    slot: datetime,
    known: Mapping[str | None, SlotState],
    tenants: Sequence[str | None],
    *,
    mode: Mode,
    reach: Reach | None = None,
    made: Iterable[Made] = (),
) -> SlotPlan:
    """Decide on one slot. `known` is what history has of it, by tenant."""
    stands = {entry.tenant: entry.state for entry in made if entry.has(slot) and entry.state not in REOPENED[mode]}
    missing: list[str | None] = []
    reopened: list[SlotState] = []
    left: Counter[str] = Counter()
    for tenant in tenants:
        entry = known.get(tenant)
        state = entry.state if entry is not None else None
        if entry is not None and state in REOPENED[mode] and tenant not in stands:
            reopened.append(entry)
        elif (state := stands.get(tenant, state)) is not None:
            left[_left(state)] += 1
        elif mode is not Mode.ALL and reach is not None and reach.is_pruned(slot, tenant):
            left["pruned"] += 1
        else:
            missing.append(tenant)
    return SlotPlan(
        slot=slot,
        missing=tuple(missing),
        reopened=tuple(entry.run_id for entry in reopened),
        again=tuple(entry.tenant for entry in reopened),
        **left,
    )


def _left(state: State) -> str:
    if not state.is_final:
        return "open"
    return "succeeded" if state is State.SUCCEEDED else "failed"


def next_slots(campaign: Campaign, agenda: Agenda, *, limit: int) -> list[datetime]:
    """Return the next slots whose runs are to be written, in the campaign's order; none when all are."""
    first, last = campaign.since - _TICK, campaign.until - _TICK
    if campaign.newest_first:
        until = last if campaign.planned is None else campaign.planned - _TICK
        return agenda.newest_slots(after=first, until=until, limit=limit)[::-1] if until > first else []
    return agenda.first_slots(after=campaign.planned or first, until=last, limit=limit)


def slots_and_runs(campaign: Campaign, agenda: Agenda, tenants: int, *, most: int) -> tuple[int, int | None]:
    """Return how many slots the range has and how many runs it can have at most, without a look at history.

    Counted until it is more than `most` runs: these slots then, and None.
    """
    limit = most // max(tenants, 1) + 1
    slots = _count(campaign, agenda, limit=limit)
    # Each tenant has the slots of one timing, that of its zone.
    each = (
        slots
        if len(agenda.timings) == 1
        else max((_count(campaign, Agenda(timings=(timing,)), limit=limit) for timing in agenda.timings), default=0)
    )
    if campaign.as_one:
        return slots, tenants if slots else 0
    return slots, each * tenants if each < limit else None


def _count(campaign: Campaign, agenda: Agenda, *, limit: int) -> int:
    slots = agenda.slots(after=campaign.since - _TICK, until=campaign.until - _TICK)
    return sum(1 for _ in islice(slots, limit))


def stands_at(campaign: Campaign, slot: datetime) -> datetime:
    """Return when the run of a slot is due, which is how runs stand in line: its slot, or its mirror image in the
    range when the newest go first."""
    return campaign.since + (campaign.until - slot) if campaign.newest_first else slot
