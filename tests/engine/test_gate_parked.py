"""Tenants whose database cannot be reached: their slots are kept, and made up on recovery (R25, R8)."""

from collections.abc import Sequence

import pytest

from rota import CatchUp, Overlap, Retry, Rota, RunContext, State
from rota.core.gates import parked_gate
from rota.core.model import RoundState
from rota.ports import Store
from rota.queries import RoundQuery, RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.crash import READS, crash_points
from tests.engine.gates import import_and_report, park
from tests.engine.house import Driven, driven, hourly, noon_plus, rounds_of, runs_of
from tests.values import HOUR, MINUTE


def parked_for(hours: int, seen: list[tuple[str, object]], **policy) -> Driven:
    """Return a process that fired each hour while acme was parked, and has just heard that it is back."""
    process = driven()(hourly(seen, **policy))
    park(process.app.store, "acme", now=process.clock.now())
    for _ in range(hours):
        process.advance(HOUR)
    assert all(tenant == "globex" for tenant, _ in seen)
    park(process.app.store, "acme", now=process.clock.now(), parked=False)
    return process


def slots_of(seen: Sequence[tuple[str, object]], tenant: str) -> list[int]:
    return [window.until.hour for name, window in seen if name == tenant]  # type: ignore[attr-defined]


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE_ONE, Overlap.REPLACE])
def test_a_parked_tenants_slots_are_kept_and_none_is_skipped_for_overlap(overlap):  # R25, R10
    seen: list[tuple[str, object]] = []
    process = driven()(hourly(seen, overlap=overlap))
    park(process.app.store, "acme", now=process.clock.now())

    for _ in range(3):
        process.advance(HOUR)

    acme = [run for run in runs_of(process.app) if run.tenant == "acme"]
    assert [(run.state, run.held_by) for run in acme] == [(State.SCHEDULED, parked_gate("acme"))] * 3
    assert slots_of(seen, "globex") == [13, 14, 15]


@pytest.mark.parametrize(
    ("policy", "made_up"),
    [
        (CatchUp.latest(), [15]),
        (CatchUp.all(), [13, 14, 15]),
        (CatchUp.all(limit=2), [14, 15]),
    ],
)
def test_on_recovery_the_slots_are_made_up_under_the_schedules_policy(policy, made_up):  # R25, R8
    seen: list[tuple[str, object]] = []
    process = parked_for(3, seen, catch_up=policy)

    process.settle_down()

    assert slots_of(seen, "acme") == made_up
    skipped = [run for run in runs_of(process.app) if run.state is State.SKIPPED]
    assert len(skipped) == 3 - len(made_up)
    assert {run.reason for run in skipped} <= {f"tenant acme was parked; catch-up is {policy.mode}"}
    assert all(round_.state is not RoundState.RUNNING for round_ in rounds_of(process.app))


def test_without_catch_up_only_what_is_on_time_runs():  # R25, R8
    seen: list[tuple[str, object]] = []
    process = parked_for(3, seen, catch_up=CatchUp.none())
    process.clock.tick(2 * MINUTE)

    process.settle_down()

    assert slots_of(seen, "acme") == []


def test_with_all_a_failing_slot_holds_back_the_later_ones_on_recovery_too():  # R25, R8
    began: list[int] = []

    def declare(app: Rota) -> None:
        hourly_retry = Retry(attempts=2, base=MINUTE, jitter=False)

        @app.job(schedule="0 * * * *", per_tenant=True, catch_up=CatchUp.all(), retry=hourly_retry)
        def report(ctx: RunContext) -> None:
            assert ctx.slot is not None
            began.append(ctx.slot.hour)
            if ctx.attempt == 1:
                raise ValueError("not yet")

    process = driven(tenants=["acme"])(declare)
    park(process.app.store, "acme", now=process.clock.now())
    for _ in range(2):
        process.advance(HOUR)
    park(process.app.store, "acme", now=process.clock.now(), parked=False)
    process.settle_down()
    assert began == [13]

    process.advance(MINUTE)
    process.advance(MINUTE)

    assert began == [13, 13, 14, 14]


def test_a_parked_tenant_takes_no_place_from_the_others():  # R21, R25
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme", "globex", "initech"])(hourly(seen, max_parallel=1))
    park(process.app.store, "acme", now=process.clock.now())

    process.advance(HOUR)

    assert slots_of(seen, "globex") == slots_of(seen, "initech") == [13]


def test_a_tenant_that_is_parked_while_its_runs_are_out_gives_their_places_back():  # R21, R25
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme", "globex"])(hourly(seen, max_parallel=1))
    process.clock.tick(HOUR)
    now = process.clock.now()
    process.crew.services["scheduler"].tick(now)
    process.crew.worker.tick(now)
    # The place goes to acme, whose run is queued when it is found that its database is gone.
    assert process.crew.gatekeeper.open_gates(now) == 1
    park(process.app.store, "acme", now=now)

    process.settle_down()

    assert slots_of(seen, "globex") == [13] and slots_of(seen, "acme") == []


def test_on_recovery_a_run_passes_the_gates_it_had_before_it():  # R11, R25
    seen: list[tuple[str, str | None]] = []
    process = driven(tenants=["acme"])(import_and_report(seen, {"acme"}))
    process.advance(HOUR)
    park(process.app.store, "acme", now=process.clock.now())
    process.advance(30 * MINUTE)
    park(process.app.store, "acme", now=process.clock.now(), parked=False)

    process.settle_down()

    assert seen == []
    assert process.app.store.gates() == ["depends"]


class Recovery:
    """A tenant comes back after three slots; the process that lets it in dies anywhere."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store: Store = MemoryStore(clock=self.clock)
        self.seen: list[tuple[str, object]] = []
        process = self._process(self.store)
        park(self.store, "acme", now=self.clock.now())
        for _ in range(3):
            process.advance(HOUR)
        park(self.store, "acme", now=self.clock.now(), parked=False)

    def _process(self, store: Store) -> Driven:
        return driven(store=store, clock=self.clock)(hourly(self.seen, max_parallel=1))

    def run(self, store: Store) -> None:
        self._process(store).settle_down()

    def restart(self, store: Store) -> None:
        self.clock.tick(MINUTE)
        process = self._process(store)
        process.crew.services["rescuer"].tick(self.clock.now())
        process.settle_down()
        # What had begun when it died is repeated.
        process.advance(MINUTE)

    def check(self) -> None:
        acme = {run.slot: run.state for run in self.store.runs(RunQuery(tenants=("acme",), limit=100))}
        assert [acme[noon_plus(hours=hour)] for hour in (1, 2, 3)] == [State.SKIPPED, State.SKIPPED, State.SUCCEEDED]
        assert all(round_.state is not RoundState.RUNNING for round_ in self.store.rounds(RoundQuery()))


def test_whatever_call_it_dies_at_each_kept_slot_is_skipped_or_made_up_once():  # R25, R30
    # Who dies at a read leaves what the write before it has left: test_crash.py sees that, call by call.
    points = crash_points(Recovery, spared=READS)

    assert {point.verb for point in points} >= {"skip_held", "admit"}
