"""What a backfill would do, without doing any of it (R13)."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from rota.core.campaign import Campaign, Mode
from rota.core.model import State
from rota.core.slot_plan import SlotPlan
from rota.engine.planning import Planner
from rota.ports import Store
from rota.queries import RunQuery

SHOWN = 10
MEASURED = 50
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
    total: int
    """How many runs it adds or opens again."""
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
    """How long all of it takes."""


def preview_of(store: Store, planner: Planner, campaign: Campaign, *, now: datetime) -> Preview:
    """Look at every slot of a campaign that is not there yet."""
    first: list[SlotPlan] = []
    last: deque[SlotPlan] = deque(maxlen=SHOWN)
    slots, sums = 0, dict.fromkeys(("added", "reopened", "open", "succeeded", "failed", "pruned"), 0)
    concerned: set[str | None] = set()
    for plans in planner.all_plans():
        for plan in plans:
            slots += 1
            (first if len(first) < SHOWN else last).append(plan)
            concerned.update(plan.missing, plan.again)
            _add(sums, plan)
    shown = [*reversed(last), *reversed(first)] if campaign.newest_first else [*first, *last]
    total = len(concerned) if campaign.as_one else sums["added"] + sums["reopened"]
    lanes = _lanes(store, campaign, len(concerned), now=now)
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
        total=total,
        first=tuple(shown[:SHOWN]),
        last=tuple(shown[SHOWN:]),
        lanes=lanes,
        run_s=run_s,
        takes_s=_takes_s(campaign, total, lanes=lanes, run_s=run_s),
        **sums,
    )


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


def _takes_s(campaign: Campaign, total: int, *, lanes: int, run_s: float | None) -> float | None:
    paced = total * 60 / campaign.rate if campaign.rate else 0.0
    if run_s is None:
        return paced or None
    return max(total * run_s / lanes, paced)
