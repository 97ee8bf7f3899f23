"""Tenants with SQLite files that can be taken away, and a process that parks and tries them."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from rota import Retry, Rota, RunContext
from rota.core.controls import Circuit, ControlKind
from rota.core.events import Event
from rota.core.model import Tenant
from rota.ports import Store
from rota.settings import Settings, TenantSettings
from tests.clocks import FakeClock
from tests.engine.house import Driven, an_app
from tests.values import MINUTE

RETRIES = Retry(attempts=3, base=MINUTE, factor=1, jitter=False)


class Databases:
    """A directory with one SQLite file per tenant. They are listed whether their files are there or not."""

    def __init__(self, path: Path, *names: str) -> None:
        self._path = path
        self.names: list[str] = list(names)
        for name in names:
            self.bring_back(name)

    def __call__(self) -> list[Tenant]:
        return [Tenant(id=name, url=f"sqlite:///{self.file(name)}") for name in self.names]

    def file(self, name: str) -> Path:
        return self._path / f"{name}.db"

    def take_away(self, name: str) -> None:
        self.file(name).unlink()

    def bring_back(self, name: str) -> None:
        sqlite3.connect(self.file(name)).close()


class Guarded(Driven):
    """A process that also parks tenants, and tries those that are."""

    def __init__(self, app: Rota, clock: FakeClock) -> None:
        super().__init__(app, clock)
        self.heard: list[Event] = []
        app.bus.on(Event, self.heard.append)

    def once(self) -> None:
        for name in ("circuits", "prober"):
            self.crew.services[name].tick(self.clock.now())
        super().once()
        self.crew.services["circuits"].tick(self.clock.now())

    def advance(self, by: timedelta) -> None:
        self.clock.tick(by)
        # What is parked or back is known before runs are claimed: one pass for that, at least.
        self.once()
        self.settle_down()

    def events(self, *kinds: type[Event]) -> list[Any]:
        return [event for event in self.heard if isinstance(event, kinds)]


def guarded(
    tenants: Callable[[], list[Tenant]], declare: Callable[[Rota], None], *, store: Store | None = None,
    clock: FakeClock | None = None, **said: Any,
) -> Guarded:  # fmt: skip
    clock = clock or FakeClock()
    settings = Settings(tenants=TenantSettings(**({"probe": MINUTE} | said)))
    app = an_app(store=store, clock=clock, tenants=tenants, settings=settings)
    declare(app)
    return Guarded(app, clock)


def hourly_reads(seen: list[str], **policy: Any) -> Callable[[Rota], None]:
    """Return the declaration of a job that reads each tenant's database each full hour."""

    def declare(app: Rota) -> None:
        @app.job(schedule="0 * * * *", per_tenant=True, **({"retry": RETRIES} | policy))
        def report(ctx: RunContext) -> None:
            with ctx.tenant.begin() as db:
                db.execute(text("SELECT 1"))
            assert ctx.slot is not None
            seen.append(f"{ctx.tenant.id} {ctx.slot:%H}")

        @app.job(schedule="30 * * * *", per_tenant=True)
        def chat(ctx: RunContext) -> None:
            """Has nothing to do with the database."""

    return declare


def circuit(store: Store, tenant: str) -> Circuit | None:
    control = store.control(ControlKind.CIRCUIT, tenant)
    return None if control is None else Circuit.of(control)
