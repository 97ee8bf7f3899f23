"""Who works in a process: the places of its worker, and its services."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Protocol

from msgspec import Struct

from rota.calls import Executor
from rota.clock import Clock
from rota.engine import maintenance
from rota.engine.bookkeeper import Bookkeeper
from rota.engine.bus import Bus
from rota.engine.gatekeeper import Gatekeeper
from rota.engine.lag import Watched
from rota.engine.loop import Service
from rota.engine.openings import Limiter
from rota.engine.plan import Plan
from rota.engine.pool import Pool
from rota.engine.scheduler import Resumer, Scheduler
from rota.engine.surroundings import Surroundings
from rota.engine.worker import Worker
from rota.ports import Store
from rota.signature import Registered

RESCUE = timedelta(seconds=5)
"""How often ended leases are looked for at the latest; more often where leases are short, since a run whose host is
gone waits for both (G9)."""


class Coroutines(Executor, Watched, Protocol):
    """An executor with an event loop."""


class Outside(Struct, frozen=True, kw_only=True):
    """A fleet as its runs are sent to it from here."""

    executor: Executor
    places: int
    patience: timedelta


def pools(
    executor: Executor,
    coroutines: Coroutines | None,
    *,
    jobs: Mapping[str, Registered],
    plan: Plan,
    fleets: Mapping[str, Outside] = MappingProxyType({}),
) -> list[Pool]:
    """Return the places: first those of threads and children, then those of coroutines, then those of each fleet."""
    of: dict[str, frozenset[str]] = {}
    for name in (*(["asyncio"] if coroutines is not None else []), *fleets):
        of[name] = frozenset(job for job, registered in jobs.items() if registered.job.executor == name)
    made = [Pool(executor, places=plan.places, jobs=frozenset(jobs).difference(*of.values()), ahead=True)]
    if coroutines is not None:
        # Each is begun as soon as it is claimed: one more than there are places would be one too many.
        made.append(Pool(coroutines, places=plan.coroutines, jobs=of["asyncio"], ahead=False))
    for name, fleet in fleets.items():
        made.append(Pool(fleet.executor, places=fleet.places, jobs=of[name], ahead=False))
    return made


def services(
    store: Store,
    *,
    clock: Clock,
    bus: Bus,
    plan: Plan,
    worker: Worker,
    scheduler: Scheduler,
    gatekeeper: Gatekeeper,
    books: Bookkeeper,
) -> dict[str, Service]:
    """Return what is driven besides the worker and its leases, by name.

    Whoever works or schedules also rescues, closes, prunes and keeps the gates: there is no process without which
    those stop.
    """
    named: dict[str, Service] = {
        "standing": gatekeeper.standing,
        "neighbours": maintenance.Neighbours(store, bus=bus, books=books),
        "rescuer": maintenance.Rescuer(
            store, clock=clock, bus=bus, books=books, lease=plan.lease, every=min(RESCUE, plan.lease / 5)
        ),
        "promoter": maintenance.Promoter(store),
        "limiter": Limiter(store, standing=gatekeeper.standing, openings=worker.openings, wake=worker.wake),
        "gatekeeper": gatekeeper,
        "closer": maintenance.RoundCloser(store, bus=bus, books=books),
        "pruner": maintenance.Pruner(
            store,
            succeeded=plan.keep_succeeded,
            failed=plan.keep_failed,
            slots=plan.keep_slots,
            logs=plan.keep_logs,
            audit=plan.keep_audit,
            rollups=plan.keep_rollups,
        ),
        "bookkeeper": books,
    }
    if plan.schedules:
        named["scheduler"] = scheduler
        named["resumer"] = Resumer(store)
    if plan.works:
        named["surroundings"] = Surroundings(worker.began_since_last_look, bus=bus)
    return named
