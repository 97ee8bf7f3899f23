"""The real engine dies before and after each of its store calls; another process goes on."""

from collections.abc import Callable, Sequence

import pytest

from rota import CatchUp, Retry, Rota, RunContext, State, every
from rota.core.model import RoundState, RunKind
from rota.ports import Store
from rota.queries import RoundQuery, RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.crash import crash_points
from tests.engine.house import Driven
from tests.values import HOUR, MINUTE

TENANTS = ["acme", "globex", "initech"]


class Process:
    """Makes up slots for tenants, one of which fails its first attempt, and backfills one more slot."""

    def __init__(self, store: Store, *, slots: int, tenants: Sequence[str]) -> None:
        self.store = store
        self.slots = slots
        self.tenants = tenants
        self.clock = FakeClock()
        self.started: list[tuple[str, object]] = []
        self.since = self.clock.now() - HOUR
        self.until = self.clock.now()
        self._process(store)
        self.clock.tick(slots * HOUR)

    def _process(self, store: Store) -> Driven:
        app = Rota(store, tenants=self.tenants, clock=self.clock)
        retry = Retry(attempts=2, base=MINUTE, jitter=False)

        @app.job(schedule=every().hour.at(":00"), per_tenant=True, catch_up=CatchUp.all(), retry=retry)
        def report(ctx: RunContext) -> None:
            self.started.append((ctx.tenant.id, ctx.slot))
            if ctx.tenant.id == "acme" and ctx.attempt == 1:
                raise ValueError("the first attempt fails")

        return Driven(app, self.clock)

    def run(self, store: Store) -> None:
        process = self._process(store)
        process.app.backfill("report", since=self.since, until=self.until)
        self._work(process)

    def _work(self, process: Driven) -> None:
        process.settle_down()
        for _ in range(self.slots + 1):
            process.advance(MINUTE)

    def restart(self, store: Store) -> None:
        # The dead one's leases end, and whoever comes next finds them.
        self.clock.tick(MINUTE)
        process = self._process(store)
        process.crew.services["rescuer"].tick(self.clock.now())
        process.app.backfill("report", since=self.since, until=self.until)
        self._work(process)

    def check(self) -> None:
        runs = self.store.runs(RunQuery(limit=1000))
        assert {run.state for run in self.store.runs(RunQuery(kind=None, limit=1000))} == {State.SUCCEEDED}
        slots = sorted({run.slot for run in runs if run.slot is not None})
        assert len(slots) == self.slots + 1
        assert sorted((str(run.slot), run.tenant) for run in runs) == sorted(
            (str(slot), tenant) for slot in slots for tenant in self.tenants
        )
        assert {round_.state for round_ in self.store.rounds(RoundQuery(limit=100))} == {RoundState.SUCCEEDED}
        progress = self.store.progress(schedule="report")
        assert {entry.last_success for entry in progress} == {slots[-1]}


WRITES = {"put_control", "add_rounds", "fire", "enqueue", "promote", "claim", "settle", "end_round"}


@pytest.fixture
def begin(begin_anew: Callable[[], Store]) -> Callable[[], Process]:
    """Return a process on an empty store with each call."""
    return lambda: Process(begin_anew(), slots=1, tenants=TENANTS[:2])


def test_whatever_call_it_dies_at_each_slot_of_each_tenant_succeeds_once(begin, kind):  # R30, G1-G4, rows A1-A15
    # Before and after every call, reads too, where a commit costs nothing.
    points = crash_points(begin, only_writes=kind != "memory")

    verbs = {point.verb for point in points}
    assert verbs >= WRITES
    assert kind != "memory" or verbs >= {"schedule", "due", "finished_rounds", "gates", "controls"}


def test_whatever_write_it_dies_at_more_slots_of_more_tenants_succeed_once():  # R30, G1-G4, rows A1-A15
    points = crash_points(lambda: Process(MemoryStore(), slots=2, tenants=TENANTS), only_writes=True)

    assert {point.verb for point in points} >= WRITES


def test_without_a_death_no_job_starts_more_often_than_it_must(begin):  # G7
    process = begin()
    process.run(process.store)

    # acme fails once per slot and is repeated.
    assert len(process.started) == (process.slots + 1) * (len(process.tenants) + 1)
    expansions = process.store.runs(RunQuery(kind=RunKind.EXPANSION))
    assert {run.attempt for run in expansions} == {1}
