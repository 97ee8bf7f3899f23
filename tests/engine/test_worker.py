"""The worker against a store that answers, does not answer, or says no."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random

import pytest

from rota import Rota, State
from rota.calls import Call
from rota.core.events import LeaseLost
from rota.core.lifecycle import Ending, rescue
from rota.core.model import Outcome, Run
from rota.engine.pool import REST, Pool
from rota.engine.standing import Standing
from rota.engine.worker import IDLE, Worker
from rota.errors import StoreUnavailable
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.contract.flaky import Moment
from tests.contract.flaky import flaky as cuttable
from tests.engine.house import Driven, an_app, runs_of
from tests.values import LEASE, MINUTE, claim, settle_all


def counting(app: Rota) -> list[int]:
    ran: list[int] = []

    @app.job()
    def count(number: int) -> int:
        ran.append(number)
        return number

    return ran


class Waiting:
    """An executor whose places are all taken."""

    def __init__(self) -> None:
        self._calls: list[Call] = []

    def submit(self, calls: Sequence[Call], done: Callable[[Run, Ending], None]) -> None:
        self._calls += calls

    def waiting(self) -> int:
        return len(self._calls)

    def withdraw(self) -> list[Call]:
        calls, self._calls = self._calls, []
        return calls

    def close(self) -> None: ...


def a_worker_that_begins_nothing(app: Rota) -> Worker:
    bench = Driven(app, FakeClock()).crew.worker._bench  # the wiring of a real one
    return Worker(
        "w1",
        app.store,
        clock=app.clock,
        bus=app.bus,
        bench=bench,
        jobs={name: function.registered for name, function in app.jobs.items()},
        pools=[Pool(Waiting(), places=8, jobs=frozenset(app.jobs), ahead=True)],
        queues={"default": 0},
        standing=Standing(app.store),
        lease=LEASE,
        margin=timedelta(seconds=7),
        on_ended=lambda run: None,
        tell_flows=lambda run: None,
        random=Random(1),
    )


def test_a_worker_looks_again_when_the_rest_of_a_pool_is_over():
    # What wakes it while a pool rests finds no room there, and nobody wakes it a second time.
    clock = FakeClock()
    app = an_app(clock=clock)
    counting(app)
    worker = a_worker_that_begins_nothing(app)
    pool = worker._holdings.pools[0]

    assert worker.tick(clock.now()) == IDLE
    pool.rest(at=clock.monotonic())
    assert timedelta(0) < worker.tick(clock.now()) <= REST


def test_enqueued_runs_are_executed_in_order_and_their_results_kept():
    clock = FakeClock()
    app = an_app(clock=clock)
    ran = counting(app)
    handles = app.jobs["count"].enqueue_many([(number,) for number in range(30)])

    Driven(app, clock).settle_down()

    assert ran == list(range(30))
    assert [handle.result() for handle in handles] == ran


@pytest.mark.parametrize("verb", ["claim", "settle"])
@pytest.mark.parametrize("moment", list(Moment))
def test_a_store_that_fails_before_or_after_an_answer_loses_and_doubles_nothing(verb, moment):  # fault rows A4, A10
    clock = FakeClock()
    store, flaky = cuttable(MemoryStore(clock=clock))
    app = an_app(store=store, clock=clock)
    ran = counting(app)
    app.jobs["count"].enqueue_many([(number,) for number in range(5)])
    process = Driven(app, clock)

    flaky.cut(verb, moment)
    with pytest.raises(StoreUnavailable):
        for _ in range(3):
            process.crew.worker.tick(clock.now())
    process.settle_down()

    assert ran == list(range(5))
    runs = runs_of(app)
    assert {run.state for run in runs} == {State.SUCCEEDED}
    assert {run.attempt for run in runs} == {1}


def test_a_run_that_was_taken_away_is_not_recorded_by_the_one_who_lost_it():  # G5
    clock = FakeClock()
    app = an_app(clock=clock)
    told: list[LeaseLost] = []
    app.on(LeaseLost)(told.append)

    @app.job()
    def slow() -> str:
        # While it runs the lease ends, and another worker gets the run and finishes it.
        [late] = app.store.expired(now=clock.tick(MINUTE))
        settle_all(app.store, rescue(late, now=clock.now()), now=clock.now())
        [again] = claim(app.store, worker="other", now=clock.now())
        assert again.token > late.token
        return "mine"

    slow.enqueue()
    process = Driven(app, clock)
    for _ in range(3):
        process.crew.worker.tick(clock.now())

    [run] = runs_of(app)
    assert (run.state, run.owner, run.result) == (State.RUNNING, "other", None)
    assert len(told) == 1
    history = app.store.run(run.id)
    assert history is not None and history.attempts[0].outcome is Outcome.SUPERSEDED


def test_leases_are_renewed_by_the_heartbeat_and_a_cancel_reaches_the_attempt():
    clock = FakeClock()
    app = an_app(clock=clock)
    process = Driven(app, clock)
    reasons: list[str] = []

    @app.job()
    def waits(number: int) -> None:
        attempt = process.crew.worker.live()[0]
        clock.tick(timedelta(seconds=10))
        process.crew.heartbeat.tick(clock.now())
        assert app.store.expired(now=clock.now() + timedelta(seconds=15)) == []
        app.store.cancel([attempt.run.id], now=clock.now(), reason="not needed")
        process.crew.heartbeat.tick(clock.now())
        reasons.append(attempt.stop_signal.reason)

    process = Driven(app, clock)
    handle = waits.enqueue(1)
    process.settle_down()

    assert reasons == ["cancelled"]
    assert handle.state is State.CANCELLED


def test_an_attempt_over_its_time_limit_is_told_to_stop_and_is_timed_out():  # R42
    clock = FakeClock()
    app = an_app(clock=clock)

    @app.job(timeout="5m")
    def slow() -> None:
        clock.tick(timedelta(minutes=6))
        process.crew.heartbeat.tick(clock.now())
        process.crew.timekeeper.tick(clock.now())

    process = Driven(app, clock)
    handle = slow.enqueue()
    process.crew.worker.tick(clock.now())
    process.crew.worker.tick(clock.now())

    history = app.store.run(handle.id)
    assert history is not None and history.attempts[0].outcome is Outcome.TIMED_OUT


def test_a_heartbeat_that_gets_no_answer_stops_its_attempts_before_the_lease_ends():  # G6
    clock = FakeClock()
    store, flaky = cuttable(MemoryStore(clock=clock))
    app = an_app(store=store, clock=clock)
    told: list[LeaseLost] = []
    app.on(LeaseLost)(told.append)
    stopped: list[float] = []

    @app.job()
    def slow() -> None:
        [attempt] = process.crew.worker.live()
        began = clock.monotonic()
        while not attempt.stop_signal.is_set():
            clock.tick(timedelta(seconds=1))
            flaky.cut("renew", Moment.BEFORE)
            with pytest.raises(StoreUnavailable):
                process.crew.heartbeat.tick(clock.now())
            process.crew.timekeeper.tick(clock.now())
        stopped.append(clock.monotonic() - began)

    process = Driven(app, clock)
    slow.enqueue()
    process.crew.worker.tick(clock.now())

    # Lease 20 s, margin 7 s: told at 14 s, six seconds before the store gives the run to somebody else.
    assert stopped == [14]
    assert len(told) == 1


def test_a_worker_that_drains_gives_back_what_has_not_begun_and_counts_no_attempt():  # R45
    clock = FakeClock()
    app = an_app(clock=clock)
    counting(app)
    handles = app.jobs["count"].enqueue_many([(number,) for number in range(20)])
    worker = a_worker_that_begins_nothing(app)
    worker.tick(clock.now())
    assert worker.busy > 0

    worker.stop_claiming()
    worker.release_waiting(clock.now())
    worker.tick(clock.now())

    assert worker.busy == 0
    runs = [handle.refresh() for handle in handles]
    assert {(run.state, run.attempt) for run in runs} == {(State.QUEUED, 0)}


def test_what_does_not_stop_is_given_back_and_its_ending_is_not_recorded():  # R45
    clock = FakeClock()
    app = an_app(clock=clock)

    @app.job()
    def stubborn() -> str:
        process.crew.worker.stop_attempts("shutting down")
        process.crew.worker.finish(clock.now())
        return "too late"

    process = Driven(app, clock)
    handle = stubborn.enqueue()
    process.crew.worker.tick(clock.now())
    process.crew.worker.stop_claiming()
    process.crew.worker.tick(clock.now())

    run = handle.refresh()
    assert (run.state, run.attempt, run.result) == (State.SCHEDULED, 0, None)
