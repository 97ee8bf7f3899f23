"""A run as its enqueuer holds it. (R32)"""

import asyncio
from datetime import timedelta

import pytest

from rota import Retry, Rota, State
from rota.core.model import Note
from rota.errors import ConfigurationError, RunFailed, RunNotFound, StoreIsBlackHole, WaitTimedOut
from rota.queries import RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.engine.house import Driven, an_app
from tests.values import NOON, claim

SECOND = timedelta(seconds=1)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def app(clock):
    app = an_app(clock=clock)

    @app.job()
    def double(number: int) -> int:
        return number * 2

    @app.job(retry=Retry(attempts=1))
    def fail() -> None:
        raise ValueError("no good")

    return app


def test_a_run_is_found_by_its_id_or_the_start_of_it(app):
    handle = app.jobs["double"].enqueue(2)

    assert app.run(handle.id) == app.run(handle.id[:30]) == handle
    for unknown in ("0" * 32, handle.id[:5]):
        with pytest.raises(RunNotFound):
            app.run(unknown)


def test_its_state_goes_by_two_names(app, clock):
    handle = app.jobs["double"].enqueue(2)
    assert (handle.state, handle.status) == (State.QUEUED, State.QUEUED)

    Driven(app, clock).settle_down()

    assert (handle.state, handle.status) == (State.SUCCEEDED, State.SUCCEEDED)


def test_its_progress_is_what_it_said(app):
    handle = app.jobs["double"].enqueue(2)
    [run] = claim(app.store)
    assert handle.progress is None

    app.store.note([Note(run_id=run.id, token=run.token, done=2, total=5)], now=NOON)

    assert handle.progress == (2, 5)


def test_a_coroutine_awaits_the_result(app, clock):
    good, bad = app.jobs["double"].enqueue(4), app.jobs["fail"].enqueue()
    Driven(app, clock).settle_down()

    assert asyncio.run(good.aresult()) == 8
    with pytest.raises(RunFailed, match="ValueError: no good"):
        asyncio.run(bad.aresult())


def test_a_result_that_comes_while_it_is_awaited_is_given():
    app = Rota(MemoryStore())

    @app.job()
    def double(number: int) -> int:
        return number * 2

    async def both() -> object:
        handle = double.enqueue(21)
        waiting = asyncio.create_task(handle.aresult("20s"))
        await asyncio.sleep(0)
        app.start_background()
        return await waiting

    try:
        assert asyncio.run(both()) == 42
    finally:
        app.close()


@pytest.mark.parametrize("limit", [timedelta(0), -SECOND, timedelta(milliseconds=20), "20ms"])
def test_waiting_ends_with_the_time_given_and_the_run_goes_on(limit):  # R32
    app = Rota(MemoryStore())

    @app.job()
    def nobody_works() -> None: ...

    handle = nobody_works.enqueue()

    for wait in (handle.wait, handle.result, lambda t: asyncio.run(handle.aresult(t))):
        with pytest.raises(WaitTimedOut, match="still queued"):
            wait(limit)
    assert handle.state is State.QUEUED


def test_a_time_limit_that_is_none_is_refused(app):  # R64
    with pytest.raises(ConfigurationError, match="no duration"):
        app.jobs["double"].enqueue(1).wait("soon")


def test_a_run_that_failed_is_tried_again(app, clock):
    handle = app.jobs["fail"].enqueue()
    process = Driven(app, clock)
    assert handle.retry() is False
    process.settle_down()
    assert handle.state is State.FAILED

    assert handle.retry() is True

    assert (handle.state, handle.refresh().attempt) == (State.QUEUED, 0)


def test_the_children_of_a_run_are_the_steps_that_take_what_it_returns(app):
    double = app.jobs["double"]
    first, second, third = app.chain(double.step(1), double.step(), double.step()).enqueue().children

    assert (first.children, second.children, third.children) == ([second], [third], [])
    assert double.enqueue(1).children == []


def test_the_black_hole_answers_nothing():  # R33, R64
    app = Rota("blackhole://")

    @app.job()
    def send() -> None: ...

    handle = send.enqueue()

    for ask in (handle.refresh, lambda: handle.status, lambda: handle.progress, lambda: handle.result(SECOND)):
        with pytest.raises(StoreIsBlackHole):
            ask()


def test_a_cancelled_run_gives_its_reason(app, clock):
    handle = app.jobs["double"].enqueue(1)

    assert handle.cancel(reason="the order was taken back") is True
    with pytest.raises(RunFailed, match="cancelled: the order was taken back"):
        handle.result()
    assert [run.state for run in app.store.runs(RunQuery())] == [State.CANCELLED]


def test_a_time_to_wait_without_a_unit_is_refused(app):  # R64
    handle = app.jobs["double"].enqueue(2)

    with pytest.raises(ConfigurationError, match="'5s'"):
        handle.result(timeout=5)  # type: ignore[arg-type]  # that is the mistake
