"""What a backfill would do, without doing any of it (R13)."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from rota.core.campaign import Campaign, Mode
from rota.core.model import State
from rota.core.slot_plan import SlotPlan, next_slots, slots_and_runs
from rota.engine.planning import READ, Planner
from rota.ports import Store
from rota.queries import RunQuery

LOOKED_AT = 20_000
"""Slots that are looked at in detail: half a second."""
RUNS_LOOKED_AT = 1_000_000
"""Slots times tenants that are."""
SHOWN = 10
MEASURED = 50
STEP_S = 0.05
"""How long the next run of a line waits for a pass that lets it go."""
HEARD = timedelta(minutes=1)
"""A worker that was heard of within this time has places to count on."""


class Preview(Struct, frozen=True, kw_only=True):
    """What a campaign has to do, as history stands now."""

    job: str
    schedule: str
    mode: Mode
    since: datetime
    until: datetime
    as_one: bool
    newest_first: bool
    tenants: tuple[str | None, ...]
    """None stands for the job that has no tenants."""
    slots: int
    slots_are_all: bool
    """Whether these are all slots of the range; else they were counted until they are more than anybody starts."""
    looked_at: int
    """How many of them were looked at in detail, in the campaign's order: the sums below are of these."""
    total: int
    """How many runs it adds or opens again."""
    up_to: int | None
    """How many runs it can have; None when that was not counted to the end."""
    added: int
    reopened: int
    open: int
    """Slots of a tenant that are under way already; they are left alone, as the following."""
    succeeded: int
    failed: int
    pruned: int
    """Those that a tenant has passed, and whose history is not kept any more: they are not missing."""
    first: tuple[SlotPlan, ...]
    last: tuple[SlotPlan, ...]
    """The first and the last slots, in the campaign's order; `last` only those that are not among the first."""
    lanes: int
    """How many runs are out at once, as far as can be told."""
    run_s: float | None
    """How long a run of this job takes, by those that succeeded lately; None when none did."""
    takes_s: float | None
    """How long all of it takes, or what was looked at of it."""

    @property
    def is_all(self) -> bool:
        """Whether `total` is exact, not the least that it can be."""
        return self.up_to == self.total


def slots_looked_at(tenants: int) -> int:
    """Return how many slots a preview looks at in detail."""
    return max(min(LOOKED_AT, RUNS_LOOKED_AT // max(tenants, 1)), 1)


def preview_of(store: Store, planner: Planner, campaign: Campaign, *, now: datetime, most: int) -> Preview:
    """Look at the slots of a campaign that is not there yet: at all of them, or at the first of very many.

    Slots are counted until they make more than `most` runs.
    """
    slots, up_to = slots_and_runs(campaign, planner.agenda, len(planner.ids), most=most)
    first: list[SlotPlan] = []
    last: deque[SlotPlan] = deque(maxlen=SHOWN)
    looked_at, sums = 0, dict.fromkeys(("added", "reopened", "open", "succeeded", "failed", "pruned"), 0)
    lines: Counter[str | None] = Counter()
    for plan in _plans(planner, campaign, limit=slots_looked_at(len(planner.ids))):
        looked_at += 1
        (first if len(first) < SHOWN else last).append(plan)
        lines.update(plan.missing)
        lines.update(plan.again)
        _add(sums, plan)
    is_all = looked_at == slots
    total = len(lines) if campaign.as_one else sums["added"] + sums["reopened"]
    lanes = _lanes(store, campaign, len(lines), now=now)
    run_s = None if campaign.as_one else _run_s(store, campaign.job)
    return Preview(
        job=campaign.job,
        schedule=campaign.schedule,
        mode=campaign.mode,
        since=campaign.since,
        until=campaign.until,
        as_one=campaign.as_one,
        newest_first=campaign.newest_first,
        tenants=planner.ids,
        slots=slots,
        slots_are_all=is_all or slots <= most // max(len(planner.ids), 1),
        looked_at=looked_at,
        total=total,
        up_to=total if is_all else up_to,
        first=tuple(first),
        last=tuple(last if is_all else planner.plans(_last_slots(planner, campaign))),
        lanes=lanes,
        run_s=run_s,
        takes_s=_takes_s(campaign, total, longest=max(lines.values(), default=0), lanes=lanes, run_s=run_s),
        **sums,
    )


def _plans(planner: Planner, campaign: Campaign, *, limit: int) -> Iterator[SlotPlan]:
    """Yield what is to be made of the first slots, in the campaign's order."""
    while limit and (slots := next_slots(campaign, planner.agenda, limit=min(READ, limit))):
        yield from planner.plans(slots)
        limit -= len(slots)
        campaign = replace(campaign, planned=slots[-1])


def _last_slots(planner: Planner, campaign: Campaign) -> list[datetime]:
    backward = replace(campaign, newest_first=not campaign.newest_first)
    return next_slots(backward, planner.agenda, limit=SHOWN)[::-1]


def _add(sums: dict[str, int], plan: SlotPlan) -> None:
    sums["added"] += len(plan.missing)
    sums["reopened"] += len(plan.reopened)
    sums["open"] += plan.open
    sums["succeeded"] += plan.succeeded
    sums["failed"] += plan.failed
    sums["pruned"] += plan.pruned


def _lanes(store: Store, campaign: Campaign, lines: int, *, now: datetime) -> int:
    """Return how many runs can be out: one per tenant, as many as were asked for, as there are places for."""
    places = sum(worker.places for worker in store.workers() if now - worker.last_seen < HEARD)
    bounds = [bound for bound in (lines, campaign.parallel, places) if bound]
    return min(bounds, default=1)


def _run_s(store: Store, job: str) -> float | None:
    runs = store.runs(RunQuery(jobs=(job,), states=(State.SUCCEEDED,), limit=MEASURED))
    took = [
        (run.ended_at - run.started_at).total_seconds()
        for run in runs
        if run.started_at is not None and run.ended_at is not None
    ]
    return _mean(took)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _takes_s(campaign: Campaign, total: int, *, longest: int, lanes: int, run_s: float | None) -> float | None:
    paced = total * 60 / campaign.rate if campaign.rate else 0.0
    if run_s is None:
        return paced or None
    # One after another: the runs of a line, or those that share a place.
    return max(max(longest, total / lanes) * (run_s + STEP_S), paced)
