"""From the slots of a campaign to their runs: reads what is known of them, and writes what is missing (R13)."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.clock import Clock
from rota.core.agenda import Agenda, agenda, agenda_of, is_of_tenants, names_slot, zone_of_tenant
from rota.core.campaign import Campaign
from rota.core.controls import ControlKind, readable
from rota.core.gates import campaign_batch, first_gate
from rota.core.host import host_of
from rota.core.model import Round, RoundState, Run, Schedule, SlotState, Tenant, Trigger
from rota.core.policy import Job, Overlap
from rota.core.rounds import Expansion, digest, line_key, tenant_run
from rota.core.slot_plan import Made, SlotPlan, plan_slot, stands_at
from rota.core.words import parse
from rota.paging import every_run
from rota.ports import Store
from rota.queries import InLine, RoundQuery, RunQuery

CHUNK = 2000
"""Runs written in one transaction."""


READ = 5000
"""Slots that are looked at in one go."""

PAGE = 500
_TICK = timedelta.resolution


class Planner:
    """Plans one campaign. Whatever is written may be written again, by anybody: nothing is added twice."""

    def __init__(
        self,
        store: Store,
        campaign: Campaign,
        schedule: Schedule,
        job: Job,
        *,
        tenants: Sequence[Tenant],
        zone: str,
        clock: Clock,
    ) -> None:
        """`tenants` are those that the campaign is for; none for a job without tenants.

        Raises:
            BadSchedule: the timing of the schedule cannot be read.
        """
        self._store = store
        self._campaign = campaign
        self._schedule = schedule
        self._job = job
        self._tenants = {tenant.id: tenant for tenant in tenants}
        self._zone = zone
        self._clock = clock
        self._timing = parse(schedule.timing)
        self._batch = campaign_batch(campaign.id)
        self.ids: tuple[str | None, ...] = tuple(self._tenants) if job.per_tenant else (None,)
        self.agenda: Agenda = agenda_of(schedule)

    @property
    def step(self) -> int:
        """How many slots are written in one go."""
        return max(CHUNK // max(len(self.ids), 1), 1)

    # --- looking ---

    def plans(self, slots: Sequence[datetime]) -> list[SlotPlan]:
        """Return what is to be made of these slots, in their order."""
        if not slots:
            return []
        since, until = min(slots), max(slots) + _TICK
        known: dict[datetime, dict[str | None, SlotState]] = {}
        for entry in self._store.slot_states(self._schedule.name, since=since, until=until):
            known.setdefault(entry.slot, {})[entry.tenant] = entry
        made = made_up(self._store, self._schedule.name, since=since, until=until)
        return [
            plan_slot(
                slot,
                known.get(slot, {}),
                self._due_at(slot),
                mode=self._campaign.mode,
                reach=self._campaign.reach,
                made=made,
            )
            for slot in slots
        ]

    def all_plans(self) -> Iterator[list[SlotPlan]]:
        """Yield the plans of all slots of the range, some at a time, oldest first."""
        after, last = self._campaign.since - _TICK, self._campaign.until - _TICK
        while slots := self.agenda.first_slots(after=after, until=last, limit=READ):
            yield self.plans(slots)
            after = slots[-1]

    def _due_at(self, slot: datetime) -> Sequence[str | None]:
        """Return the tenants that have this slot: with a timing in their own zone, not all of them (R15)."""
        if not is_of_tenants(self._timing):
            return self.ids
        return [
            tenant.id for tenant in self._tenants.values() if names_slot(self._timing, tenant, slot, default=self._zone)
        ]

    def _slot_before(self, slot: datetime, tenant: str | None) -> datetime | None:
        if tenant is None or not is_of_tenants(self._timing):
            return self.agenda.slot_before(slot)
        return agenda(self._timing, [zone_of_tenant(self._tenants[tenant], self._zone)]).slot_before(slot)

    # --- writing: one run per slot ---

    def write(self, plans: Sequence[SlotPlan]) -> None:
        """Write the runs of these slots, and open again what is to be."""
        due = [plan for plan in plans if plan.total]
        if not due:
            return
        rounds = self._rounds_of([plan.slot for plan in due])
        runs = [
            self._run(rounds[plan.slot], tenant, since=self._slot_before(plan.slot, tenant))
            for plan in due
            for tenant in plan.missing
        ]
        now = self._clock.now()
        self._store.add_rounds([rounds[plan.slot] for plan in due], runs, now=now)
        if again := self._not_yet_ours([run_id for plan in due for run_id in plan.reopened], due):
            said = f"backfill {self._campaign.id}"
            self._store.requeue(
                again, now=now, reason=said, held_by=self._batch, batch=self._batch, lines=self._lines(due)
            )

    def _lines(self, plans: Sequence[SlotPlan]) -> dict[str, InLine]:
        """Return where runs that are opened again stand: with what is made up, so that no live slot of their tenant
        waits for them, or is skipped for them."""
        return {
            run_id: InLine(
                key=line_key(self._schedule.name, tenant, trigger=Trigger.BACKFILL),
                due_at=stands_at(self._campaign, plan.slot),
            )
            for plan in plans
            for run_id, tenant in zip(plan.reopened, plan.again, strict=True)
        }

    def _not_yet_ours(self, ids: Sequence[str], plans: Sequence[SlotPlan]) -> list[str]:
        """Leave out what an earlier try of this very campaign has opened: it has ended a second time."""
        if not ids:
            return []
        slots = [plan.slot for plan in plans]
        query = RunQuery(batch=self._batch, slot_since=min(slots), slot_until=max(slots) + _TICK)
        ours = {run.id for run in every_run(self._store, query)}
        return [run_id for run_id in ids if run_id not in ours]

    def _run(self, round_: Round, tenant: str | None, *, since: datetime | None) -> Run:
        # A backfilled run stands for its own slot only: (the slot before, slot] (R9).
        expansion = Expansion(
            args=self._schedule.args, overlap=Overlap.QUEUE_ALL, user_id=self._schedule.user_id, since=since
        )
        whose = self._tenants[tenant] if tenant is not None else None
        made = tenant_run(
            _made_up_round(round_, self._campaign),
            expansion,
            self._job,
            tenant=tenant,
            now=self._clock.now(),
            new_id=self._clock.new_id,
            weight=whose.weight if whose is not None else 1.0,
            host=host_of(whose.url) if whose is not None else None,
        )
        due_at = made.due_at if round_.slot is None else stands_at(self._campaign, round_.slot)
        ours = replace(made, batch=self._batch, due_at=due_at)
        return replace(ours, held_by=first_gate(ours, self._job))

    def _rounds_of(self, slots: Sequence[datetime]) -> dict[datetime, Round]:
        """Return the round of each slot: the one it has, or a new one."""
        known = self._known_rounds(since=min(slots), until=max(slots) + _TICK)
        return {slot: self._listed_anew(known[slot]) if slot in known else self._new_round(slot=slot) for slot in slots}

    def _known_rounds(self, *, since: datetime, until: datetime) -> dict[datetime, Round]:
        query = RoundQuery(schedule=self._schedule.name, slot_since=since, slot_until=until, limit=PAGE)
        found: dict[datetime, Round] = {}
        while page := self._store.rounds(query):
            found |= {round_.slot: round_ for round_ in page if round_.slot is not None}
            query = replace(query, before_id=page[-1].id)
        return found

    def _listed_anew(self, round_: Round) -> Round:
        # A round that was skipped, or whose tenants could not be listed, gets them now.
        if round_.expanded and round_.expected:
            return round_
        return replace(round_, expanded=True, expected=len(self.ids))

    def _new_round(self, *, slot: datetime | None) -> Round:
        return Round(
            # That of a run for the whole range is found again by its id: it has no slot to be known by.
            id=self._campaign.id if slot is None else self._clock.new_id(),
            job=self._job.name,
            schedule=self._schedule.name,
            slot=slot,
            trigger=Trigger.BACKFILL,
            actor=self._campaign.actor,
            expanded=True,
            expected=len(self.ids) if slot is not None else None,
            created_at=self._clock.now(),
        )

    # --- writing: one run for the whole range ---

    def write_as_one(self) -> datetime | None:
        """Write one run for each tenant with anything to make up; return its slot, the newest of the range."""
        newest = self.agenda.newest_slots(
            after=self._campaign.since - _TICK, until=self._campaign.until - _TICK, limit=1
        )
        first = self.agenda.first_slots(after=self._campaign.since - _TICK, until=self._campaign.until, limit=1)
        if not newest:
            return None
        [last] = newest
        wanted = self.wanted()
        [at_last] = self.plans([last])
        # After what history says: of a run that an earlier try has written both must be seen, or none.
        ours = {run.tenant for run in every_run(self._store, RunQuery(batch=self._batch))}
        tenants = [tenant for tenant in wanted if tenant not in ours]
        free = set(at_last.missing)
        of_slot = self._rounds_of([last])[last]
        own = self._new_round(slot=None)
        for start in range(0, len(tenants), CHUNK):
            some = tenants[start : start + CHUNK]
            runs = [
                self._run_as_one(of_slot, tenant, first=first[0], slot=last)
                if tenant in free
                # Its newest slot has a run already, whose window cannot be made longer.
                else self._run_as_one(own, tenant, first=first[0], slot=last)
                for tenant in some
            ]
            named = {run.round_id for run in runs}
            rounds = [round_ for round_ in (of_slot, own) if round_.id in named]
            self._store.add_rounds(rounds, runs, now=self._clock.now())
        self._record_range(first[0], last)
        return last

    def wanted(self) -> list[str | None]:
        """Return the tenants that have anything to make up in the range, in their order."""
        left = dict.fromkeys(self.ids)
        for plans in self.all_plans():
            for plan in plans:
                for tenant in (*plan.missing, *plan.again):
                    left.pop(tenant, None)
            if not left:
                break
        return [tenant for tenant in self.ids if tenant not in left]

    def _run_as_one(self, round_: Round, tenant: str | None, *, first: datetime, slot: datetime) -> Run:
        run = self._run(round_, tenant, since=self._slot_before(first, tenant))
        if round_.slot is not None:
            return run
        return replace(run, slot=slot, due_at=slot, dedupe_key=digest("as one", self._campaign.id, tenant or ""))

    def _record_range(self, first: datetime, last: datetime) -> None:
        """Record the slots before the newest as one skipped range, where they have no round of their own.

        Not when only some tenants were meant: those of the others are still missing.
        """
        if first == last or self._campaign.tenants is not None or self._campaign.exclude:
            return
        until = self.agenda.slot_before(last)
        assert until is not None
        now = self._clock.now()
        skipped = Round(
            id=self._clock.new_id(),
            job=self._job.name,
            schedule=self._schedule.name,
            slot=until,
            trigger=Trigger.BACKFILL,
            actor=self._campaign.actor,
            state=RoundState.SKIPPED,
            reason=f"made up in one run with the slot {last.isoformat()}: backfill {self._campaign.id}",
            skipped_from=first,
            expanded=True,
            expected=0,
            created_at=now,
            ended_at=now,
        )
        self._store.add_rounds([skipped], [], now=now)


def made_up(store: Store, schedule: str, *, since: datetime, until: datetime) -> list[Made]:
    """Return what campaigns have made up of the slots in [since, until) in one run per tenant."""
    found = []
    for _, campaign in readable(store.controls(ControlKind.CAMPAIGN), Campaign):
        if not campaign.as_one or campaign.schedule != schedule or campaign.planned is None:
            continue
        if campaign.since >= until or campaign.planned < since:
            continue
        # By its slot, not by its batch: who retries the run takes it out of that.
        at = campaign.planned
        query = RunQuery(schedule=schedule, triggers=(Trigger.BACKFILL,), slot_since=at, slot_until=at + _TICK)
        found += [
            Made(tenant=run.tenant, since=run.since, until=at, state=run.state, run_id=run.id)
            for run in every_run(store, query)
        ]
    return found


def _made_up_round(round_: Round, campaign: Campaign) -> Round:
    """Return the round as its made-up runs see it: what they add to a round that fired is still a backfill."""
    return Round(
        id=round_.id,
        job=round_.job,
        schedule=round_.schedule,
        slot=round_.slot,
        trigger=Trigger.BACKFILL,
        actor=campaign.actor,
        created_at=round_.created_at,
    )
