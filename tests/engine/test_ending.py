"""How a process drains and ends, and how its runs are cancelled."""

import threading
from datetime import datetime, timedelta

import pytest

from rota import Rota, State
from rota.core.model import Outcome, Run
from rota.core.policy import Retry
from rota.engine.crew import MOST_WAIT
from rota.errors import StoreUnavailable
from rota.queries import ClaimRequest
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.contract.flaky import Moment
from tests.contract.flaky import flaky as cuttable
from tests.engine.house import Driven, an_app, runs_of
from tests.engine.test_worker import a_worker_that_begins_nothing, counting
from tests.values import (
    SECOND,
    a_run,
    claim,
    outcomes,
)


def test_a_process_that_only_schedules_stops_cleanly():
    app = an_app()
    crew = app.crew(works=False)
    crew.start()

    assert crew.stop()

    assert app.store.workers() == []


class Hanging:
    """A loop whose last pass waits for a store that does not answer."""

    name = "hanging"

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def stop(self) -> None: ...

    def join(self, timeout: timedelta) -> bool:
        self._clock.tick(timeout)
        return False


def test_twenty_loops_that_hang_hold_up_the_end_of_a_process_no_longer_than_one():  # R45
    clock = FakeClock()
    crew, began = an_app(clock=clock).crew(), clock.monotonic()

    crew._end([Hanging(clock) for _ in range(20)])  # type: ignore[misc]

    assert clock.monotonic() - began == MOST_WAIT.total_seconds()


class Watched(MemoryStore):
    """Notes whether the worker looked busy while the store claimed for it."""

    app: Rota
    worker_of: Driven
    busy: list[bool]

    def claim(self, request: ClaimRequest, *, now: datetime) -> list[Run]:
        answer = super().claim(request, now=now)
        self.busy.append(self.worker_of.crew.worker.busy)
        return answer


def test_a_worker_whose_claim_is_under_way_is_busy_so_that_a_drain_waits_for_it():  # R45
    clock = FakeClock()
    store = Watched(clock=clock)
    app = an_app(store=store, clock=clock)
    store.busy, store.worker_of = [], Driven(app, clock)

    store.worker_of.crew.worker.tick(clock.now())

    assert store.busy == [True]
    assert not store.worker_of.crew.worker.busy


def test_what_cannot_be_given_back_in_a_drain_is_given_back_as_soon_as_the_store_answers():  # R45
    clock = FakeClock()
    store, flaky = cuttable(MemoryStore(clock=clock))
    app = an_app(store=store, clock=clock)
    counting(app)
    handles = app.jobs["count"].enqueue_many([(number,) for number in range(5)])
    worker = a_worker_that_begins_nothing(app)
    worker.tick(clock.now())
    worker.stop_claiming()

    flaky.cut("release", Moment.BEFORE)
    with pytest.raises(StoreUnavailable):
        worker.release_waiting(clock.now())
    worker.tick(clock.now())

    assert {(run.state, run.attempt) for run in (handle.refresh() for handle in handles)} == {(State.QUEUED, 0)}


def test_a_claim_whose_answer_was_lost_in_the_last_pass_is_given_back_at_the_end():  # R45, fault row A4
    clock = FakeClock()
    store, flaky = cuttable(MemoryStore(clock=clock))
    app = an_app(store=store, clock=clock)
    ran = counting(app)
    handle = app.jobs["count"].enqueue(1)
    worker = Driven(app, clock).crew.worker
    flaky.cut("claim", Moment.AFTER)
    with pytest.raises(StoreUnavailable):
        worker.tick(clock.now())

    worker.stop_claiming()
    worker.finish(clock.now())

    run = handle.refresh()
    assert (run.state, run.attempt, run.lost_count, ran) == (State.QUEUED, 0, 0, [])


def test_an_attempt_that_is_given_up_at_the_end_is_in_the_history_as_interrupted():  # R43, R45
    clock = FakeClock()
    app = an_app(clock=clock)

    @app.job()
    def stubborn() -> str:
        assert process.crew.worker.finish(clock.now()) == 1
        return "too late"

    process = Driven(app, clock)
    handle = stubborn.enqueue()
    process.crew.worker.tick(clock.now())

    # Not queued at once: its code may run until the process is gone.
    assert (handle.state, handle.refresh().attempt) == (State.SCHEDULED, 0)
    assert handle.refresh().due_at > clock.now()
    assert Outcome.INTERRUPTED in outcomes(app.store, handle.id)


def test_a_pass_that_loses_its_store_leaves_no_threads_behind():
    store, flaky = cuttable(MemoryStore())
    app = Rota(store, tenants=[])
    flaky.cut("counts", Moment.BEFORE)

    with pytest.raises(StoreUnavailable):
        app.tick()

    assert [thread.name for thread in threading.enumerate() if thread.name == "rota-worker"] == []
    assert app.store.workers() == []


def test_a_cancelled_run_that_ends_with_an_exception_is_not_tried_again_and_keeps_who_cancelled_it():  # R32
    clock = FakeClock()
    app = an_app(clock=clock)

    @app.job()
    def waits() -> None:
        [attempt] = process.crew.worker.live()
        app.store.cancel([attempt.run.id], now=clock.now(), reason="ana: not needed")
        process.crew.heartbeat.tick(clock.now())
        raise ConnectionError("cut off in the middle")

    process = Driven(app, clock)
    handle = waits.enqueue()
    process.settle_down()

    run = handle.refresh()
    assert (run.state, run.reason) == (State.CANCELLED, "ana: not needed")


def test_a_run_that_was_cancelled_while_its_worker_gave_it_back_does_not_begin_again():  # R32
    clock = FakeClock()
    app = an_app(clock=clock)
    ran = counting(app)
    handle = app.jobs["count"].enqueue(1)
    [held] = claim(app.store, worker="w0")
    app.store.cancel([held.id], now=clock.now(), reason="not needed")
    app.store.release("w0", [(held.id, held.token)], now=clock.now())

    Driven(app, clock).settle_down()

    assert (handle.state, handle.refresh().reason, ran) == (State.CANCELLED, "not needed", [])


def test_workers_that_are_stopped_in_the_middle_again_and_again_lose_and_double_nothing():  # R45, G7
    app = Rota(MemoryStore(), tenants=[])
    ran: list[int] = []
    more = threading.Condition()

    @app.job()
    def count(number: int) -> None:
        with more:
            ran.append(number)
            more.notify_all()

    handles = count.enqueue_many([(number,) for number in range(1500)])
    for target in range(100, 1600, 300):
        crew = app.crew(schedules=False)
        crew.start()
        with more:
            assert more.wait_for(lambda target=target: len(ran) >= min(target, 1500), timeout=30)
        assert crew.stop()
        assert runs_of(app, states=(State.RUNNING,)) == []

    with app.working():
        for handle in handles:
            handle.wait(30 * SECOND)
    assert sorted(ran) == list(range(1500))


def test_a_pass_does_not_wait_for_runs_that_only_another_worker_knows():  # R36
    app = Rota(MemoryStore(), tenants=[])
    ran = counting(app)
    app.store.enqueue([a_run(job="of-another-version"), a_run(queue="of-others")], now=app.clock.now())
    app.jobs["count"].enqueue(1)

    began = app.clock.monotonic()
    app.tick(limit=timedelta(minutes=1))

    assert app.clock.monotonic() - began < 30
    assert ran == [1]


def test_a_run_with_a_policy_of_its_own_is_retried_by_that_and_not_by_its_jobs():  # R32
    clock = FakeClock()
    app = an_app(clock=clock)

    @app.job(retry=Retry(attempts=9, not_on=ValueError))
    def fails() -> None:
        raise ValueError

    policies = [None, Retry.fixed("90s"), Retry.fixed("30s", not_on="builtins.ValueError")]
    runs = [a_run(job="fails", retry=policy, due_at=clock.now(), created_at=clock.now()) for policy in policies]
    app.store.enqueue(runs, now=clock.now())

    Driven(app, clock).settle_down()

    plain, own, final = (app.store.run(run.id).run for run in runs)
    assert (plain.state, final.state) == (State.FAILED, State.FAILED)
    assert (own.state, own.due_at) == (State.SCHEDULED, clock.now() + 90 * SECOND)
