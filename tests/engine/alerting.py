"""A process that watches, driven by hand: what fails, who is told of it, and channels that a test can take down."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from rota.core.alert import Alert, Stage
from rota.core.incident import Condition, Incident, Policy
from rota.core.model import ErrorReport, Outcome, Run, State
from rota.core.routing import Channel, Rule
from rota.engine.alerts.alerter import Alerter, Telling
from rota.engine.alerts.deliverer import Deliverer
from rota.engine.bus import Bus
from rota.errors import DeliveryFailed
from rota.ports import Store
from rota.queries import DeliveryQuery, IncidentQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.values import HOUR, SECOND, a_run, claim, ended, given_up, settle_all, succeeded

BOOM = ErrorReport(type="ValueError", message="boom", fingerprint="f00d")
STEP = 5 * SECOND


class FakeChannel:
    """Keeps what it was sent; `fault` is raised instead while it is set."""

    def __init__(self) -> None:
        self.got: list[Alert] = []
        self.tries = 0
        self.fault: Exception | None = None

    def send(self, alert: Alert) -> None:
        self.tries += 1
        if self.fault is not None:
            raise self.fault
        self.got.append(alert)

    @property
    def stages(self) -> list[Stage]:
        return [alert.stage for alert in self.got]


class Watch:
    """One process with an alerter and a deliverer for each channel, on a store whose time stands still."""

    def __init__(
        self,
        store: Store | None = None,
        *,
        clock: FakeClock | None = None,
        channels: Iterable[str] = ("ops",),
        rules: Iterable[Rule] = (),
        conditions: Callable[[datetime], Iterable[Condition]] = lambda _: (),
        **telling: Any,
    ) -> None:
        self.clock = clock or FakeClock()
        self.store: Store = store or MemoryStore(clock=self.clock)
        self.bus = Bus()
        self.channels = {name: FakeChannel() for name in channels}
        self.alerter = Alerter(
            self.store,
            clock=self.clock,
            bus=self.bus,
            telling=Telling(
                **{
                    "policy": Policy(cool_down=HOUR, settle=10 * SECOND),
                    "channels": tuple(Channel(name=name) for name in self.channels),
                    "rules": tuple(rules),
                }
                | telling
            ),
            conditions=conditions,
        )
        self.deliverers = {
            name: Deliverer(name, channel, self.store, clock=self.clock) for name, channel in self.channels.items()
        }

    @property
    def ops(self) -> FakeChannel:
        return self.channels["ops"]

    def down(self, reason: str = "no route to the mail server", **fields: Any) -> None:
        """Take the channel `ops` down."""
        self.ops.fault = DeliveryFailed(reason, **fields)

    def run(self, job: str = "mail", tenant: str | None = "acme", **fields: Any) -> Run:
        """Return a run that is running now."""
        now = self.clock.now()
        run = a_run(
            **{"id": self.clock.new_id(), "job": job, "tenant": tenant, "due_at": now, "created_at": now} | fields
        )
        self.store.enqueue([run], now=now)
        return next(one for one in claim(self.store, now=now) if one.id == run.id)

    def fail(self, job: str = "mail", tenant: str | None = "acme", *, error: ErrorReport = BOOM, **fields: Any) -> Run:
        """Let a run fail for good."""
        run = self.run(job, tenant, **fields)
        settle_all(self.store, given_up(run, error=error, now=self.clock.now()), now=self.clock.now())
        return run

    def end(self, outcome: Outcome, **fields: Any) -> Run:
        """Let a run end for good in some other way."""
        run = self.run(**fields)
        settle_all(self.store, ended(run, outcome, now=self.clock.now(), retry=False), now=self.clock.now())
        return run

    def succeed(self, job: str = "mail", tenant: str | None = "acme", **fields: Any) -> Run:
        run = self.run(job, tenant, **fields)
        settle_all(self.store, succeeded(run, now=self.clock.now()), now=self.clock.now())
        return run

    def once(self) -> None:
        """Let each service do what it has to do now."""
        while not self.alerter.tick(self.clock.now()):
            pass
        for deliverer in self.deliverers.values():
            while not deliverer.tick(self.clock.now()):
                pass

    def advance(self, by: timedelta) -> None:
        """Let time pass in small steps, each service ticking; the longer, the larger the steps."""
        until, step = self.clock.now() + by, max(STEP, by / 500)
        while self.clock.now() < until:
            self.clock.tick(min(step, until - self.clock.now()))
            self.once()

    def incidents(self, **fields: Any) -> list[Incident]:
        return self.store.alerts.incidents(IncidentQuery(**fields))

    def incident(self) -> Incident:
        [incident] = self.incidents()
        return incident

    def deliveries(self, **fields: Any) -> list[Any]:
        return self.store.alerts.deliveries(DeliveryQuery(**{"limit": 10_000} | fields))

    def state(self, run: Run) -> State:
        history = self.store.run(run.id)
        assert history is not None
        return history.run.state
