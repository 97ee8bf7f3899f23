"""From a round to its runs: lists the tenants and queues one run for each (R20)."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from rota.clock import Clock
from rota.context import StopSignal
from rota.core.events import TenantsDropped
from rota.core.model import Round, RoundState, Run, Tenant
from rota.core.rounds import Expansion, tenant_runs
from rota.engine.bus import Bus
from rota.engine.directory import Directory
from rota.errors import Stopped, TenantNotFound
from rota.ports import RoundQuery, Store
from rota.signature import Registered

CHUNK = 1000
"""Runs queued in one transaction. Large enough for speed, small enough to lock nobody out for long."""


class Expander:
    """Carries out an expansion. It may die anywhere and be repeated: each run has a key of its own."""

    def __init__(
        self, store: Store, *, clock: Clock, bus: Bus, directory: Directory, jobs: Mapping[str, Registered]
    ) -> None:
        self._store = store
        self._clock = clock
        self._bus = bus
        self._directory = directory
        self._jobs = jobs

    def expand(self, run: Run, stop: StopSignal) -> int:
        """Queue the runs of the round and return how many tenants it has.

        Raises:
            TenantListFailed: nobody was listed; the expansion fails, and with it the round.
        """
        expansion = msgspec.json.decode(run.args, type=Expansion)
        tenants = self._directory.list(now=self._clock.now())
        chosen = choose(tenants, expansion)
        if expansion.tenants is None:
            self._warn_of_a_drop(run, len(tenants))
        round_ = round_of(run)
        # The runs go where their expansion was: a round may have been started in a queue of its own.
        job = replace(self._jobs[run.job].job, queue=run.queue)
        for start in range(0, len(chosen), CHUNK):
            if stop.is_set():
                raise Stopped(stop.reason)
            ids = chosen[start : start + CHUNK]
            now = self._clock.now()
            self._store.enqueue(
                tenant_runs(round_, expansion, job, tenants=ids, now=now, new_id=self._clock.new_id), now=now
            )
        return len(chosen)

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
