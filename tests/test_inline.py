"""Inline mode: what is enqueued has run before `.enqueue` returns. (R33)"""

import asyncio
import logging
import threading
from datetime import timedelta

import pytest

from rota import Fail, Inline, Retry, Rota, RunContext, Snooze, State
from rota.errors import ArgumentsNotJson, NeverAtRest, RunFailed, StoreIsBlackHole
from rota.stores.memory import MemoryStore
from tests.values import HOUR


def an_inline_app(url: str = "memory://", *, inline: bool | Inline = True, **fields: object) -> Rota:
    return Rota(url, inline=inline, tenants=["acme", "globex"], **fields)  # type: ignore[arg-type]


def test_a_job_has_run_when_enqueue_returns():  # R33
    app = an_inline_app()
    seen: list[int] = []

    @app.job()
    def note(number: int) -> int:
        seen.append(number)
        return number + 1

    handle = note.enqueue(7)

    assert seen == [7]
    assert handle.state is State.SUCCEEDED
    assert handle.result() == 8


def test_arguments_make_the_whole_way_through_the_codec():  # R31, R33
    app = an_inline_app()
    given = timedelta(minutes=5)
    seen: list[timedelta] = []

    @app.job()
    def note(wait: timedelta) -> None:
        seen.append(wait)

    note.enqueue(given)

    assert seen == [given]
    assert seen[0] is not given


def test_what_has_no_json_form_is_refused_as_on_every_store():  # R31, R33
    app = an_inline_app()

    @app.job()
    def note(thing: object) -> None: ...

    with pytest.raises(ArgumentsNotJson):
        note.enqueue(object())


def test_the_store_that_is_named_is_not_opened(tmp_path):  # R33
    app = an_inline_app(f"sqlite:///{tmp_path / 'rota.db'}")

    @app.job()
    def nothing() -> None: ...

    nothing.enqueue()

    assert isinstance(app.store, MemoryStore)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("inline", [False, True, Inline.RECORD])
def test_a_black_hole_executes_nothing_also_in_inline_mode(inline):  # R33
    app = an_inline_app("blackhole://", inline=inline)
    seen: list[str] = []

    @app.job()
    def note() -> None:
        seen.append("executed")

    handle = note.enqueue()

    assert seen == []
    with pytest.raises(StoreIsBlackHole, match="discarded"):
        handle.result()


def test_what_a_job_raises_is_raised_by_enqueue_after_its_attempts():  # R33
    app = an_inline_app()
    error, attempts = ValueError("bad address"), []

    @app.job(retry=Retry(attempts=3, base=HOUR))
    def send(ctx: RunContext) -> None:
        attempts.append(ctx.attempt)
        raise error

    with pytest.raises(ValueError, match="bad address") as raised:
        send.enqueue()

    assert raised.value is error
    assert attempts == [1, 2, 3]


def test_a_retry_that_succeeds_raises_nothing():  # R33
    app = an_inline_app()

    @app.job(retry=Retry(attempts=3, base=HOUR))
    def send(ctx: RunContext) -> int:
        if ctx.attempt < 3:
            raise ValueError("busy")
        return ctx.attempt

    assert send.enqueue().result() == 3


def test_a_failure_without_an_exception_is_raised_as_a_failed_run():  # R33
    app = an_inline_app()

    @app.job(retry=Retry(attempts=1))
    def send() -> Fail:
        return Fail("no such mailbox")

    with pytest.raises(RunFailed, match="no such mailbox"):
        send.enqueue()


def test_a_ctrl_c_goes_on_to_whoever_enqueued_and_is_not_tried_again():
    app, begun = an_inline_app(inline=Inline.RECORD), []

    @app.job(retry=Retry(attempts=3))
    def send() -> None:
        begun.append(len(begun))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send.enqueue()
    assert begun == [0]


def test_exceptions_are_recorded_where_that_is_chosen():  # R33
    app = an_inline_app(inline=Inline.RECORD)

    @app.job(retry=Retry(attempts=2))
    def send() -> None:
        raise ValueError("bad address")

    handle = send.enqueue()

    assert handle.state is State.FAILED
    with pytest.raises(RunFailed, match="bad address"):
        handle.result()


def test_a_delay_is_not_waited_for():  # R33
    app = an_inline_app()

    @app.job()
    def nothing() -> None: ...

    assert nothing.using(delay=HOUR).enqueue().state is State.SUCCEEDED


def test_a_job_that_enqueues_another_has_its_result():  # R33
    app = an_inline_app()

    @app.job()
    def inner(number: int) -> int:
        return number * 2

    @app.job()
    def outer(number: int) -> object:
        return inner.enqueue(number).result()

    assert outer.enqueue(4).result() == 8


def test_many_at_once_have_all_run():  # R33
    app = an_inline_app()
    seen: list[int] = []

    @app.job()
    def note(number: int) -> None:
        seen.append(number)

    handles = note.enqueue_many([(number,) for number in range(50)])

    assert sorted(seen) == list(range(50))
    assert {handle.state for handle in handles} == {State.SUCCEEDED}


def test_a_run_has_its_tenant_and_what_is_put_around_it():  # R33
    app = an_inline_app()
    seen: list[str] = []

    @app.job(per_tenant=True)
    def report(ctx: RunContext) -> None:
        # As a job says it that prints for whom it works.
        seen.append(f"{ctx.tenant}")

    report.using(tenant="globex").enqueue()

    assert seen == ["globex"]


def test_coroutine_jobs_run_too():  # R33
    app = an_inline_app()

    @app.job()
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    async def view() -> object:
        return (await double.aenqueue(4)).result()

    async def careless_view() -> object:
        return double.enqueue(5).result()

    assert double.enqueue(3).result() == 6
    assert asyncio.run(view()) == 8
    assert asyncio.run(careless_view()) == 10


def test_a_run_that_snoozes_without_end_is_named():  # R33
    app = an_inline_app()

    @app.job()
    def poll() -> Snooze:
        return Snooze(HOUR)

    with pytest.raises(NeverAtRest, match=r"poll \(scheduled\)"):
        poll.enqueue()


def test_threads_that_enqueue_at_once_each_find_their_runs_done():  # R33
    app = an_inline_app()
    barrier = threading.Barrier(4)
    states: list[State] = []

    @app.job()
    def nothing() -> None: ...

    def enqueue() -> None:
        barrier.wait(30)
        states.extend(nothing.enqueue().state for _ in range(10))

    threads = [threading.Thread(target=enqueue) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert states == [State.SUCCEEDED] * 40


def test_what_is_paused_waits_and_that_is_said(caplog):  # R12, R33
    app = an_inline_app()

    @app.job()
    def nothing() -> None: ...

    app.pauses.pause("job", "nothing", reason="migration")
    handle = nothing.enqueue()

    assert handle.state is State.QUEUED
    assert "stays queued" in caplog.text


def test_an_enqueue_in_memory_without_a_worker_is_warned_of_once(caplog):  # R33
    app = Rota("memory://")

    @app.job()
    def nothing() -> None: ...

    nothing.enqueue()
    nothing.enqueue()

    [record] = caplog.records
    assert "'nothing' waits in memory, and no worker runs in this process" in record.getMessage()
    assert "rota.start_background()" in record.getMessage()


def test_an_enqueue_beside_a_worker_is_not_warned_of(caplog):  # R33
    app = Rota("memory://")

    @app.job()
    def nothing() -> None: ...

    app.start_background()
    try:
        assert nothing.enqueue().wait(timedelta(seconds=30)).state is State.SUCCEEDED
    finally:
        app.stop()

    assert "no worker" not in caplog.text


def test_an_inline_enqueue_is_not_warned_of(caplog):  # R33
    app = an_inline_app()

    @app.job()
    def nothing() -> None: ...

    nothing.enqueue()

    # Others may have the log of runs at INFO in this process: what counts is that nobody is warned.
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_job_that_asks_for_itself_once_gets_its_own_run():  # R32, R33
    app = an_inline_app()
    seen: list[str] = []

    @app.job()
    def again(ctx: RunContext) -> str:
        seen.append(ctx.run_id)
        return again.using(unique="args").enqueue().id

    handle = again.using(unique="args").enqueue()

    assert handle.result() == handle.id
    assert seen == [handle.id]
