"""A database server stops answering while jobs run on it, and comes back (R25)."""

import os
import signal
from datetime import timedelta

import pytest
from sqlalchemy import text

from rota import Retry, Rota, RunContext, State
from rota.core.controls import ControlKind
from rota.core.events import Event, TenantParked, TenantRecovered
from rota.core.model import Tenant
from rota.queries import RunQuery
from rota.settings import Settings, TenantSettings
from rota.stores.memory import MemoryStore
from tests import servers
from tests.system.processes import wait_until

FAST = TenantSettings(park_after=1, probe=timedelta(seconds=1), probe_most=timedelta(seconds=1))


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_what_a_frozen_server_holds_up_waits_for_it_and_nothing_fails(kind):  # R25, R21, G2
    heard: list[Event] = []
    # One of its own: it is frozen, and others have tests to run.
    with getattr(servers, kind)() as server:
        tenants = [Tenant(id="acme", url=server.create_database()), Tenant(id="none")]
        app = Rota(MemoryStore(), tenants=tenants, settings=Settings(tenants=FAST))
        app.bus.on(Event, heard.append)

        @app.job(per_tenant=True, retry=Retry(attempts=1))
        def work(ctx: RunContext) -> None:
            if ctx.tenant.id == "acme":
                with ctx.tenant.begin() as db:
                    db.execute(text("SELECT 1"))

        def succeeded(tenant: str) -> int:
            return len(app.store.runs(RunQuery(tenants=(tenant,), states=(State.SUCCEEDED,))))

        with app.working():
            app.start_run("work")
            wait_until(lambda: succeeded("acme") == 1, what="a run on the healthy server")
            os.kill(server.pid, signal.SIGSTOP)
            try:
                app.start_run("work")
                wait_until(lambda: any(isinstance(one, TenantParked) for one in heard), what="acme is parked")
                app.start_run("work")
                wait_until(lambda: succeeded("none") == 3, what="the other tenant goes on")
                assert succeeded("acme") == 1
            finally:
                os.kill(server.pid, signal.SIGCONT)
            wait_until(lambda: succeeded("acme") == 3, what="acme is made up")

    assert [type(one) for one in heard if isinstance(one, TenantParked | TenantRecovered)] == [
        TenantParked,
        TenantRecovered,
    ]
    assert app.store.controls(ControlKind.CIRCUIT) == []
    assert {run.state for run in app.store.runs(RunQuery(limit=100))} == {State.SUCCEEDED}
