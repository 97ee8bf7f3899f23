"""A watchdog dies before and after each store call; another one goes on."""

from rota.core.freshness import Freshness
from rota.lookouts import make_watchdog
from rota.ports import Store
from rota.queries import FlipQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.crash import crash_points
from tests.engine.house import an_app
from tests.values import HOUR, a_progress

TENANTS = ["acme", "hooli"]


class Watch:
    """Two tenants whose hourly job has succeeded at noon: seen, silent for three hours, and seen again."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store: Store = MemoryStore(clock=self.clock)
        app = self._app(self.store)
        app.schedules.sync()
        for tenant in TENANTS:
            self.store.mark(a_progress(schedule="report", tenant=tenant, last_success=self.clock.now()), expected=None)

    def _app(self, store: Store):
        app = an_app(store=store, clock=self.clock, tenants=TENANTS)
        app.job(name="report", schedule="0 * * * *", per_tenant=True)(lambda: None)
        return app

    def run(self, store: Store) -> None:
        dog = make_watchdog(self._app(store).premises())
        dog.look(self.clock.now())
        self.clock.tick(3 * HOUR)
        dog.look(self.clock.now())

    def restart(self, store: Store) -> None:
        self.run(store)

    def check(self) -> None:
        assert [str(pair.state) for pair in self.store.freshness.pairs()] == ["stale", "stale"]
        # Each change is there once, whoever made it.
        flips = self.store.freshness.flips(FlipQuery())
        assert sorted(flip.tenant for flip in flips if flip.after is Freshness.STALE) == TENANTS


def test_who_dies_while_watching_loses_no_change_and_makes_none_twice():  # R51
    points = crash_points(Watch)

    assert {point.verb for point in points} >= {"freshness.pairs", "freshness.turn", "freshness.looks", "schedules"}
