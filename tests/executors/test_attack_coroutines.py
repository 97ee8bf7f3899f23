"""What one coroutine may do to the loop of all others."""

import asyncio
import threading
from contextlib import suppress

import pytest

from rota.clock import SystemClock
from rota.core.model import Outcome
from rota.executors.asyncio_ import AsyncioExecutor
from tests.executors.test_asyncio import Coroutine, Endings


@pytest.fixture
def executor():
    executor = AsyncioExecutor(clock=SystemClock())
    yield executor
    executor.close()


async def fine() -> str:
    await asyncio.sleep(0.01)
    return "fine"


async def raises_system_exit_in_a_task_of_its_own() -> None:
    async def die() -> None:
        raise SystemExit(3)

    asyncio.get_running_loop().create_task(die())
    await asyncio.sleep(0.01)


async def stops_the_loop() -> None:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.01)


@pytest.mark.parametrize("work", [raises_system_exit_in_a_task_of_its_own, stops_the_loop])
def test_whatever_a_coroutine_does_to_the_loop_the_others_go_on(executor, work):  # F1
    endings = Endings()
    before, bad, after = Coroutine(fine), Coroutine(work), Coroutine(fine)

    executor.submit([before, bad], endings)
    endings.wait_for(2)
    executor.submit([after], endings)
    endings.wait_for(3)

    assert {ending.outcome for ending in endings.of.values()} == {Outcome.SUCCEEDED}


def test_told_to_stop_by_two_threads_at_once_a_coroutine_is_cancelled_once(executor):
    endings = Endings()
    began, cleaned_up = threading.Event(), []

    async def tidy() -> None:
        try:
            began.set()
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.05)
            cleaned_up.append(True)

    for _ in range(20):
        began.clear()
        call = Coroutine(tidy)
        executor.submit([call], endings)
        assert began.wait(10)
        barrier = threading.Barrier(4)

        def tell(signal=call.stop_signal, barrier=barrier) -> None:
            barrier.wait()
            signal.set("stop")

        threads = [threading.Thread(target=tell) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    endings.wait_for(20)

    assert len(cleaned_up) == 20


def test_a_stop_and_a_time_limit_at_once_cancel_a_coroutine_once_and_end_it_once(executor, monkeypatch):  # R42, G3
    endings = Endings()
    began, cleaning, go_on = threading.Event(), threading.Event(), threading.Event()
    both_tell = threading.Barrier(2)
    cleaned_up: list[bool] = []

    async def tidy() -> None:
        try:
            began.set()
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            while not go_on.is_set():
                await asyncio.sleep(0.001)
            cleaned_up.append(True)

    call = Coroutine(tidy)
    executor.submit([call], endings)
    assert began.wait(10)
    loop_of_all = executor._loop
    on_its_way = loop_of_all.call_soon_threadsafe

    def told_at_once(callback, *args):
        # Both are past everything that a thread may look at before either reaches the loop; and the second reaches
        # it when the first has had its effect.
        name = threading.current_thread().name
        if name in ("limit", "stop"):
            with suppress(threading.BrokenBarrierError):
                both_tell.wait(2)
        if name == "limit":
            assert cleaning.wait(10)
        return on_its_way(callback, *args)

    monkeypatch.setattr(loop_of_all, "call_soon_threadsafe", told_at_once)
    tellers = [
        threading.Thread(name="stop", target=call.stop_signal.set, args=("cancelled",)),
        threading.Thread(
            name="limit",
            target=call.stop_signal.set,
            args=("its time limit is over",),
            kwargs={"outcome": Outcome.TIMED_OUT},
        ),
    ]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join(10)
    # Whatever the second teller asked for has been done when this is called.
    came_round = threading.Event()
    on_its_way(came_round.set)
    assert came_round.wait(10)
    go_on.set()
    endings.wait_for(1)

    assert cleaned_up == [True]
    assert endings.runs == [call.run.id]
    ending = endings.of[call.run.id]
    assert (ending.outcome, ending.reason) in [
        (Outcome.CANCELLED, "cancelled"),
        (Outcome.TIMED_OUT, "its time limit is over"),
    ]
