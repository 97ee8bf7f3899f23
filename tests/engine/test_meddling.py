"""Jobs that cancel themselves, their neighbours, their parents and their flows, or take away their own schedule: each
has a defined result, and nobody waits for ever (F20)."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from rota import Retry, Rota, RunContext, State, every
from rota.errors import ScheduleInCode, Stopped
from rota.handle import RunHandle
from rota.queries import RunQuery
from rota.settings import Settings, WorkerSettings
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.engine.house import Driven, an_app, runs_of
from tests.values import HOUR

ONCE = Retry(attempts=1)
LONG = timedelta(seconds=20)
QUICK = Settings(
    worker=WorkerSettings(heartbeat=timedelta(milliseconds=100), lease=timedelta(seconds=10), concurrency=4)
)


@pytest.fixture(params=["memory", "sqlite"])
def working(request, tmp_path) -> Iterator[Rota]:
    """An application that works in threads of this process, in real time."""
    store = MemoryStore() if request.param == "memory" else f"sqlite:///{tmp_path}/rota.db"
    app = Rota(store, settings=QUICK)
    yield app
    app.close()


def until_stopped(ctx: RunContext) -> None:
    """Wait as a job does that looks whether it should stop."""
    ctx.sleep(LONG)


def test_a_run_that_cancels_itself_and_goes_on_is_asked_to_stop(working):
    @working.job(retry=ONCE)
    def suicidal(ctx: RunContext) -> None:
        working.cancel([ctx.run_id], reason="enough")
        until_stopped(ctx)

    working.start_background()
    run = suicidal.enqueue().wait(LONG)

    assert (run.state, run.reason) == (State.CANCELLED, "enough")


def test_a_run_that_cancels_itself_and_returns_at_once_has_done_its_work(working):
    @working.job(retry=ONCE)
    def suicidal(ctx: RunContext) -> int:
        working.cancel([ctx.run_id], reason="enough")
        return 7

    working.start_background()

    assert suicidal.enqueue().result(LONG) == 7


def test_a_run_that_cancels_itself_and_fails_is_not_tried_again(working):
    @working.job(retry=Retry(attempts=5, base=timedelta(0)))
    def suicidal(ctx: RunContext) -> None:
        working.cancel([ctx.run_id], reason="enough")
        ctx.stop.wait(LONG.total_seconds())
        raise ValueError("and down with it")

    working.start_background()
    run = suicidal.enqueue().wait(LONG)

    assert (run.state, run.attempt) == (State.CANCELLED, 1)


def test_two_runs_that_cancel_each_other_both_end(working):
    both = threading.Barrier(2)

    @working.job(retry=ONCE)
    def quarrel(ctx: RunContext) -> None:
        both.wait(LONG.total_seconds())
        others = working.store.runs(RunQuery(states=(State.RUNNING,)))
        working.cancel([run.id for run in others if run.id != ctx.run_id], reason="you or me")
        until_stopped(ctx)

    working.start_background()
    handles = quarrel.enqueue_many([(), ()])

    assert [handle.wait(LONG).state for handle in handles] == [State.CANCELLED, State.CANCELLED]


def test_a_run_that_cancels_one_that_waits_ends_and_the_other_never_begins(working):
    began = []

    @working.job(retry=ONCE)
    def later() -> None:
        began.append(1)

    @working.job(retry=ONCE)
    def envious(ctx: RunContext, other: str) -> list[str]:
        return working.cancel([other], reason="not before me")

    waiting = later.using(delay=HOUR).enqueue()
    working.start_background()

    assert envious.enqueue(waiting.id).result(LONG) == [waiting.id]
    assert (waiting.state, began) == (State.CANCELLED, [])


def test_a_child_that_cancels_the_parent_which_waits_for_it(working):
    @working.job(retry=ONCE)
    def child(ctx: RunContext, parent: str) -> None:
        working.cancel([parent], reason="child says no")
        until_stopped(ctx)

    @working.job(retry=ONCE)
    def parent(ctx: RunContext) -> None:
        mine = child.enqueue(ctx.run_id)
        try:
            until_stopped(ctx)
        except Stopped:
            mine.cancel(reason="parent is gone")
            raise

    working.start_background()
    run = parent.enqueue().wait(LONG)
    [of_child] = working.store.runs(RunQuery(jobs=("child",)))

    assert (run.state, run.reason) == (State.CANCELLED, "child says no")
    assert RunHandle(of_child.id, lambda: working.store, working.clock).wait(LONG).state is State.CANCELLED


def test_a_step_that_cancels_its_own_chain_ends_it_with_itself(working):
    @working.job(retry=ONCE)
    def fed_up(ctx: RunContext) -> None:
        flow = working.flow(ctx.flow_id or "")
        flow.cancel(reason="fed up")
        until_stopped(ctx)

    working.start_background()
    chain = working.chain(fed_up.step(), fed_up.step().without_result(), fed_up.step().without_result()).enqueue()
    chain.wait(LONG)

    assert [(run.state, run.reason) for run in chain.runs()] == [(State.CANCELLED, "fed up")] * 3


def test_a_member_that_cancels_what_follows_its_batch(working):
    @working.job(retry=ONCE)
    def spoiler(ctx: RunContext) -> None:
        *_, follower = working.flow(ctx.flow_id or "").children
        follower.cancel(reason="spoiled")

    working.start_background()
    batch = working.batch([spoiler.step()], on_complete=spoiler.step().without_result()).enqueue()
    batch.wait(LONG)

    assert [run.state for run in batch.runs()] == [State.SUCCEEDED, State.CANCELLED]


def test_a_run_that_enqueues_a_flow_and_waits_for_it_comes_to_its_end(working):
    @working.job(retry=ONCE)
    def one(number: int = 1) -> int:
        return number + 1

    @working.job(retry=ONCE)
    def waits() -> object:
        return working.chain(one.step(1), one.step(), one.step()).enqueue().result(LONG)

    working.start_background()

    assert waits.enqueue().result(LONG) == 4


def test_a_run_that_takes_away_its_schedule_is_recorded_and_is_the_last():
    clock = FakeClock()
    app = an_app(clock=clock)
    ran = []

    @app.job(retry=ONCE)
    def sawing(ctx: RunContext) -> None:
        ran.append(ctx.slot)
        app.schedules.delete("branch")

    app.schedules.put("branch", job="sawing", when=every().hour.at(":00"))
    process = Driven(app, clock)
    for _ in range(3):
        process.advance(HOUR)

    [run] = runs_of(app)
    assert (run.state, len(ran), app.store.schedule("branch")) == (State.SUCCEEDED, 1, None)


def test_a_schedule_of_the_code_is_not_taken_away_by_its_run():
    clock = FakeClock()
    app = an_app(clock=clock)

    @app.job(schedule=every().hour.at(":00"), retry=ONCE)
    def sawing() -> None:
        app.schedules.delete("sawing")

    process = Driven(app, clock)
    process.advance(HOUR)

    [run] = runs_of(app)
    assert (run.state, run.error.type) == (State.FAILED, ScheduleInCode.__name__)
    assert app.store.schedule("sawing") is not None
