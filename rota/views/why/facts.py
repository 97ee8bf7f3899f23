"""What is known now of the things that may stand in a run's way, each read from the store once."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property

import msgspec

from rota.app import Rota
from rota.core.agenda import zone_of_tenant
from rota.core.campaign import Campaign
from rota.core.controls import Circuit, ControlKind, Pause, Paused
from rota.core.dependencies import Blocker
from rota.core.limits import LimitUse
from rota.core.model import OPEN, Round, RoundState, Run, RunKind, Schedule, State, Tenant, WorkerRecord
from rota.core.policy import Job
from rota.core.rounds import Expansion
from rota.engine.blockers import Blockers
from rota.engine.circuits import every_circuit
from rota.errors import TenantListFailed
from rota.limiting import LimitInUse
from rota.queries import Counts, RoundQuery, RunQuery, ScheduleQuery
from rota.views.runs import find_round
from rota.views.status import alive_workers
from rota.views.why.reason import at

TICK = timedelta.resolution
LOOKED_AT = 1000
"""Runs of a queue, a batch or a schedule that are looked at: where there are more, numbers stand for them."""


class Facts:
    """Good for one question: what it has read once it does not read again."""

    def __init__(self, app: Rota, *, zone: tzinfo = UTC) -> None:
        self.app: Rota = app
        self._zone = zone
        self.now: datetime = app.clock.now()
        self.told_of_gates: dict[str, str] = {}
        """What was said of a gate or a blocker for one run, for the next ones that it holds."""
        self._schedules: dict[str, Schedule | None] = {}
        self._rounds: dict[str, Round | None] = {}
        self._queued: dict[str, list[Run]] = {}

    def at(self, instant: datetime) -> str:
        """Return an instant as it is named in a sentence, in the zone that was asked for."""
        return at(instant, self._zone)

    # --- what people and guards have set ---

    @cached_property
    def _pauses(self) -> Mapping[tuple[Paused, str], Pause]:
        return {(pause.kind, pause.name): pause for pause in self.app.pauses.list()}

    def pause(self, kind: Paused, name: str) -> Pause | None:
        """Return how a job, tenant or queue is paused; None when it is not."""
        return self._pauses.get((kind, name))

    @cached_property
    def _circuits(self) -> Mapping[str, Circuit]:
        return every_circuit(self.app.store)

    def parked(self, tenant: str) -> Circuit | None:
        """Return why a tenant is parked; None when it is not."""
        circuit = self._circuits.get(tenant)
        return circuit if circuit is not None and circuit.is_open else None

    def campaign(self, name: str) -> Campaign | None:
        """Return a backfill campaign, or None when it is not kept any more."""
        return Campaign.read(self.app.store.control(ControlKind.CAMPAIGN, name))

    @cached_property
    def _limits(self) -> Mapping[str, LimitInUse]:
        return {found.use.name: found for found in self.app.limits.in_use()}

    def limit(self, name: str) -> LimitInUse:
        """Return a limit with its use, by its own name."""
        return self._limits.get(name) or LimitInUse(limit=None, use=LimitUse(name=name))

    # --- jobs, schedules, tenants ---

    def job(self, name: str) -> Job | None:
        """Return the policy of a job; None when this code does not have it."""
        known = self.app.jobs.get(name)
        return None if known is None else known.job

    def schedule(self, name: str) -> Schedule | None:
        """Return a schedule as it is stored."""
        if name not in self._schedules:
            self._schedules[name] = self.app.store.schedule(name)
        return self._schedules[name]

    def schedules_of(self, job: str) -> list[Schedule]:
        """Return the schedules of a job, by name."""
        return self.app.store.schedules(ScheduleQuery(jobs=(job,)))

    @cached_property
    def tenants(self) -> Mapping[str, Tenant]:
        """The tenants by id.

        Raises:
            TenantListFailed: the source cannot be read.
        """
        return {tenant.id: tenant for tenant in self.app.list_tenants()}

    def is_stranger(self, tenant: str) -> bool:
        """Return whether the source does not list a tenant; not where it cannot be asked."""
        try:
            return tenant not in self.tenants
        except TenantListFailed:
            return False

    def has_history(self, job: str, tenant: str) -> bool:
        """Return whether a job ever ran for a tenant, as far as the store remembers."""
        if self.app.store.runs(RunQuery(jobs=(job,), tenants=(tenant,), limit=1)):
            return True
        names = [schedule.name for schedule in self.schedules_of(job)]
        return any(self.app.store.progress(schedule=name, tenants=[tenant]) for name in names)

    def zone_of(self, tenant: str) -> str:
        """Return the zone of a tenant; that of the settings for one that nobody lists."""
        default = self.app.settings.timezone
        known = self.tenants.get(tenant)
        return default if known is None else zone_of_tenant(known, default)

    @cached_property
    def _blockers(self) -> Blockers:
        jobs = {name: function.registered for name, function in self.app.jobs.items()}
        return Blockers(self.app.store, jobs=jobs, zone_of=self.zone_of)

    def blockers(self, run: Run) -> list[Blocker]:
        """Return what a run waits for; nothing where its tenant's zone cannot be told."""
        try:
            return self._blockers.of(run)
        except TenantListFailed:
            return []

    # --- processes ---

    @cached_property
    def workers(self) -> Sequence[WorkerRecord]:
        """The processes that live."""
        return alive_workers(self.app, self._known_workers, now=self.now)

    @cached_property
    def _known_workers(self) -> Sequence[WorkerRecord]:
        return self.app.store.workers()

    def worker(self, name: str | None) -> WorkerRecord | None:
        """Return a process by its id, also one that is silent."""
        return next((worker for worker in self._known_workers if worker.id == name), None)

    @property
    def last_seen(self) -> datetime | None:
        """When any process was last heard of."""
        return max((worker.last_seen for worker in self._known_workers), default=None)

    @property
    def schedulers(self) -> list[WorkerRecord]:
        """The living processes that fire schedules. One that has just begun has not said yet what it does."""
        return [worker for worker in self.workers if "scheduler" in worker.stamps or not worker.stamps]

    @property
    def schedulers_known(self) -> list[WorkerRecord]:
        """The processes that fired schedules when they were last heard of."""
        return [worker for worker in self._known_workers if "scheduler" in worker.stamps]

    def takers(self, queue: str) -> list[WorkerRecord]:
        """Return the living workers that take runs of a queue."""
        return [worker for worker in self.workers if worker.places and (not worker.queues or queue in worker.queues)]

    # --- runs and rounds ---

    @cached_property
    def counts(self) -> Counts:
        return self.app.store.counts()

    @cached_property
    def running(self) -> list[Run]:
        """What runs now, of any job; up to 1,000."""
        return self.app.store.runs(RunQuery(states=(State.RUNNING,), kind=None, limit=LOOKED_AT))

    def queued(self, queue: str) -> list[Run]:
        """Return what stands in a queue, the next first; the newest 1,000 of them."""
        if queue not in self._queued:
            query = RunQuery(queues=(queue,), states=(State.QUEUED,), kind=None, limit=LOOKED_AT)
            line = sorted(self.app.store.runs(query), key=lambda run: (-run.priority, run.turn, run.id))
            self._queued[queue] = line
        return self._queued[queue]

    def round(self, round_id: str) -> Round | None:
        """Return a round by its id."""
        if round_id not in self._rounds:
            self._rounds[round_id] = find_round(self.app, round_id)
        return self._rounds[round_id]

    def round_of_slot(self, schedule: str, slot: datetime) -> Round | None:
        """Return the round that a schedule fired for a slot; not a range that was skipped up to it."""
        query = RoundQuery(schedule=schedule, slot_since=slot, slot_until=slot + TICK, limit=1)
        return next((one for one in self.app.store.rounds(query) if one.skipped_from is None), None)

    def expansion(self, round_id: str) -> Run | None:
        """Return the run that lists the tenants of a round."""
        query = RunQuery(round_id=round_id, kind=RunKind.EXPANSION, limit=1)
        return next(iter(self.app.store.runs(query)), None)

    def canary(self, round_id: str) -> Run | None:
        """Return the run that the rest of a round waits for."""
        expansion = self.expansion(round_id)
        name = None if expansion is None else msgspec.json.decode(expansion.args, type=Expansion).canary
        if name is None:
            return None
        return next(iter(self.app.store.runs(RunQuery(round_id=round_id, tenants=(name,), limit=1))), None)

    def is_any_open(self, batch: str, tenant: str) -> bool:
        """Whether a run of this batch and tenant is not over."""
        query = RunQuery(batch=batch, tenants=(tenant,), states=tuple(OPEN), limit=1)
        return bool(self.app.store.runs(query))

    def run_of_slot(self, schedule: str, tenant: str | None, slot: datetime) -> Run | None:
        """Return the run of a slot: the newest, of one that was made up as well."""
        tenants = () if tenant is None else (tenant,)
        query = RunQuery(schedule=schedule, tenants=tenants, slot_since=slot, slot_until=slot + TICK, limit=1)
        return next(iter(self.app.store.runs(query)), None)

    def holder(self, run: Run) -> Run | None:
        """Return the run that goes on before this one, of the same schedule and tenant."""
        tenants = () if run.tenant is None else (run.tenant,)
        query = RunQuery(
            jobs=(run.job,), schedule=run.schedule, tenants=tenants, states=tuple(OPEN), kind=run.kind, limit=LOOKED_AT
        )
        line = [one for one in self.app.store.runs(query) if one.concurrency_key == run.waits_for and one.id != run.id]
        first = [one for one in line if one.waits_for is None]
        return next(iter(first or sorted(line, key=lambda one: (one.due_at, one.id))), None)

    def out(self, batch: str) -> int:
        """Return how many runs of a batch stand in a queue or run."""
        counts = self.app.store.batch_counts(batch)
        return counts.get(State.QUEUED, 0) + counts.get(State.RUNNING, 0)

    def open_runs(self, job: str, tenant: str | None) -> list[Run]:
        """Return what is not over of a job, for one tenant or any, oldest first; of many the newest."""
        query = RoundQuery(jobs=(job,), states=(RoundState.RUNNING,), limit=20)
        tenants = () if tenant is None else (tenant,)
        states = tuple(OPEN)
        found: dict[str, Run] = {}
        for round_ in self.app.store.rounds(query):
            if len(found) >= LOOKED_AT:
                break
            narrowed = RunQuery(round_id=round_.id, tenants=tenants, states=states, limit=LOOKED_AT)
            found |= {run.id: run for run in self.app.store.runs(narrowed)}
        # Those without a round are found among all of the job's runs, of which there may be very many: only where
        # something is open that is not accounted for, and not for more of what there is plenty of.
        if len(found) < LOOKED_AT and self._open > len(found):
            of_job = RunQuery(jobs=(job,), tenants=tenants, states=states, limit=LOOKED_AT)
            found |= {run.id: run for run in self.app.store.runs(of_job)}
        return sorted(found.values(), key=lambda run: (run.due_at, run.id))

    @property
    def _open(self) -> int:
        """How many runs are not over, of all jobs."""
        return sum(sum(states.values()) for states in self.counts.by_queue.values())
