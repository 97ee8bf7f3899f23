"""Backfill campaigns: what was asked for, how far it has come, and what is to be done next (R13)."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from rota.core.controls import Control, ControlKind, Setting
from rota.core.model import OPEN, State

BURST = timedelta(seconds=5)
"""What a pace may catch up on at once, after a moment in which nobody looked."""

MOST_PARALLEL = 10_000
MOST_PER_MINUTE = 600_000.0


class Mode(StrEnum):
    """Which slots: those without a success to show, those that failed (missing ones too), or every one again."""

    MISSING = "missing"
    FAILED = "failed"
    ALL = "all"


class CampaignState(StrEnum):
    """Where a campaign stands. Only `planning` and `running` let runs go on."""

    PLANNING = "planning"
    """Its runs are being written; the first of them run already."""
    RUNNING = "running"
    """All its runs are written."""
    PAUSED = "paused"
    STOPPED = "stopped"
    """Too many of its runs failed; it goes on when it is resumed."""
    DONE = "done"
    CANCELLED = "cancelled"

    @property
    def is_active(self) -> bool:
        return self in (CampaignState.PLANNING, CampaignState.RUNNING)

    @property
    def is_over(self) -> bool:
        return self in (CampaignState.DONE, CampaignState.CANCELLED)


class Reach(Struct, frozen=True, kw_only=True):
    """How far history reaches back: a slot without a run may have run, and its history been pruned (R13, R72)."""

    since: datetime
    """When the schedule was made: the first slot that it recorded is a later one."""
    until: datetime
    """Runs of slots from here on are still kept."""
    usual: datetime | None = None
    """The last success of most tenants when the campaign was made."""
    others: Mapping[str, datetime | None] = field(default_factory=dict)
    """That of the others."""

    def is_pruned(self, slot: datetime, tenant: str | None) -> bool:
        """Whether progress has passed a slot whose history is not kept any more."""
        if not self.since < slot < self.until:
            return False
        reached = self.others.get(tenant or "", self.usual)
        return reached is not None and slot <= reached


class Campaign(Setting, frozen=True, kw_only=True):
    """A backfill of a range of slots. Kept as the body of a control; its name is the campaign's id."""

    id: str
    job: str
    schedule: str
    since: datetime
    until: datetime
    """Slots in [since, until)."""
    tenants: tuple[str, ...] | None = None
    """Only these; `None` is every tenant of the schedule, or none when the job is not per tenant."""
    exclude: tuple[str, ...] = ()
    mode: Mode = Mode.MISSING
    newest_first: bool = False
    as_one: bool = False
    """One run per tenant for the whole range, in place of one per slot."""
    parallel: int | None = None
    """How many of its runs are out at once; `None` is one per tenant."""
    rate: float | None = None
    """How many of its runs begin per minute; `None` is without limit."""
    stop_after: int | None = None
    """It stops when so many of its runs have failed for good."""
    canary: str | None = None
    """The runs of this tenant go first, the others after all of them have succeeded; `None` once somebody has resumed
    it in spite of a canary that did not (R24)."""
    reach: Reach | None = None
    """None where nothing can have been pruned."""
    state: CampaignState = CampaignState.PLANNING
    reason: str | None = None
    """Why it was asked for."""
    actor: str | None = None
    created_at: datetime
    total: int = 0
    """How many runs it has, as the preview said."""
    planned: datetime | None = None
    """The slot up to which its runs are written, in its own order."""
    is_planned: bool = False
    """Whether all of them are."""
    paced_at: datetime | None = None
    """Since when its pace has runs to spare: one for each interval between then and now."""
    forgiven: int = 0
    """Failures that do not count any more: somebody has resumed it in spite of them."""
    paused_by: str | None = None
    why: str | None = None
    """Why it is paused, stopped or cancelled."""
    ended_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    """Runs per state, as they were when it was over; empty before."""


def control_of(campaign: Campaign, *, known: Control | None, now: datetime) -> Control:
    """Return the campaign as a store keeps it, in the place of the control that was read."""
    version = 1 if known is None else known.version + 1
    return Control(
        kind=ControlKind.CAMPAIGN, name=campaign.id, body=campaign.body(), version=version, changed_at=now
    )  # fmt: skip


def allowance(campaign: Campaign, *, now: datetime) -> int | None:
    """Return how many runs its pace lets go on now; `None` is without limit."""
    if campaign.rate is None:
        return None
    return math.floor((now - _spare_since(campaign, now)) / _interval(campaign.rate))


def spent(campaign: Campaign, count: int, *, now: datetime) -> Campaign:
    """Return the campaign after its pace has given away so many runs; a negative count gives them back."""
    if campaign.rate is None:
        return campaign
    return replace(campaign, paced_at=_spare_since(campaign, now) + count * _interval(campaign.rate))


def _spare_since(campaign: Campaign, now: datetime) -> datetime:
    assert campaign.rate is not None
    interval = _interval(campaign.rate)
    if campaign.paced_at is None:
        # The first may go at once.
        return now - interval
    # Never later than now: a clock that was set back must not hold it up until its old time has come again.
    return max(min(campaign.paced_at, now), now - max(interval, BURST))


def _interval(rate: float) -> timedelta:
    return timedelta(minutes=1) / rate


def has_failed_enough(campaign: Campaign, counts: Mapping[State, int]) -> bool:
    """Whether so many of its runs have failed that it must stop."""
    return campaign.stop_after is not None and failures(campaign, counts) >= campaign.stop_after


def failures(campaign: Campaign, counts: Mapping[State, int]) -> int:
    """Return how many of its runs have failed, without those that were forgiven."""
    return max(counts.get(State.FAILED, 0) - campaign.forgiven, 0)


def stopped(campaign: Campaign, counts: Mapping[State, int]) -> Campaign:
    """Return a campaign of which too many runs have failed: it lets no more go on until somebody resumes it."""
    count = failures(campaign, counts)
    why = f"{count} {'run' if count == 1 else 'runs'} failed, and it stops after {campaign.stop_after}"
    return replace(campaign, state=CampaignState.STOPPED, why=why)


def without_canary(campaign: Campaign, state: State, why: str) -> Campaign:
    """Return a campaign whose canary did not succeed: it lets no more go on until somebody resumes it (R24)."""
    return replace(campaign, state=CampaignState.STOPPED, why=f"canary {campaign.canary} {state}: {why}")


def ended(campaign: Campaign, counts: Mapping[State, int], *, now: datetime) -> Campaign:
    """Return a campaign whose runs are all final: done, or cancelled as it was."""
    state = campaign.state if campaign.state.is_over else CampaignState.DONE
    told = {str(which): count for which, count in sorted(counts.items())}
    return replace(campaign, state=state, counts=told, ended_at=now)


def open_runs(counts: Mapping[State, int]) -> int:
    """Return how many of these are not final."""
    return sum(count for state, count in counts.items() if state in OPEN)


# --- what people do to it ---


def paused(campaign: Campaign, *, by: str | None, reason: str) -> Campaign:
    """Return a campaign that lets nothing go on. What is out ends."""
    return replace(campaign, state=CampaignState.PAUSED, paused_by=by, why=reason)


def resumed(campaign: Campaign, counts: Mapping[State, int], *, now: datetime) -> Campaign:
    """Return a campaign that goes on where it stood. The failures until now do not stop it again."""
    return replace(
        campaign,
        state=CampaignState.RUNNING if campaign.is_planned else CampaignState.PLANNING,
        forgiven=counts.get(State.FAILED, 0),
        canary=None if campaign.state is CampaignState.STOPPED else campaign.canary,
        # A pace does not catch up on the time of a pause.
        paced_at=None if campaign.paced_at is None else now,
        paused_by=None,
        why=None,
    )


def cancelled(campaign: Campaign, *, by: str | None, reason: str | None) -> Campaign:
    """Return a campaign that is given up: its open runs are cancelled next."""
    who = f"cancelled by {by or 'somebody'}"
    return replace(campaign, state=CampaignState.CANCELLED, why=f"{who}: {reason}" if reason else who)
