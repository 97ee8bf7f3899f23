"""Whoever keeps the gates dies before and after each store call; another one goes on."""

from collections import Counter

from rota import Retry, Rota, RunContext, State, every
from rota.core.controls import Paused
from rota.core.model import RoundState
from rota.ports import Store
from rota.queries import RoundQuery, RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.crash import READS, crash_points
from tests.engine.gates import start
from tests.engine.house import Driven, an_app
from tests.values import HOUR, MINUTE

TENANTS = ["acme", "initech"]


class Gates:
    """Loads for two tenants, one at a time, a report that needs each, and a start with a canary."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store: Store = MemoryStore(clock=self.clock)
        self.done: list[tuple[str, str]] = []
        self._process(self.store)
        self.clock.tick(HOUR)

    def _process(self, store: Store) -> Driven:
        app = an_app(store=store, clock=self.clock, tenants=TENANTS)
        self._declare(app)
        return Driven(app, self.clock)

    def _declare(self, app: Rota) -> None:
        retry = Retry(attempts=2, base=MINUTE, jitter=False)
        at = every().hour.at(":00")

        @app.job(schedule=at, per_tenant=True, max_parallel=1, retry=retry)
        def load(ctx: RunContext) -> None:
            if ctx.tenant.id == "acme" and ctx.attempt == 1:
                raise ValueError("the first attempt fails")
            self.done.append(("load", ctx.tenant.id))

        @app.job(schedule=at, per_tenant=True, max_parallel=1, depends_on=[load], retry=retry)
        def report(ctx: RunContext) -> None:
            assert ("load", ctx.tenant.id) in self.done
            self.done.append(("report", ctx.tenant.id))

        @app.job(per_tenant=True, retry=retry)
        def tidy(ctx: RunContext) -> None:
            assert ctx.tenant.id == "initech" or ("tidy", "initech") in self.done
            self.done.append(("tidy", ctx.tenant.id))

    def run(self, store: Store) -> None:
        process = self._process(store)
        start(process, "tidy", canary="initech")
        process.app.pauses.pause(Paused.JOB, "tidy", reason="not yet", until=self.clock.now() + MINUTE / 2)
        self._work(process)

    def _work(self, process: Driven) -> None:
        process.settle_down()
        process.advance(MINUTE)
        process.advance(MINUTE)

    def restart(self, store: Store) -> None:
        self.clock.tick(MINUTE)
        process = self._process(store)
        process.crew.services["rescuer"].tick(self.clock.now())
        self._work(process)

    def check(self) -> None:
        runs = self.store.runs(RunQuery(limit=1000))
        assert {run.state for run in runs} == {State.SUCCEEDED}
        counted = Counter((run.job, run.tenant) for run in runs)
        # Of a start that it died in front of there is nothing.
        for job in ("load", "report", *(("tidy",) if counted["tidy", "acme"] else ())):
            assert {counted[job, tenant] for tenant in TENANTS} == {1}
        assert {round_.state for round_ in self.store.rounds(RoundQuery())} == {RoundState.SUCCEEDED}
        assert self.store.gates() == []
        assert self.store.controls() == []


def test_whatever_call_it_dies_at_every_run_passes_its_gates_and_succeeds_once():  # R11, R12, R24, R30
    # Who dies at a read leaves what the write before it has left: test_crash.py sees that, call by call.
    points = crash_points(Gates, spared=READS)

    assert {point.verb for point in points} >= {"admit", "hold", "drop_control", "fire", "claim", "settle"}
