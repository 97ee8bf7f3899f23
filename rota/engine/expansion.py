"""From a round to its runs: lists the tenants and queues one run for each (R20)."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from rota.clock import Clock
from rota.context import StopSignal
from rota.core.agenda import names_slot, zone_of_tenant
from rota.core.controls import Paused
from rota.core.events import TenantsDropped
from rota.core.gates import parked_gate
from rota.core.host import host_of
from rota.core.model import Round, RoundState, Run, Tenant, Trigger
from rota.core.policy import Job
from rota.core.rounds import Expansion, parked_run, paused_run, tenant_run
from rota.core.words import parse
from rota.engine.bus import Bus
from rota.engine.directory import Directory
from rota.engine.standing import Standing
from rota.errors import Stopped, TenantNotFound
from rota.ports import Store
from rota.queries import RoundQuery
from rota.signature import Registered

CHUNK = 1000
"""Runs queued in one transaction. Large enough for speed, small enough to lock nobody out for long."""


class Expander:
    """Carries out an expansion. It may die anywhere and be repeated: each run has a key of its own."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        bus: Bus,
        directory: Directory,
        standing: Standing,
        jobs: Mapping[str, Registered],
        default_zone: str = "UTC",
    ) -> None:
        """`default_zone` is the zone of tenants who have none."""
        self._store = store
        self._clock = clock
        self._bus = bus
        self._directory = directory
        self._standing = standing
        self._jobs = jobs
        self._default_zone = default_zone

    def expand(self, run: Run, stop: StopSignal) -> int:
        """Queue the runs of the round and return how many tenants it has.

        Raises:
            TenantListFailed: nobody was listed; the expansion fails, and with it the round.
            TenantNotFound: the expansion names a tenant that is not listed.
        """
        expansion = msgspec.json.decode(run.args, type=Expansion)
        tenants = self._directory.list(now=self._clock.now())
        chosen = self._chosen(run, tenants, expansion)
        if expansion.tenants is None:
            self._warn_of_a_drop(run, len(tenants))
        # What was paused a moment ago must not get a run of this slot.
        self._standing.tick(self._clock.now())
        round_ = round_of(run)
        # The runs go where their expansion was: a round may have been started in a queue of its own.
        job = replace(self._jobs[run.job].job, queue=run.queue)
        for start in range(0, len(chosen), CHUNK):
            if stop.is_set():
                raise Stopped(stop.reason)
            now = self._clock.now()
            some = chosen[start : start + CHUNK]
            self._store.enqueue([self._run_of(round_, expansion, job, tenant, now) for tenant in some], now=now)
        return len(chosen)

    def _chosen(self, run: Run, tenants: Sequence[Tenant], expansion: Expansion) -> list[Tenant]:
        """Return the tenants of the round, its canary first."""
        wanted = frozenset(choose(tenants, expansion))
        chosen = [tenant for tenant in tenants if tenant.id in wanted]
        if expansion.zoned is not None and run.slot is not None:
            timing = parse(expansion.zoned)
            chosen = [one for one in chosen if names_slot(timing, one, run.slot, default=self._default_zone)]
        if expansion.canary is not None:
            if all(tenant.id != expansion.canary for tenant in chosen):
                raise TenantNotFound(expansion.canary, known=[tenant.id for tenant in chosen])
            # Written first: whoever is held at its gate has somebody to wait for, also when this dies half-way.
            chosen.sort(key=lambda tenant: tenant.id != expansion.canary)
        return chosen

    def _run_of(self, round_: Round, expansion: Expansion, job: Job, tenant: Tenant, now: datetime) -> Run:
        run = tenant_run(
            round_,
            expansion,
            job,
            tenant=tenant.id,
            now=now,
            new_id=self._clock.new_id,
            weight=tenant.weight,
            host=host_of(tenant.url),
            zone=zone_of_tenant(tenant, self._default_zone),
        )
        if round_.trigger is not Trigger.SCHEDULE:
            # What people ask for is kept for them; the worker leaves it alone meanwhile.
            return run
        pause = self._standing.pause(Paused.TENANT, tenant.id)
        if pause is not None:
            return paused_run(run, f"tenant {pause.said}", now=now)
        return parked_run(run, parked_gate(tenant.id)) if self._standing.is_parked(tenant.id) else run

    def _warn_of_a_drop(self, run: Run, listed: int) -> None:
        if run.schedule is None or not self._bus.wants(TenantsDropped):
            return
        recent = self._store.rounds(RoundQuery(schedule=run.schedule, limit=5))
        before = next(
            (r.expected for r in recent if r.expected and r.state is not RoundState.SKIPPED and r.id != run.round_id), 0
        )
        if listed * 3 < before * 2:
            self._bus.publish(TenantsDropped(round_id=run.round_id or "", job=run.job, before=before, now=listed))


def choose(tenants: Sequence[Tenant], expansion: Expansion) -> list[str]:
    """Return the ids that an expansion is for, in the order of the source.

    Raises:
        TenantNotFound: it names one that the source does not list.
    """
    listed = [tenant.id for tenant in tenants]
    if expansion.tenants is not None:
        known = set(listed)
        for name in expansion.tenants:
            if name not in known:
                raise TenantNotFound(name, known=listed)
        wanted = set(expansion.tenants)
        listed = [name for name in listed if name in wanted]
    excluded = set(expansion.exclude)
    return [name for name in listed if name not in excluded]


def round_of(expansion: Run) -> Round:
    """Return as much of the round as its runs need; the expansion carries it."""
    return Round(
        id=expansion.round_id or expansion.id,
        job=expansion.job,
        schedule=expansion.schedule,
        slot=expansion.slot,
        trigger=expansion.trigger,
        actor=expansion.actor,
        created_at=expansion.created_at,
    )
