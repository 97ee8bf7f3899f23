"""An application that is driven by hand: memory store, fake clock, jobs executed inline."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from rota import RunContext, every
from rota.app import Rota
from rota.core.model import Round, Run, State
from rota.engine.crew import Crew
from rota.ports import Store
from rota.queries import RoundQuery, RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.values import NOON


def an_app(
    *, store: Store | None = None, clock: FakeClock | None = None, tenants: Any = ("acme", "globex"), **fields: Any
) -> Rota:
    """Return an application on a memory store whose time stands still."""
    clock = clock or FakeClock()
    return Rota(store or MemoryStore(clock=clock), tenants=tenants, clock=clock, **fields)


class Driven:
    """Ticks the services of one process in the order in which a real one would get to them."""

    def __init__(self, app: Rota, clock: FakeClock) -> None:
        self.app = app
        self.clock = clock
        self.crew: Crew = app.crew(inline=True)

    def settle_down(self, *, most: int = 200) -> None:
        """Tick until nothing changes any more at this instant."""
        for _ in range(most):
            before = snapshot(self.app.store)
            self.once()
            if snapshot(self.app.store) == before and not self.crew.worker.busy:
                return
        raise AssertionError("it never comes to rest")

    def once(self) -> None:
        """Let each service do one pass."""
        now = self.clock.now()
        for name in ("standing", "scheduler", "promoter", "limiter", "gatekeeper", "flows", "campaigns"):
            self.crew.services[name].tick(now)
        self.crew.worker.tick(now)
        self.crew.services["closer"].tick(now)

    def advance(self, by: timedelta) -> None:
        """Let time pass, then come to rest."""
        self.clock.tick(by)
        self.settle_down()


def driven(**fields: Any) -> Callable[[Callable[[Rota], None]], Driven]:
    """Return what makes a driven application of a function that declares its jobs."""

    def make(declare: Callable[[Rota], None]) -> Driven:
        clock = fields.pop("clock", None) or FakeClock()
        app = an_app(clock=clock, **fields)
        declare(app)
        return Driven(app, clock)

    return make


def snapshot(store: Store) -> tuple[list[Run], list[Round]]:
    return store.runs(RunQuery(kind=None, limit=100_000)), store.rounds(RoundQuery(limit=100_000))


def runs_of(app: Rota, **fields: Any) -> list[Run]:
    """Return the runs, oldest first."""
    return app.store.runs(RunQuery(limit=100_000, **fields))[::-1]


def rounds_of(app: Rota, **fields: Any) -> list[Round]:
    """Return the rounds, oldest first."""
    return app.store.rounds(RoundQuery(limit=100_000, **fields))[::-1]


def states_by_tenant(runs: Sequence[Run]) -> dict[str | None, State]:
    return {run.tenant: run.state for run in runs}


def noon_plus(**fields: float) -> datetime:
    return NOON + timedelta(**fields)


def hourly(seen: list[tuple[str, object]], **policy: Any) -> Callable[[Rota], None]:
    """Return the declaration of a job that is due each full hour, for every tenant, and notes its windows."""

    def declare(app: Rota) -> None:
        @app.job(schedule=every().hour.at(":00"), per_tenant=True, **policy)
        def report(ctx: RunContext) -> None:
            seen.append((ctx.tenant.id, ctx.window))

    return declare
