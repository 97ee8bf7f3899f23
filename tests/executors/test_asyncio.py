"""Coroutine jobs: many at once on one loop, each in a context of its own, stopped by being cancelled."""

import asyncio
import threading
import time
from contextvars import ContextVar
from datetime import timedelta

import pytest

from rota.clock import SystemClock
from rota.context import StopSignal
from rota.core.lifecycle import Ending
from rota.core.model import Outcome
from rota.executors.asyncio_ import AsyncioExecutor, aexecute
from tests.clocks import FakeClock
from tests.executors.test_thread import Endings as Reports
from tests.values import NOON, a_run

colour: ContextVar[str] = ContextVar("colour", default="none")


class Coroutine:
    """A call whose work is a coroutine function of the test."""

    is_coroutine = True

    def __init__(self, work) -> None:
        self.run = a_run()
        self.stop_signal = StopSignal()
        self._work = work

    async def aexecute(self) -> Ending:
        return await aexecute(self._work, stop=self.stop_signal, started_at=NOON)


class Endings(Reports):
    def __init__(self) -> None:
        super().__init__()
        self.of: dict[str, Ending] = {}

    def __call__(self, run, ending) -> None:
        self.of[run.id] = ending
        super().__call__(run, ending)


@pytest.fixture
def executor():
    executor = AsyncioExecutor(clock=SystemClock())
    yield executor
    executor.close()


@pytest.fixture
def endings() -> Endings:
    return Endings()


def test_hundreds_wait_at_once(executor, endings):
    # Each waits for all the others: in any number of places below 300 none would ever end.
    here = [0]
    everyone = threading.Event()

    async def meet() -> None:
        here[0] += 1
        if here[0] == 300:
            everyone.set()
        while not everyone.is_set():
            await asyncio.sleep(0.001)

    executor.submit([Coroutine(meet) for _ in range(300)], endings)

    endings.wait_for(300)
    assert {ending.outcome for ending in endings.of.values()} == {Outcome.SUCCEEDED}


def test_what_is_returned_and_raised_decides_the_outcome(executor, endings):  # R43
    async def fine() -> dict[str, int]:
        return {"rows": 5}

    async def bad() -> None:
        raise ValueError("moved")

    async def leave() -> None:
        raise SystemExit(3)

    calls = [Coroutine(fine), Coroutine(bad), Coroutine(leave)]
    executor.submit(calls, endings)
    endings.wait_for(3)

    good, failed, left = (endings.of[call.run.id] for call in calls)
    assert (good.outcome, good.result) == (Outcome.SUCCEEDED, '{"rows":5}')
    assert (failed.outcome, failed.error.first_line) == (Outcome.FAILED, "ValueError: moved")
    assert (left.outcome, left.error.type) == (Outcome.FAILED, "SystemExit")


def test_a_context_variable_of_one_is_not_seen_by_the_next(executor, endings):  # R21
    seen: list[str] = []

    async def paint() -> None:
        seen.append(colour.get())
        colour.set("red")

    executor.submit([Coroutine(paint)], endings)
    endings.wait_for(1)
    executor.submit([Coroutine(paint)], endings)
    endings.wait_for(2)

    assert seen == ["none", "none"]


def test_the_stop_signal_cancels_and_says_the_outcome(executor, endings):  # R42, R43
    begun = threading.Event()
    cleaned: list[str] = []

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("up")

    call = Coroutine(wait)
    executor.submit([call], endings)
    assert begun.wait(10)
    call.stop_signal.set("its time limit is over", outcome=Outcome.TIMED_OUT)
    # Told again, with less time: what it cleans up is not cut short.
    call.stop_signal.set("its lease is lost", outcome=Outcome.INTERRUPTED)
    endings.wait_for(1)

    ending = endings.of[call.run.id]
    assert (ending.outcome, ending.reason, ending.error.type) == (
        Outcome.TIMED_OUT,
        "its time limit is over",
        "Stopped",
    )
    assert cleaned == ["up"]


def test_one_that_was_stopped_before_it_began_is_reported(executor, endings):
    async def never() -> None:
        raise AssertionError("it was stopped before")

    call = Coroutine(never)
    call.stop_signal.set("cancelled", outcome=Outcome.CANCELLED)
    executor.submit([call], endings)
    endings.wait_for(1)

    assert endings.of[call.run.id].outcome is Outcome.CANCELLED


def test_one_that_swallows_its_cancellation_and_returns_nothing_has_not_succeeded(executor, endings):  # R43, F5
    begun = threading.Event()

    async def deaf() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)

    call = Coroutine(deaf)
    executor.submit([call], endings)
    assert begun.wait(10)
    call.stop_signal.set("its time limit is over", outcome=Outcome.TIMED_OUT)
    endings.wait_for(1)

    assert endings.of[call.run.id].outcome is Outcome.TIMED_OUT


def test_a_cancellation_that_nobody_here_asked_for_is_a_failure(executor, endings):
    async def give_up() -> None:
        raise asyncio.CancelledError

    call = Coroutine(give_up)
    executor.submit([call], endings)
    endings.wait_for(1)

    assert (endings.of[call.run.id].outcome, endings.of[call.run.id].error.type) == (Outcome.FAILED, "CancelledError")


def test_the_run_that_blocks_the_loop_is_named(endings):  # B10
    clock = FakeClock()
    executor = AsyncioExecutor(clock=clock)
    begun, go_on = threading.Event(), threading.Event()

    async def block() -> None:
        begun.set()
        go_on.wait(30)

    call = Coroutine(block)
    executor.submit([call], endings)
    assert begun.wait(10)
    assert executor.blockage() is None, "the first question only asks"
    clock.tick(seconds(2))
    blocked = executor.blockage()
    go_on.set()
    endings.wait_for(1)

    assert blocked is not None
    assert (blocked.run, blocked.lag) == (call.run, seconds(2))
    assert "go_on.wait(30)" in blocked.stack
    # Once it has come round, nothing is said any more.
    came_round(executor)
    assert executor.blockage() is None
    executor.close()


def test_closing_cancels_what_still_waits():
    executor, endings = AsyncioExecutor(clock=SystemClock()), Endings()

    async def wait() -> None:
        await asyncio.sleep(3600)

    executor.submit([Coroutine(wait)], endings)
    executor.close()

    assert [ending.outcome for ending in endings.of.values()] == [Outcome.INTERRUPTED]
    assert not [thread for thread in threading.enumerate() if thread.name == "rota-coroutines"]


def seconds(number: float) -> timedelta:

    return timedelta(seconds=number)


def came_round(executor: AsyncioExecutor) -> None:
    """Wait until the loop has answered the last question."""
    ends = time.monotonic() + 10
    while executor._came_round < executor._asked:
        assert time.monotonic() < ends, "the loop never comes round"
        time.sleep(0.001)
