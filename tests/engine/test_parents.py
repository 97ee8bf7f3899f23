"""What a job enqueues names the run that did, from wherever the job runs. (R32, R37)"""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from contextvars import copy_context

from rota import Retry, Rota, State
from tests.clocks import FakeClock
from tests.engine.house import Driven, an_app, runs_of

ONCE = Retry(attempts=1)

app = Rota("memory://")


@app.job(retry=ONCE)
def leaf(number: int = 0) -> int:
    return number


def enqueue_in_every_way(key: str) -> None:
    """Queue six runs: alone, in bulk, by a key, as a chain."""
    leaf.enqueue()
    leaf.enqueue_many([(1,), (2,)])
    leaf.using(unique=key).enqueue()
    app.chain(leaf.step(1), leaf.step()).enqueue()


@app.job(retry=ONCE)
def in_a_thread() -> None:
    enqueue_in_every_way("thread")


@app.job(executor="process", retry=ONCE)
def in_a_child() -> None:
    enqueue_in_every_way("child")


@app.job(retry=ONCE)
async def on_the_loop() -> None:
    await leaf.aenqueue()
    await app.chain(leaf.step(1), leaf.step()).aenqueue()


def test_what_threads_children_and_coroutines_enqueue_is_theirs():
    app.start_background()
    try:
        asked = [in_a_thread.enqueue(), in_a_child.enqueue(), on_the_loop.enqueue()]
        ends = [handle.wait("60s").state for handle in asked]
    finally:
        app.stop()

    assert ends == [State.SUCCEEDED] * 3
    assert [len(handle.children) for handle in asked] == [6, 6, 3]
    assert all(child.parent == handle for handle in asked for child in handle.children)
    assert [handle.parent for handle in asked] == [None] * 3


def driven(job: Callable[[Rota], None]) -> tuple[Driven, str]:
    """Return a process that has executed this function as a job of its own, and the id of its run."""
    clock = FakeClock()
    own = an_app(clock=clock)

    @own.job(retry=ONCE)
    def child() -> None: ...

    @own.job(retry=ONCE)
    def parent() -> None:
        job(own)

    process, handle = Driven(own, clock), parent.enqueue()
    process.settle_down()
    return process, handle.id


def test_the_next_run_of_a_place_is_nobodys_child():  # R37
    def start(own: Rota) -> None:
        own.jobs["child"].enqueue()

    process, _ = driven(start)

    outside = process.app.jobs["child"].enqueue()

    assert outside.parent is None


def test_children_of_children_are_those_of_whoever_enqueued_them():
    clock = FakeClock()
    own = an_app(clock=clock)

    @own.job(retry=ONCE)
    def counts_down(number: int) -> None:
        if number:
            counts_down.enqueue(number - 1)

    top = counts_down.enqueue(2)
    Driven(own, clock).settle_down()

    [middle] = top.children
    [bottom] = middle.children
    assert bottom.children == []


def test_a_thread_of_the_jobs_own_is_of_its_run_where_it_was_given_its_context():  # R37
    def start(own: Rota) -> None:
        enqueue, context = own.jobs["child"].enqueue, copy_context()
        for target in (enqueue, lambda: context.run(enqueue)):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()

    process, parent = driven(start)

    alone, own_child = runs_of(process.app, jobs=("child",))
    assert (alone.parent, own_child.parent) == (None, parent)


def test_what_wraps_a_run_enqueues_for_it():
    clock = FakeClock()
    own = an_app(clock=clock)

    @own.job(retry=ONCE)
    def child() -> None: ...

    @own.job(retry=ONCE)
    def parent() -> None: ...

    @own.around
    def enqueues_first(ctx):
        if ctx.run.job == "parent":
            child.enqueue()
        return nullcontext()

    handle = parent.enqueue()
    Driven(own, clock).settle_down()

    assert [found.refresh().job for found in handle.children] == ["child"]


def test_a_step_that_enqueues_has_the_next_step_first_and_then_what_it_enqueued():
    clock = FakeClock()
    own = an_app(clock=clock)

    @own.job(retry=ONCE)
    def child() -> None: ...

    @own.job(retry=ONCE)
    def fetch() -> int:
        child.enqueue()
        child.enqueue()
        return 1

    @own.job(retry=ONCE)
    def store(number: int) -> None: ...

    first, second = own.chain(fetch.step(), store.step()).enqueue().children
    Driven(own, clock).settle_down()

    after, *enqueued = first.children
    assert after == second
    assert [one.id for one in enqueued] == sorted(run.id for run in runs_of(own, jobs=("child",)))


def test_a_key_that_another_run_has_keeps_that_ones_parent():
    clock = FakeClock()
    own = an_app(clock=clock)

    @own.job(retry=ONCE)
    def child() -> None: ...

    @own.job(retry=ONCE)
    def parent() -> None:
        child.using(unique="k", delay="1h").enqueue()

    first, second = parent.enqueue(), parent.enqueue()
    Driven(own, clock).settle_down()

    assert len([*first.children, *second.children]) == 1
