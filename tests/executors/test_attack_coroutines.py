"""What one coroutine may do to the loop of all others."""

import asyncio
import threading

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
