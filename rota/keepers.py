"""What keeps schedules, gates and campaigns going beside scheduler and worker, made for one process."""

from collections.abc import Callable
from datetime import timedelta

from rota.core.agenda import zone_of_tenant
from rota.core.circuit import Probing
from rota.core.model import Tenant
from rota.engine.bookkeeper import Bookkeeper
from rota.engine.campaigns import Campaigns
from rota.engine.circuits import Circuits, Prober
from rota.engine.confirmer import Confirmer
from rota.engine.cron_jobs import CronJobs
from rota.engine.gatekeeper import Gatekeeper
from rota.engine.guard import Guard
from rota.engine.hosts import Hosts
from rota.engine.loop import Service
from rota.engine.onces import Onces
from rota.engine.probes import Probes
from rota.engine.rows import Rows
from rota.engine.standing import Standing
from rota.engine.zones import Zones
from rota.premises import Premises

ONCES = timedelta(seconds=5)
"""How soon at the latest a one-time schedule is cleared away after its run."""


def schedule_keepers(premises: Premises, *, worker: str, confirm: Callable[[str], None]) -> dict[str, Service]:
    """Return the services that whoever schedules has, by name; `worker` is the id of this process."""
    store, bus, jobs, settings = premises.store, premises.bus, premises.jobs, premises.settings
    zones, every = Zones(premises.directory, default=settings.timezone), settings.scheduler.rows
    return {
        "confirmer": Confirmer(confirm, worker=worker),
        "rows": Rows(store, bus=bus, jobs=jobs, zones=zones, worker=worker, every=every),
        "cron_jobs": CronJobs(
            store,
            bus=bus,
            jobs=jobs,
            directory=premises.directory,
            zones=zones,
            zone=settings.timezone,
            worker=worker,
            every=every,
        ),
        "onces": Onces(store, bus=bus, every=min(every, ONCES)),
        "campaigns": make_campaigns(premises),
    }


def make_campaigns(premises: Premises) -> Campaigns:
    """Return what moves backfill campaigns on."""
    return Campaigns(
        premises.store,
        clock=premises.clock,
        bus=premises.bus,
        jobs=premises.jobs,
        directory=premises.directory,
        zone=lambda: premises.settings.timezone,
    )


def make_gatekeeper(premises: Premises) -> Gatekeeper:
    """Return what lets held runs go on."""

    def zone_of(tenant: str) -> str:
        known = premises.directory.find(tenant, now=premises.clock.now()) or Tenant(id=tenant)
        return zone_of_tenant(known, premises.settings.timezone)

    return Gatekeeper(
        premises.store,
        standing=Standing(premises.store, limits=premises.limits),
        jobs=premises.jobs,
        zone_of=zone_of,
        catch_up_places=premises.settings.scheduler.max_catch_up_parallel,
    )


def make_books(premises: Premises) -> Bookkeeper:
    """Return what counts what ends in this process."""
    settings = premises.settings.metrics
    return Bookkeeper(
        premises.store,
        source=premises.clock.new_id(),
        now=premises.clock.now,
        every=settings.flush,
        apart=lambda tenant: "*" in settings.tenant_label or tenant in settings.tenant_label,
    )


def make_guard(premises: Premises, standing: Standing, *, inline: bool) -> Guard:
    """Return what parks tenants whose database cannot be reached, tries them (in threads of its own, or `inline` within
    its tick), and keeps to the cap per database host."""
    said = premises.settings.tenants
    probing = Probing(park_after=said.park_after, first=said.probe, most=said.probe_most)
    prober = Prober(
        premises.store,
        standing=standing,
        directory=premises.directory,
        bus=premises.bus,
        probing=probing,
        probes=Probes(premises.probe, monotonic=premises.clock.monotonic, start=_here if inline else None),
    )
    return Guard(
        circuits=Circuits(premises.store, standing=standing, bus=premises.bus, probing=probing),
        prober=prober,
        hosts=Hosts(premises.directory, most=said.max_per_host) if said.max_per_host > 0 else None,
    )


def _here(function: Callable[[], None]) -> None:
    function()
