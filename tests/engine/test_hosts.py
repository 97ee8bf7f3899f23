"""No more runs of one process than allowed use databases of one host, and nobody waits for another host (R22)."""

import threading
from datetime import timedelta

import pytest

from rota import Rota, RunContext, State
from rota.core.model import Tenant
from rota.queries import RunQuery
from rota.settings import Settings, TenantSettings, WorkerSettings
from rota.stores.memory import MemoryStore
from tests.system.processes import wait_until

ON_DB1 = [Tenant(id=f"one-{number:02}", url=f"postgresql://ops@DB-1:5432/one_{number}") for number in range(12)]
ON_DB2 = [Tenant(id=f"two-{number:02}", url=f"postgresql://ops@db-2/two_{number}") for number in range(4)]
NOWHERE = [Tenant(id="file", url="sqlite:////data/file.db"), Tenant(id="none")]


class Meter:
    """Counts how many runs of each host are at it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self.db1_may_end = threading.Event()

    def run(self, tenant: str) -> None:
        host = tenant[:3]
        with self._lock:
            self.now[host] = self.now.get(host, 0) + 1
            self.most[host] = max(self.most.get(host, 0), self.now[host])
        if host == "one":
            self.db1_may_end.wait(20)
        with self._lock:
            self.now[host] -= 1


@pytest.mark.parametrize("most", [1, 2])
def test_a_hosts_runs_are_never_more_than_allowed_and_the_others_do_not_wait(most):  # R22, R21
    meter = Meter()
    settings = Settings(worker=WorkerSettings(concurrency=4), tenants=TenantSettings(max_per_host=most))
    app = Rota(MemoryStore(), tenants=[*ON_DB1, *ON_DB2, *NOWHERE], settings=settings)

    @app.job(per_tenant=True)
    def work(ctx: RunContext) -> None:
        meter.run(ctx.tenant.id)

    def succeeded(prefix: str) -> int:
        runs = app.store.runs(RunQuery(states=(State.SUCCEEDED,), limit=100))
        return sum(1 for run in runs if (run.tenant or "").startswith(prefix))

    with app.working():
        app.start_run("work")
        # db-1 is stuck; everybody else is done all the same.
        wait_until(
            lambda: succeeded("two") == 4 and succeeded("file") == succeeded("none") == 1, what="the others are done"
        )
        assert succeeded("one") == 0 and meter.now["one"] == most
        meter.db1_may_end.set()
        wait_until(lambda: succeeded("one") == 12, what="db-1 is done")

    assert meter.most["one"] == most
    assert meter.most["two"] <= most
    attempts = [app.store.run(run.id) for run in app.store.runs(RunQuery(limit=100))]
    # What is given back leaves no trace: it had not begun.
    assert all(found is not None and len(found.attempts) == 1 for found in attempts)


def test_without_a_cap_a_host_may_have_every_place():  # R22
    meter = Meter()
    app = Rota(MemoryStore(), tenants=ON_DB1, settings=Settings(worker=WorkerSettings(concurrency=4)))

    @app.job(per_tenant=True, timeout=timedelta(minutes=1))
    def work(ctx: RunContext) -> None:
        meter.run(ctx.tenant.id)

    with app.working():
        app.start_run("work")
        wait_until(lambda: meter.now.get("one") == 4, what="all places are taken")
        meter.db1_may_end.set()
