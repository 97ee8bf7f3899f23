"""Campaigns move on whatever process dies wherever, and whatever comes in what order."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rota import Rota, RunContext, State, every
from rota.campaigns import Backfill
from rota.core.campaign import CampaignState
from rota.core.model import OPEN, Run
from rota.ports import Store
from rota.queries import RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.crash import READS, crash_points
from tests.engine.house import Driven, noon_plus, runs_of
from tests.engine.test_campaigns import ONCE, TENANTS, idle, last, move, now_is, out, started
from tests.values import MINUTE, SECOND, claim, given_up, settle_all, succeeded


class Working:
    """Makes up slots, some of which have failed before, and dies on the way."""

    def __init__(self, store: Store, *, clock: FakeClock, **fields: Any) -> None:
        self.store = store
        self.clock = clock
        self.fields = fields
        self.broken = True
        process = self._process(store)
        process.app.backfill("report", since=noon_plus(hours=-2), until=noon_plus(hours=-1), tenants=["acme"])
        process.settle_down()
        self.broken = False
        asked: Backfill = process.app.backfill("report", **last(2), mode="failed", **fields)
        assert asked.campaign is not None
        self.id = asked.campaign.id

    def _process(self, store: Store) -> Driven:
        app = Rota(store, tenants=["acme", "globex"], clock=self.clock)

        @app.job(schedule=every().hour.at(":00"), per_tenant=True, retry=ONCE)
        def report(ctx: RunContext) -> None:
            if self.broken:
                raise ValueError("not yet")

        return Driven(app, self.clock)

    def run(self, store: Store) -> None:
        process = self._process(store)
        for _ in range(8):
            process.settle_down()
            if not process.app.campaigns.get(self.id).state.is_active:
                return
            self.clock.tick(5 * SECOND)

    def restart(self, store: Store) -> None:
        self.clock.tick(MINUTE)
        process = self._process(store)
        process.crew.services["rescuer"].tick(self.clock.now())
        self.run(store)

    def check(self) -> None:
        runs = self.store.runs(RunQuery(limit=1000))
        slots = Counter((run.slot, run.tenant) for run in runs)
        wanted = [(noon_plus(hours=-hour), tenant) for hour in (1, 2) for tenant in ("acme", "globex")]
        if self.fields.get("as_one"):
            # One run each, and the one that had failed before.
            assert sorted(run.tenant or "" for run in runs) == ["acme", "acme", "globex"]
            assert Counter(run.state for run in runs)[State.SUCCEEDED] == 2
        else:
            assert slots == Counter(wanted)
            assert {run.state for run in runs} == {State.SUCCEEDED}
        assert self._process(self.store).app.campaigns.get(self.id).state is CampaignState.DONE


def beginning(**fields: Any) -> Callable[[], Working]:
    def begin() -> Working:
        clock = FakeClock()
        return Working(MemoryStore(clock=clock), clock=clock, **fields)

    return begin


@pytest.mark.parametrize(
    "fields",
    [{}, {"parallel": 1}, {"rate": 60.0}, {"as_one": True}, {"newest_first": True, "parallel": 2, "stop_after": 9}],
    ids=["plain", "parallel", "rate", "as one", "newest first"],
)
def test_whatever_call_it_dies_at_each_slot_has_one_run_in_the_end(fields):  # R13, R30, G4
    # Who dies at a read leaves what the write before it has left: test_crash.py sees that, call by call.
    points = crash_points(beginning(**fields), only_writes=bool(fields), spared=READS)

    assert {point.verb for point in points} >= {"add_rounds", "put_control", "admit"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(st.sampled_from(["move one", "move other", "claim", "succeed", "fail", "wait"]), max_size=60),
    parallel=st.integers(1, 3),
    newest_first=st.booleans(),
)
def test_places_are_never_exceeded_and_each_slot_runs_whatever_comes_when(steps, parallel, newest_first):  # R13
    process = idle()
    twin = Driven(process.app, process.clock)
    store = process.app.store
    campaign = started(process.app, hours=3, parallel=parallel, newest_first=newest_first)
    running: list[Run] = []

    def step(name: str) -> None:
        match name:
            case "move one":
                move(process, times=1)
            case "move other":
                move(twin, times=1)
            case "claim":
                running.extend(claim(store))
            case "succeed" | "fail" if running:
                run = running.pop()
                settle_all(store, succeeded(run) if name == "succeed" else given_up(run))
            case "wait":
                process.clock.tick(SECOND)
        assert len(out(process.app, campaign)) <= parallel

    for name in [*steps, *["move one", "claim", "succeed", "succeed", "succeed"] * 12, "move one"]:
        step(name)

    found = Counter((run.slot, run.tenant) for run in runs_of(process.app))
    assert found == Counter({(noon_plus(hours=-hour), tenant): 1 for hour in (1, 2, 3) for tenant in TENANTS})
    assert not store.runs(RunQuery(states=tuple(OPEN)))
    assert now_is(process.app, campaign).state is CampaignState.DONE
