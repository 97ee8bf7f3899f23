"""Whoever watches dies at any of its calls, and another goes on: every alert is told, under one id (R50, A17)."""

from rota.core.alert import Stage
from rota.core.delivery import DeliveryState
from rota.core.incident import IncidentState
from rota.engine.alerts.deliverer import Deliverer
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.crash import crash_points
from tests.engine.alerting import FakeChannel, Watch
from tests.values import MINUTE


class Outage:
    """Two tenants fail, a minute later both succeed; whoever watches sees it to its end."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(clock=self.clock)
        self.channel = FakeChannel()
        self._house = Watch(self.store, clock=self.clock)
        self._is_mended = False
        for tenant in ("acme", "globex"):
            self._house.fail("mail", tenant)

    def run(self, store):
        watch = Watch(store, clock=self.clock)
        watch.deliverers = {"ops": Deliverer("ops", self.channel, store, clock=self.clock)}
        watch.advance(MINUTE)
        if not self._is_mended:
            self._is_mended = True
            for tenant in ("acme", "globex"):
                self._house.succeed("mail", tenant)
        watch.advance(MINUTE)

    def restart(self, store):
        # Long enough for what the dead one had claimed to come due again.
        self.run(store)
        self.run(store)

    def check(self):
        incident = self._house.incident()
        ids = {stage: {alert.id for alert in self.channel.got if alert.stage is stage} for stage in Stage}
        assert incident.state is IncidentState.CLOSED
        assert {member.name for member in self.store.alerts.members(incident.id)} == {"acme", "globex"}
        assert (incident.number, self.store.alerts.signals()) == (2, [])
        assert [len(ids[stage]) for stage in (Stage.OPENED, Stage.RECOVERED, Stage.REMINDER)] == [1, 1, 0]
        assert {delivery.state for delivery in self._house.deliveries()} == {DeliveryState.SENT}


def test_whoever_watches_may_die_at_any_call():  # R50, A17
    points = crash_points(Outage, only_writes=True)

    assert {point.verb for point in points} >= {
        "alerts.write", "alerts.claim_deliveries", "alerts.settle_delivery"
    }  # fmt: skip
