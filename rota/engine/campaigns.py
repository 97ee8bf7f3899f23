"""Moves backfill campaigns on: writes their runs, lets them go, and ends them (R13)."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.clock import Clock
from rota.core import campaign as decide
from rota.core.campaign import Campaign, CampaignState
from rota.core.controls import Control, ControlKind, readable
from rota.core.events import CampaignEnded
from rota.core.gates import DEPENDS, campaign_batch, split
from rota.core.model import OPEN, Run, Schedule, State, Tenant
from rota.core.policy import Job
from rota.core.slot_plan import next_slots
from rota.engine.bus import Bus
from rota.engine.directory import Directory
from rota.engine.planning import Planner
from rota.errors import BadSchedule, TenantListFailed
from rota.ports import Store
from rota.queries import RunQuery
from rota.signature import Registered

log: logging.Logger = logging.getLogger(__name__)

EVERY = timedelta(seconds=1)
SOONEST = timedelta(milliseconds=50)
"""How soon a pass comes after one that let runs go on: the next of a line is held until it is seen."""

ADMITTED = 1000
"""Runs that one pass lets go on."""

CANCELLED = 500
KEPT = timedelta(days=90)
"""How long a campaign that is over is kept, for people to see."""


class Campaigns:
    """Any number may work at once, and each may die anywhere: what is to be done is read from the store each time.

    Runs are written before the campaign says that they are: a death in between repeats what adds nothing twice. What
    a pace gives away is written down before it is given: a death in between makes it slower, never faster.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        bus: Bus,
        jobs: Mapping[str, Registered],
        directory: Directory,
        zone: Callable[[], str],
    ) -> None:
        """`zone` is that of tenants without one of their own."""
        self._store = store
        self._clock = clock
        self._bus = bus
        self._jobs = jobs
        self._directory = directory
        self._zone = zone
        self._wait = EVERY

    def tick(self, now: datetime) -> timedelta:
        # The longer nothing goes on, the longer until the next look: runs of a second are not looked at 20 times.
        self._wait = SOONEST if self.move(now) else min(self._wait * 2, EVERY)
        return self._wait

    def move(self, now: datetime) -> bool:
        """Do what there is to do now; return whether anything went on."""
        controls = self._store.controls(ControlKind.CAMPAIGN)
        known = readable(controls, Campaign)
        moved = [self._move_one(control, campaign, now) for control, campaign in known]
        # One that cannot be read is of a newer version, which looks after it.
        over = {campaign.id for _, campaign in known if campaign.state.is_over}
        left_alone = {control.name for control in controls} - over
        for gate in self._store.gates():
            kind, name = split(gate)
            if kind == "campaign" and name not in left_alone:
                self._clear(name, now)
        return any(moved)

    def _move_one(self, control: Control, campaign: Campaign, now: datetime) -> bool:
        if campaign.state.is_active:
            return self._go_on(control, campaign, now)
        if campaign.state is CampaignState.CANCELLED and campaign.ended_at is None:
            return self._give_up(control, campaign, now)
        if campaign.ended_at is not None and now - campaign.ended_at > KEPT:
            self._store.drop_control(ControlKind.CAMPAIGN, control.name, expected_version=control.version)
        return False

    # --- going on ---

    def _go_on(self, control: Control, campaign: Campaign, now: datetime) -> bool:
        registered = self._jobs.get(campaign.job)
        if registered is None:
            # Left to a process that has the job.
            return False
        batch = campaign_batch(campaign.id)
        if campaign.stop_after is not None:
            counts = self._store.batch_counts(batch)
            is_over = campaign.is_planned and not decide.open_runs(counts)
            if decide.has_failed_enough(campaign, counts) and not is_over:
                return self._end(control, decide.stopped(campaign, counts), now)
        planned = not campaign.is_planned and self._plan(control, campaign, registered.job, now)
        if planned:
            # The control is a newer one now, which the next pass reads.
            return True
        if campaign.canary is not None:
            if (lost := self._lost_canary(campaign)) is not None:
                why = lost.error.first_line if lost.error else lost.reason or "no reason is known"
                return self._end(control, decide.without_canary(campaign, lost.state, why), now)
            if self._canary_runs(campaign, tuple(OPEN)):
                return self._admit(control, campaign, registered.job, now, of_canary=True)
        admitted = self._admit(control, campaign, registered.job, now)
        if admitted or not campaign.is_planned or self._has_open(batch):
            return admitted
        return self._end(control, decide.ended(campaign, self._store.batch_counts(batch), now=now), now)

    def _plan(self, control: Control, campaign: Campaign, job: Job, now: datetime) -> bool:
        """Write the next runs; return whether this call moved the campaign on."""
        batch = campaign_batch(campaign.id)
        if campaign.mode is not decide.Mode.MISSING and self._store.held(batch, limit=1):
            # Ended runs are opened again as they are wanted: until they run they stand in the way of live slots.
            return False
        schedule = self._store.schedule(campaign.schedule)
        if schedule is None:
            return self._stop(control, campaign, f"schedule {campaign.schedule} is deleted", now)
        try:
            planner = self._planner(campaign, schedule, job, now)
            after = self._write_next(planner, campaign)
        except BadSchedule as error:
            return self._stop(control, campaign, f"schedule {campaign.schedule}: {error}", now)
        except TenantListFailed as error:
            # It goes on when the source is back. Other campaigns, and its own runs that are written, go on meanwhile.
            log.warning("backfill %s cannot be written further: %s", campaign.id, error)
            return False
        return self._write(control, after, now)

    def _planner(self, campaign: Campaign, schedule: Schedule, job: Job, now: datetime) -> Planner:
        tenants = chosen(campaign, schedule, self._directory.list(now=now)) if job.per_tenant else []
        return Planner(
            self._store, campaign, schedule, job, tenants=tenants, zone=self._zone(), clock=self._clock
        )  # fmt: skip

    def _write_next(self, planner: Planner, campaign: Campaign) -> Campaign:
        """Return the campaign after its next runs are written."""
        if campaign.as_one:
            slot = planner.write_as_one()
            return replace(campaign, planned=slot, is_planned=True, state=CampaignState.RUNNING)
        slots = next_slots(campaign, planner.agenda, limit=planner.step)
        planner.write(planner.plans(slots))
        if len(slots) == planner.step:
            return replace(campaign, planned=slots[-1])
        last = slots[-1] if slots else campaign.planned
        return replace(campaign, planned=last, is_planned=True, state=CampaignState.RUNNING)

    def _lost_canary(self, campaign: Campaign) -> Run | None:
        """Return a run of its canary that did not succeed and will not, or None."""
        return next(iter(self._canary_runs(campaign, (State.FAILED, State.CANCELLED))), None)

    def _canary_runs(self, campaign: Campaign, states: tuple[State, ...]) -> list[Run]:
        """Return a run of the tenant that goes first in one of these states, if there is any (R24)."""
        tenants = () if campaign.canary is None else (campaign.canary,)
        query = RunQuery(batch=campaign_batch(campaign.id), tenants=tenants, states=states, limit=1)
        return self._store.runs(query)

    def _admit(self, control: Control, campaign: Campaign, job: Job, now: datetime, *, of_canary: bool = False) -> bool:
        batch = campaign_batch(campaign.id)
        limit, wanted = ADMITTED, decide.allowance(campaign, now=now)
        only = self._held_canary(campaign) if of_canary else None
        if wanted is not None:
            most = min(wanted, ADMITTED)
            held = only if only is not None else self._store.held(batch, limit=most) if most else ()
            limit = min(most, len(held))
            if limit == 0:
                return False
            if not self._write(control, decide.spent(campaign, limit, now=now), now):
                return False
        ids = self._let_go(campaign, job, limit, now, only=only)
        if wanted is not None and len(ids) < limit:
            self._give_back(campaign.id, limit - len(ids), now)
        return bool(ids)

    def _held_canary(self, campaign: Campaign) -> list[str]:
        """Return which runs of its canary are held for it: the first of its line, the others wait behind that one."""
        batch, after = campaign_batch(campaign.id), None
        while page := self._store.held(batch, after=after, limit=ADMITTED):
            found = [run.id for run in page if run.tenant == campaign.canary]
            if found:
                return found
            after = (page[-1].due_at, page[-1].id)
        return []

    def _let_go(
        self, campaign: Campaign, job: Job, limit: int, now: datetime, *, only: Sequence[str] | None = None
    ) -> list[str]:
        gate, to = campaign_batch(campaign.id), DEPENDS if job.depends_on else None
        return self._store.admit(gate, now=now, limit=limit, ids=only, places=campaign.parallel, to=to)

    def _give_back(self, name: str, count: int, now: datetime) -> None:
        """Give back to a pace what found no place. Lost if somebody is faster: it is slower by so much, once."""
        known = self._store.control(ControlKind.CAMPAIGN, name)
        if known is not None:
            self._write(known, decide.spent(Campaign.of(known), -count, now=now), now)

    # --- ending ---

    def _give_up(self, control: Control, campaign: Campaign, now: datetime) -> bool:
        batch = campaign_batch(campaign.id)
        if self._cancel_open(batch, campaign.why or "its backfill is cancelled", now):
            return True
        if self._has_open(batch):
            # What runs was asked to stop, and has not yet.
            return False
        return self._end(control, decide.ended(campaign, self._store.batch_counts(batch), now=now), now)

    def _cancel_open(self, batch: str, reason: str, now: datetime) -> bool:
        runs = self._store.runs(RunQuery(batch=batch, states=tuple(OPEN), limit=CANCELLED))
        ids = [run.id for run in runs if not run.cancel_requested]
        # A full page of those that were asked already hides nothing for long: they end.
        return bool(ids) and bool(self._store.cancel(ids, now=now, reason=reason))

    def _has_open(self, batch: str) -> bool:
        return bool(self._store.runs(RunQuery(batch=batch, states=tuple(OPEN), limit=1)))

    def _stop(self, control: Control, campaign: Campaign, why: str, now: datetime) -> bool:
        return self._end(control, replace(campaign, state=CampaignState.STOPPED, why=why), now)

    def _end(self, control: Control, campaign: Campaign, now: datetime) -> bool:
        """Write how it ended. Of several processes one does, and that one tells."""
        if not self._write(control, campaign, now):
            return False
        self._bus.publish(CampaignEnded(campaign=campaign.id, state=str(campaign.state), reason=campaign.why))
        return True

    def _clear(self, name: str, now: datetime) -> None:
        """See to runs that are held for a campaign which lets nothing go any more.

        A process that stood still for long has written what others had written before, and it is over since then.
        """
        known = self._store.control(ControlKind.CAMPAIGN, name)
        campaign = None if known is None else Campaign.of(known)
        if campaign is None or campaign.state is CampaignState.CANCELLED:
            self._cancel_open(campaign_batch(name), (campaign and campaign.why) or "its backfill is gone", now)
        elif campaign.state is CampaignState.DONE and campaign.job in self._jobs:
            self._let_go(campaign, self._jobs[campaign.job].job, ADMITTED, now)

    def _write(self, known: Control, campaign: Campaign, now: datetime) -> bool:
        """Write the campaign if nobody has changed it since it was read."""
        return self._store.put_control(
            decide.control_of(campaign, known=known, now=now), expected_version=known.version
        )  # fmt: skip


def chosen(campaign: Campaign, schedule: Schedule, tenants: Sequence[Tenant]) -> list[Tenant]:
    """Return the tenants that a campaign is for, in the order of the source; those that are gone are left out."""
    only = campaign.tenants if campaign.tenants is not None else schedule.tenants
    without = {*campaign.exclude, *(schedule.exclude if campaign.tenants is None else ())}
    return [tenant for tenant in tenants if (only is None or tenant.id in only) and tenant.id not in without]
