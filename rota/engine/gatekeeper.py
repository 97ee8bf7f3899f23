"""Lets held runs go on when their gates open, and holds what is queued of a paused job or tenant (R8, R11, R12, R24,
R25)."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from rota.core import recovery
from rota.core.gates import DEPENDS, job_gate, next_gate, parked_gate, split, tenant_gate
from rota.core.model import Round, Run, RunKind, State
from rota.core.policy import CatchUp
from rota.core.rounds import Expansion
from rota.engine.blockers import Blockers
from rota.engine.standing import Standing
from rota.errors import TenantListFailed
from rota.ports import Store
from rota.queries import RoundQuery, RunQuery
from rota.signature import Registered

log: logging.Logger = logging.getLogger(__name__)

SOON = timedelta(milliseconds=100)
"""How long it waits while there is something to let through: the next slot of a tenant is held as soon as the one
before has ended."""

PAGES = 5
"""Pages of runs with dependencies, or of a tenant that is back, that one pass looks at; the next one goes on from
there."""

REST_PER_RUN = timedelta(microseconds=500)
LONGEST_REST = timedelta(seconds=5)
"""How long it leaves runs with dependencies alone after it has looked at many. A look takes 20 microseconds for each on
SQLite, and every process looks."""

FEW = 100
"""So many are looked at in each pass."""

HOLDS = 20
"""Paused jobs and tenants whose queued runs one pass puts aside, in turn. Claims leave them out anyway."""

HOLD_AGAIN = timedelta(seconds=5)
"""How long one is left alone of which nothing was queued: to see that nothing is of a job, all that is queued is read,
80 ms for 100,000 runs on SQLite."""


class Gatekeeper:
    """Looks at what is held now, and decides anew in each pass: any number may, and any may die anywhere."""

    def __init__(
        self,
        store: Store,
        *,
        standing: Standing,
        jobs: Mapping[str, Registered],
        zone_of: Callable[[str], str],
        catch_up_places: int,
        every: timedelta = timedelta(seconds=1),
        batch: int = 1000,
    ) -> None:
        """`catch_up_places`: how many runs of one schedule's missed slots are out at once."""
        self._store = store
        self.standing: Standing = standing
        self._jobs = jobs
        self._zone_of = zone_of
        self._catch_up_places = catch_up_places
        self._every = every
        self._batch = batch
        self._looked_until: tuple[datetime, str] | None = None
        self._looks_again_at: datetime | None = None
        self._passed: dict[str, tuple[datetime, str]] = {}
        self._holds_from = 0
        self._held_all: dict[str, datetime] = {}

    def tick(self, now: datetime) -> timedelta:
        self._hold(now)
        moved = self.open_gates(now, but=DEPENDS if self._rests(now) else None)
        if moved >= self._batch:
            return timedelta(0)
        return min(SOON, self._every) if moved else self._every

    def open_gates(self, now: datetime, *, but: str | None = None) -> int:
        """Let through what may go on, but for what one gate holds; return how many runs moved."""
        return sum(self._open(gate, now) for gate in self._store.gates() if gate != but)

    def _rests(self, now: datetime) -> bool:
        # A clock that was set back does not make the rest longer.
        again = self._looks_again_at
        return again is not None and timedelta(0) < again - now <= LONGEST_REST

    def _hold(self, now: datetime) -> None:
        paused = [(job_gate(name), name, None) for name in sorted(self.standing.paused_jobs)]
        held = [(self._gate_of(name), None, name) for name in sorted(self.standing.held_tenants)]
        every = [*paused, *held]
        start = self._holds_from if self._holds_from < len(every) else 0
        self._holds_from = start + HOLDS
        self._held_all = {gate: at for gate, at in self._held_all.items() if timedelta(0) <= now - at < HOLD_AGAIN}
        for gate, job, tenant in every[start : start + HOLDS]:
            if gate in self._held_all:
                continue
            if not self._store.hold(gate, job=job, tenant=tenant, now=now, limit=self._batch) and job is not None:
                self._held_all[gate] = now

    def _gate_of(self, tenant: str) -> str:
        return parked_gate(tenant) if self.standing.is_parked(tenant) else tenant_gate(tenant)

    def _open(self, gate: str, now: datetime) -> int:
        match split(gate):
            case "depends", _:
                return self._open_dependents(now)
            case "job", name if name not in self.standing.paused_jobs:
                return self._send_on(gate, self._held(gate), now)
            case "tenant", name if name not in self.standing.held_tenants:
                return self._send_on(gate, self._held_of_ours(gate), now)
            case "parked", name if name not in self.standing.held_tenants:
                return self._open_parked(gate, name, now)
            case "canary", round_id:
                return self._open_canary(gate, self._canary(round_id), now)
            case "canary-run", run_id:
                history = self._store.run(run_id)
                return self._open_canary(gate, history.run if history else None, now)
            case "round", round_id:
                return self._open_round(gate, round_id, now)
            case "catch-up", _:
                return self._open_catch_up(gate, now)
            case _:
                # What is still closed; a campaign's, which has a service of its own; and those of a newer version.
                return 0

    def _held(self, gate: str) -> list[Run]:
        return self._store.held(gate, limit=self._batch)

    def _held_of_ours(self, gate: str) -> list[Run]:
        """Return a page of what a gate holds of jobs that are known here; it is looked for behind all the others."""
        for _ in range(PAGES):
            page = self._store.held(gate, after=self._passed.get(gate), limit=self._batch)
            ours = [run for run in page if run.job in self._jobs]
            if ours or len(page) < self._batch:
                self._passed.pop(gate, None)
                return ours
            self._passed[gate] = (page[-1].due_at, page[-1].id)
        return []

    def _send_on(self, gate: str, runs: Sequence[Run], now: datetime) -> int:
        """Let runs go on to the next gate that each has to pass. Those of jobs that are not known here are left to a
        process that can tell their gates (R36)."""
        ways: dict[str | None, list[str]] = {}
        for run in runs:
            if run.job in self._jobs:
                ways.setdefault(next_gate(run, self._jobs[run.job].job), []).append(run.id)
        return sum(
            len(self._store.admit(gate, now=now, limit=len(ids), ids=ids, to=to)) for to, ids in ways.items()
        )  # fmt: skip

    # --- dependencies ---

    def _open_dependents(self, now: datetime) -> int:
        """Let those go on whose dependencies have succeeded (R11)."""
        blockers = Blockers(self._store, jobs=self._jobs, zone_of=self._zone_of)
        moved = looked = 0
        for _ in range(PAGES):
            page = self._store.held(DEPENDS, after=self._looked_until, limit=self._batch)
            looked += len(page)
            moved += self._send_on(DEPENDS, [run for run in page if self._is_free(run, blockers)], now)
            if len(page) < self._batch:
                self._looked_until = None
                break
            self._looked_until = (page[-1].due_at, page[-1].id)
        self._looks_again_at = now + min(looked * REST_PER_RUN, LONGEST_REST) if looked > FEW else None
        return moved

    def _is_free(self, run: Run, blockers: Blockers) -> bool:
        try:
            return not blockers.of(run)
        except TenantListFailed as error:
            log.warning("cannot tell what run %s waits for: %s", run.id, error)
            return False

    # --- tenants that are back ---

    def _open_parked(self, gate: str, tenant: str, now: datetime) -> int:
        """Let the runs of a tenant that is reached again go on: of the slots that were kept, those that its schedules
        make up (R25, R8)."""
        held = self._held_of_ours(gate)
        left_out: set[str] = set()
        for schedule in dict.fromkeys(run.schedule for run in held if recovery.is_kept_slot(run)):
            left_out.update(self._leave_out(gate, schedule or "", tenant, now))
        moved = self._send_on(gate, [run for run in held if run.id not in left_out], now)
        return moved + len(left_out)

    def _leave_out(self, gate: str, schedule: str, tenant: str, now: datetime) -> list[str]:
        known = self._store.schedule(schedule)
        policy = known.catch_up if known is not None else CatchUp()
        # One of them holds the tenant's line, the others wait behind it: they will come to the gate one by one.
        query = RunQuery(schedule=schedule, tenants=(tenant,), states=(State.SCHEDULED,), limit=100_000)
        kept = [run for run in self._store.runs(query) if run.held_by == gate and recovery.is_kept_slot(run)]
        ids = [run.id for run in recovery.not_made_up(kept, policy, now=now)]
        reason = f"tenant {tenant} was parked; catch-up is {policy.mode}"
        skipped: list[str] = []
        for start in range(0, len(ids), self._batch):
            skipped += self._store.skip_held(ids[start : start + self._batch], now=now, reason=reason)
        return skipped

    # --- rounds ---

    def _open_canary(self, gate: str, canary: Run | None, now: datetime) -> int:
        """Let the others go on after the canary has succeeded; cancel them when it has not (R24)."""
        if canary is None or not canary.state.is_final:
            return 0
        held = self._held(gate)
        if canary.state is State.SUCCEEDED:
            return self._send_on(gate, held, now)
        why = canary.error.first_line if canary.error else canary.reason or "no reason is known"
        reason = f"canary {canary.tenant} {canary.state}: {why}"
        ids = [run.id for run in held]
        return len(self._store.cancel(ids, now=now, reason=reason, held_by=gate, behind=canary.id))

    def _canary(self, round_id: str) -> Run | None:
        expansions = self._store.runs(RunQuery(round_id=round_id, kind=RunKind.EXPANSION, limit=1))
        names = [msgspec.json.decode(run.args, type=Expansion).canary for run in expansions]
        wanted = tuple(name for name in names if name is not None)
        found = self._store.runs(RunQuery(round_id=round_id, tenants=wanted, limit=1)) if wanted else []
        return next(iter(found), None)

    def _open_round(self, gate: str, round_id: str, now: datetime) -> int:
        round_ = self._round(round_id)
        places = round_.places if round_ is not None else None
        return len(self._store.admit(gate, now=now, limit=self._batch, places=places))

    def _round(self, round_id: str) -> Round | None:
        # Ids have one length: nothing stands between an id and itself with a digit more.
        found = self._store.rounds(RoundQuery(before_id=f"{round_id}0", limit=1))
        return next((round_ for round_ in found if round_.id == round_id), None)

    def _open_catch_up(self, gate: str, now: datetime) -> int:
        """Let missed slots go on while there are places: those of the settings, or of the job where it has fewer."""
        first = next(iter(self._store.held(gate, limit=1)), None)
        if first is None or first.job not in self._jobs:
            return 0
        most = self._jobs[first.job].job.max_parallel
        places = self._catch_up_places if most is None else min(most, self._catch_up_places)
        return len(self._store.admit(gate, now=now, limit=self._batch, places=places))
