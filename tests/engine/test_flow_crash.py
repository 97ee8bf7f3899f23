"""Whoever moves flows dies before and after each store call; another one goes on."""

from rota import BatchSummary, Retry, Rota, State
from rota.flow_handle import FlowHandle
from rota.ports import Store
from rota.queries import RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.crash import READS, crash_points
from tests.engine.house import Driven, an_app
from tests.values import MINUTE


class Orders:
    """A chain of three, of which the second step fails once and is retried by a person; and a batch with a failure."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store: Store = MemoryStore(clock=self.clock)
        self.is_broken = True
        self.shipped: list[int] = []
        self.told: list[BatchSummary] = []
        self.chain: FlowHandle | None = None
        self.batch: FlowHandle | None = None

    def _process(self, store: Store) -> Driven:
        app = an_app(store=store, clock=self.clock)
        self._declare(app)
        return Driven(app, self.clock)

    def _declare(self, app: Rota) -> None:
        once = Retry(attempts=1)

        @app.job(retry=once)
        def take(order: int) -> int:
            return order

        @app.job(retry=once)
        def charge(order: int) -> int:
            if self.is_broken:
                raise ValueError("the card was refused")
            return order + 1

        @app.job(retry=once)
        def ship(charged: int) -> None:
            self.shipped.append(charged)

        @app.job(retry=once)
        def tell(summary: BatchSummary) -> None:
            self.told.append(summary)

    def run(self, store: Store) -> None:
        process = self._process(store)
        jobs = process.app.jobs
        chain = process.app.chain(jobs["take"].step(7), jobs["charge"].step(), jobs["ship"].step())
        members = [jobs["take"].step(1), jobs["charge"].step(2)]
        batch = process.app.batch(members, on_success=jobs["tell"].step(), on_complete=jobs["tell"].step())
        self.chain, self.batch = chain.enqueue(), batch.enqueue()
        process.settle_down()
        self._mend(process)

    def _mend(self, process: Driven) -> None:
        """Retry what failed, as a person does who finds it."""
        self.is_broken = False
        failed = process.app.store.runs(RunQuery(states=(State.FAILED,)))
        process.app.retry([run.id for run in failed])
        process.settle_down()

    def restart(self, store: Store) -> None:
        self.clock.tick(MINUTE)
        process = self._process(store)
        process.crew.services["rescuer"].tick(self.clock.now())
        process.settle_down()
        process.advance(MINUTE)
        self._mend(process)

    def check(self) -> None:
        runs = self.store.runs(RunQuery(limit=100))
        # Each flow is there whole, or not at all: nothing half-enqueued.
        assert len(runs) in (0, 3, 7)
        assert {run.state for run in runs} <= {State.SUCCEEDED}
        assert self.store.gates() == []
        # Once more only where the process died between an effect and its record.
        assert set(self.shipped) == ({8} if runs else set())
        if len(runs) == 7:
            assert {(told.total, told.is_success) for told in self.told[-1:]} == {(2, True)}


def test_wherever_it_dies_every_flow_comes_to_its_end():  # R30, R32
    # Who dies at a read leaves what the write before it has left: test_crash.py sees that, call by call.
    points = crash_points(Orders, spared=READS)

    assert {point.verb for point in points} >= {"enqueue", "admit", "cancel", "requeue", "settle"}
