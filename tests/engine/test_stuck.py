"""Attempts that do not stop: what is said, what is recorded, what becomes of their neighbours."""

import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest

from rota.core.events import AttemptEnded, AttemptStuck
from rota.core.model import Outcome, State
from tests.clocks import FakeClock
from tests.engine.house import an_app
from tests.system.processes import wait_until
from tests.values import SECOND, history

LIMIT = timedelta(minutes=10)
GRACE = timedelta(seconds=30)
KILL_GRACE = timedelta(seconds=5)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@contextmanager
def deaf_run(clock, **policy):
    """Give an app, its crew, and the handle of a run whose thread goes on until the block ends."""
    app = an_app(clock=clock)
    began, may_end = threading.Event(), threading.Event()

    @app.job(timeout=LIMIT, **policy)
    def deaf() -> None:
        began.set()
        may_end.wait(30)

    handle = deaf.enqueue()
    crew = app.crew()
    crew.worker.tick(clock.now())
    assert began.wait(10)
    try:
        yield app, crew, handle
    finally:
        may_end.set()
        for executor in crew._executors:
            executor.close()


def live_on(clock, crew, by):
    """Let time pass as in a process whose loops come round: leases are renewed meanwhile."""
    while by > timedelta(0):
        clock.tick(min(by, 4 * SECOND))
        by -= min(by, 4 * SECOND)
        crew.heartbeat.tick(clock.now())
        crew.timekeeper.tick(clock.now())


def test_a_run_that_is_out_of_time_is_told_then_has_its_grace_then_costs_its_process(clock):  # R42, F3
    with deaf_run(clock) as (app, crew, _):
        stuck: list[AttemptStuck] = []
        app.on(AttemptStuck)(stuck.append)
        [attempt] = crew.worker.live()

        live_on(clock, crew, LIMIT - SECOND)
        assert not attempt.stop_signal.is_set()
        live_on(clock, crew, SECOND)
        assert (attempt.stop_signal.is_set(), attempt.stop_signal.outcome) == (True, Outcome.TIMED_OUT)
        live_on(clock, crew, GRACE + KILL_GRACE)
        assert (crew.must_end.is_set(), stuck) == (False, [])
        clock.tick(timedelta(milliseconds=1))
        for _ in range(3):
            crew.timekeeper.tick(clock.now())

        assert crew.must_end.is_set()
        assert [(event.run.id, event.reason) for event in stuck] == [(attempt.run.id, "its time limit is over")]


def test_the_timekeeper_comes_back_for_a_time_limit_that_ends_soon(clock):  # R42
    with deaf_run(clock) as (_, crew, _):
        live_on(clock, crew, LIMIT - timedelta(milliseconds=200))

        assert crew.timekeeper.tick(clock.now()) == pytest.approx(timedelta(milliseconds=200), abs=timedelta(0.001))


def test_a_run_whose_lease_is_lost_has_the_hard_grace_and_no_more(clock):  # R42, G6
    with deaf_run(clock) as (_, crew, _):
        [attempt] = crew.worker.live()

        crew.worker.lose([(attempt.run.id, attempt.run.token)])
        clock.tick(KILL_GRACE)
        crew.timekeeper.tick(clock.now())
        assert not crew.must_end.is_set()
        clock.tick(timedelta(milliseconds=1))
        crew.timekeeper.tick(clock.now())

        assert crew.must_end.is_set()


def test_a_stuck_attempt_is_recorded_as_timed_out_once_and_tried_again_when_its_process_is_gone(clock):  # R42, R43
    with deaf_run(clock) as (app, crew, handle):
        ended: list[AttemptEnded] = []
        app.on(AttemptEnded)(ended.append)
        live_on(clock, crew, LIMIT)
        live_on(clock, crew, GRACE + KILL_GRACE + SECOND)

        crew.abandon()

        run = handle.refresh()
        assert (run.state, run.attempt) == (State.SCHEDULED, 1)
        assert run.due_at >= clock.now() + SECOND
        attempts = [one.outcome for one in history(app.store, handle.id).attempts]
        assert attempts == [Outcome.TIMED_OUT]
        assert [event.settlement.outcome for event in ended] == [Outcome.TIMED_OUT]


def test_the_neighbours_of_a_stuck_attempt_are_given_back_and_do_not_lose_a_try(clock):  # R42, R45, F3
    with deaf_run(clock) as (app, crew, _):
        began, may_end = threading.Event(), threading.Event()

        def neighbour() -> None:
            began.set()
            may_end.wait(30)

        app.job()(neighbour)
        other = app.jobs["neighbour"].enqueue()
        # As if it had been there when the crew was made.
        crew.worker._jobs["neighbour"] = app.jobs["neighbour"].registered
        live_on(clock, crew, LIMIT)
        crew.worker.tick(clock.now())
        assert began.wait(10)
        live_on(clock, crew, GRACE + KILL_GRACE + SECOND)
        abandoning = threading.Thread(target=crew.abandon)

        abandoning.start()
        wait_until(lambda: crew.worker._draining, what="the end of claiming")
        clock.tick(KILL_GRACE)
        abandoning.join(10)
        may_end.set()

        run = other.refresh()
        assert (run.state, run.attempt) == (State.SCHEDULED, 0)
        assert [one.outcome for one in history(app.store, other.id).attempts] == [Outcome.INTERRUPTED]


def test_a_cancelled_run_that_does_not_stop_is_cancelled(clock):  # R42, R43
    with deaf_run(clock) as (app, crew, handle):
        app.store.cancel([handle.id], now=clock.now(), reason="not needed")
        crew.heartbeat.tick(clock.now())
        live_on(clock, crew, GRACE + KILL_GRACE + SECOND)

        crew.abandon()

        assert handle.refresh().state is State.CANCELLED
