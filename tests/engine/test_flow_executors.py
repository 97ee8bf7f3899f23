"""A flow goes through threads, child processes and coroutines, and child processes enqueue flows of their own (R32)."""

import asyncio
import os
from datetime import timedelta

from rota import BatchSummary, Retry, Rota, State
from rota.queries import RunQuery
from tests.system.processes import wait_until

LONG = timedelta(seconds=30)
ONCE = Retry(attempts=1)

app = Rota("memory://")


@app.job(retry=ONCE)
def here(number: int) -> dict[str, int]:
    return {"number": number, "pid": os.getpid()}


@app.job(executor="process", retry=ONCE)
def in_a_child(before: dict[str, int], plus: int) -> dict[str, int]:
    assert before["pid"] != os.getpid()
    return {"number": before["number"] + plus, "pid": os.getpid()}


@app.job(retry=ONCE)
async def on_the_loop(before: dict[str, int]) -> int:
    assert before["pid"] != os.getpid()
    return before["number"] * 2


@app.job(executor="process", retry=ONCE)
def tell(summary: BatchSummary) -> int:
    return summary.succeeded


@app.job(executor="process", retry=ONCE)
def enqueues() -> str:
    return app.batch([here.step(1), here.step(2)], on_success=tell.step()).enqueue().id


async def again() -> object:
    """Start the same chain from a coroutine, and await what it returns."""
    flow = await app.chain(here.step(3), in_a_child.step(plus=4), on_the_loop.step()).aenqueue()
    return await flow.aresult("30s")


def test_results_go_from_executor_to_executor_and_children_enqueue_flows():
    app.start_background()
    try:
        chain = app.chain(here.step(3), in_a_child.step(plus=4), on_the_loop.step()).enqueue()
        assert chain.result(LONG) == 14
        assert asyncio.run(again()) == 14
        flow = app.flow(str(enqueues.enqueue().result(LONG)))
        wait_until(lambda: flow.is_over, what="the end of the batch")
    finally:
        app.stop()

    *_, told = flow.runs()
    assert (told.job, told.state, told.result) == ("tell", State.SUCCEEDED, "2")
    assert {run.state for run in app.store.runs(RunQuery())} == {State.SUCCEEDED}
