"""Backfill campaigns as they are shown: how far, how fast, what failed, slot by slot (R13)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from rota.app import Rota
from rota.core.campaign import Campaign, CampaignState, open_runs
from rota.core.gates import campaign_batch
from rota.core.model import OPEN, State
from rota.core.slot_plan import stands_at
from rota.paging import every_run
from rota.queries import RunQuery

LOOKED_AT = 1000
"""Failed runs whose errors are counted."""

STRIP_RUNS = 20_000
CELLS = 60

UNSAID = "no error was recorded"
_WORST = (State.FAILED, State.RUNNING, State.QUEUED, State.SCHEDULED, State.CANCELLED, State.SKIPPED)


class CampaignRow(Struct, frozen=True, kw_only=True):
    """One campaign and how far it has come."""

    campaign: Campaign
    counts: Mapping[str, int]
    total: int
    done: int
    failed: int
    per_minute: float | None
    """Runs that ended per minute since it was started."""
    eta_s: float | None

    @property
    def is_settled(self) -> bool:
        """Whether nothing happens any more unless somebody does something."""
        return self.campaign.ended_at is not None or self.campaign.state in (
            CampaignState.STOPPED,
            CampaignState.PAUSED,
        )


class Cause(Struct, frozen=True, kw_only=True):
    """An error, and how many runs of a campaign failed with it."""

    error: str
    count: int
    tenants: list[str]


class Cell(Struct, frozen=True, kw_only=True):
    """One slot, or some that lie side by side, with the worst of their states."""

    slot: datetime
    state: str


class CampaignDetail(Struct, frozen=True, kw_only=True):
    """A campaign with what failed and how it looks along its range."""

    row: CampaignRow
    causes: list[Cause]
    strip: list[Cell]
    """In its own order; empty for a campaign of over 20,000 runs."""


def campaign_rows(app: Rota) -> list[CampaignRow]:
    """Return the campaigns, newest first."""
    return [_row(app, campaign) for campaign in app.campaigns.list()]


def campaign_row(app: Rota, name: str) -> CampaignRow:
    """Return a campaign and how far it has come.

    Raises:
        CampaignNotFound: there is none.
    """
    return _row(app, app.campaigns.get(name))


def campaign_detail(app: Rota, name: str) -> CampaignDetail:
    """Return a campaign with what failed, slot by slot.

    Raises:
        CampaignNotFound: there is none.
    """
    row = campaign_row(app, name)
    return CampaignDetail(row=row, causes=causes(app, row.campaign), strip=_strip(app, row))


def causes(app: Rota, campaign: Campaign) -> list[Cause]:
    """Return the errors of its newest 1,000 failed runs, the most frequent first."""
    query = RunQuery(batch=campaign_batch(campaign.id), states=(State.FAILED,), limit=LOOKED_AT)
    counts: Counter[str] = Counter()
    tenants: dict[str, dict[str, None]] = {}
    for run in app.store.runs(query):
        error = run.error.first_line if run.error is not None else run.reason or UNSAID
        counts[error] += 1
        tenants.setdefault(error, {})[run.tenant or ""] = None
    return [
        Cause(error=error, count=count, tenants=sorted(name for name in tenants[error] if name))
        for error, count in counts.most_common()
    ]


def _row(app: Rota, campaign: Campaign) -> CampaignRow:
    counts = app.campaigns.counts(campaign.id)
    known = sum(counts.values())
    done = known - open_runs(counts)
    # Runs that are retried by hand leave it, and slots may have been filled by others meanwhile.
    total = known if campaign.is_planned else max(campaign.total, known)
    passed = ((campaign.ended_at or app.clock.now()) - campaign.created_at).total_seconds() / 60
    per_minute = round(done / passed, 2) if passed > 0 and done else None
    left = total - done
    eta_s = round(left / per_minute * 60, 1) if per_minute and left and campaign.state.is_active else None
    return CampaignRow(
        campaign=campaign,
        counts={str(state): count for state, count in sorted(counts.items())},
        total=total,
        done=done,
        failed=counts.get(State.FAILED, 0),
        per_minute=per_minute,
        eta_s=eta_s,
    )


def _strip(app: Rota, row: CampaignRow) -> list[Cell]:
    if row.total > STRIP_RUNS:
        return []
    worst: dict[datetime, State] = {}
    for run in every_run(app.store, RunQuery(batch=campaign_batch(row.campaign.id))):
        if run.slot is not None:
            worst[run.slot] = _worse(worst.get(run.slot, State.SUCCEEDED), run.state)
    slots = sorted(worst, key=lambda slot: stands_at(row.campaign, slot))
    size = -(-len(slots) // CELLS) or 1
    groups = [slots[start : start + size] for start in range(0, len(slots), size)]
    return [Cell(slot=group[0], state=_said(_worst_of([worst[slot] for slot in group]))) for group in groups]


def _worse(one: State, other: State) -> State:
    return _worst_of([one, other])


def _worst_of(states: Sequence[State]) -> State:
    return next((state for state in _WORST if state in states), State.SUCCEEDED)


def _said(state: State) -> str:
    """Return a state as a slot has it; what is open waits or runs, and a strip shows which."""
    return "waiting" if state in OPEN and state is not State.RUNNING else str(state)
