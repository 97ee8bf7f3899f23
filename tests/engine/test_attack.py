"""What goes wrong only when several things happen at once: each was found by attacking a process that works."""

import asyncio
import os
import signal
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest

from rota.clock import SystemClock
from rota.core.events import AttemptStuck
from rota.core.model import Outcome, RunKind, State
from rota.queries import RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.contract.flaky import Moment, flaky
from tests.engine.house import an_app, runs_of
from tests.engine.test_stuck import GRACE, KILL_GRACE, LIMIT, deaf_run, live_on
from tests.system.processes import wait_until
from tests.values import SECOND, history


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@contextmanager
def worked(crew):
    """Tick the worker of a crew by hand; at the end nothing of it goes on."""
    try:
        yield crew.worker
    finally:
        for executor in crew._executors:
            executor.close()


def test_an_attempt_that_stopped_in_time_is_not_stuck_while_the_store_is_away(clock):  # R42, C2
    store, cutting = flaky(MemoryStore(clock=clock))
    app = an_app(store=store, clock=clock)
    app.job(timeout=LIMIT)(stops_when_told)
    app.jobs["stops_when_told"].enqueue()
    crew = app.crew()
    stuck: list[AttemptStuck] = []
    app.on(AttemptStuck)(stuck.append)
    with worked(crew) as worker:
        worker.tick(clock.now())
        [attempt] = worker.live()
        wait_until(lambda: attempt.started_at is not None, what="the start of the run")
        # From here on no pass of the worker comes round: its call to the store hangs.
        live_on(clock, crew, LIMIT)
        wait_until(lambda: attempt.is_over, what="the end of the run")

        live_on(clock, crew, GRACE + KILL_GRACE + SECOND)

        assert (crew.must_end.is_set(), stuck) == (False, [])
    assert cutting.is_done


def stops_when_told(stop_event) -> None:
    stop_event.wait(120)


def test_the_rounds_of_coroutine_jobs_are_expanded_while_every_thread_is_taken(clock):  # G10
    with deaf_run(clock) as (app, _, _):

        async def mail() -> None: ...

        app.job(per_tenant=True)(mail)
        app.job(name="other")(stops_when_told)
        round_ = app.start_run("mail")
        crew = app.crew(places=1)
        app.jobs["other"].enqueue()
        with worked(crew) as worker:

            def expanded() -> bool:
                worker.tick(clock.now())
                return len(app.store.runs(RunQuery(round_id=round_.id, kind=RunKind.JOB))) == 2

            try:
                wait_until(expanded, what="a run for each tenant")
            finally:
                worker.stop_attempts("the test is over")


def test_what_a_late_answer_brings_is_not_started_by_a_worker_that_has_finished(clock):  # R45, G6
    store, holding = flaky(MemoryStore(clock=clock))
    app = an_app(store=store, clock=clock)
    ran: list[str] = []

    @app.job()
    async def count() -> None:
        ran.append("it ran")

    handle = count.enqueue()
    crew = app.crew()
    hold = holding.delay("claim", Moment.AFTER)
    passing = threading.Thread(target=lambda: crew.worker.tick(clock.now()))
    passing.start()
    hold.wait_for_it()

    crew.worker.finish(clock.now())
    hold.let_go()
    passing.join(10)
    begun = crew.worker.live()
    for executor in crew._executors:
        executor.close()

    assert (begun, ran, handle.refresh().state, handle.refresh().attempt) == ([], [], State.QUEUED, 0)


def test_a_run_whose_lease_was_lost_stays_taken_while_its_code_may_go_on(clock):  # G5, G6
    with deaf_run(clock) as (app, crew, handle):
        [attempt] = crew.worker.live()
        # By this worker's own deadline; the store would still keep the run for a while.
        crew.worker.lose([(attempt.run.id, attempt.run.token)])

        crew.worker.finish(clock.now())

        assert app.store.run(handle.id).run.state is State.RUNNING


def test_why_a_run_was_cancelled_stays_when_it_did_not_stop(clock):  # G12
    with deaf_run(clock) as (app, crew, handle):
        app.store.cancel([handle.id], now=clock.now(), reason="not needed")
        crew.heartbeat.tick(clock.now())

        crew.worker.finish(clock.now())

        assert (handle.refresh().state, handle.refresh().reason) == (State.CANCELLED, "not needed")


def test_an_attempt_in_its_grace_that_is_to_end_at_once_has_the_hard_grace_from_then_on(clock):  # R42
    with deaf_run(clock) as (_, crew, _):
        [attempt] = crew.worker.live()
        live_on(clock, crew, LIMIT + GRACE / 2)

        crew.worker.stop_attempts("the worker is shutting down")
        clock.tick(KILL_GRACE)
        crew.timekeeper.tick(clock.now())
        assert not crew.must_end.is_set()
        clock.tick(timedelta(milliseconds=1))
        crew.timekeeper.tick(clock.now())

        assert crew.must_end.is_set()
        assert attempt.stop_signal.outcome is Outcome.TIMED_OUT


def test_a_job_in_a_thread_that_forks_and_returns_twice_has_one_worker(clock):  # F6
    app = an_app(clock=clock)
    pids: list[int] = []

    @app.job()
    def forks() -> None:
        pids.append(os.fork())
        if pids[0] == 0:
            # Should it live on, then not for ever.
            signal.alarm(10)

    handle = forks.enqueue()
    crew = app.crew()
    with worked(crew) as worker:

        def is_final() -> bool:
            worker.tick(clock.now())
            return handle.refresh().state.is_final

        wait_until(is_final, what="the end of the run")

        wait_until(lambda: os.waitpid(pids[0], os.WNOHANG)[0] == pids[0], what="the end of the copy")


def test_a_log_that_cannot_be_told_costs_neither_run_nor_place(clock):  # R43
    app = an_app(clock=clock)

    @app.job()
    def fine() -> None: ...

    handles = [fine.enqueue() for _ in range(3)]
    crew = app.crew(places=1)

    def breaks(run) -> None:
        raise OSError("the disk of the log is full")

    crew.worker._tell_ended = breaks
    with worked(crew) as worker:

        def all_final() -> bool:
            worker.tick(clock.now())
            return all(run.state.is_final for run in runs_of(app))

        wait_until(all_final, what="the end of the runs")
    assert {handle.refresh().state for handle in handles} == {State.SUCCEEDED}
    assert {one.outcome for one in history(app.store, handles[0].id).attempts} == {Outcome.SUCCEEDED}


def test_what_is_given_back_at_once_is_free_only_when_its_code_has_ended():  # G6, R45
    app = an_app(clock=SystemClock())
    began, now_or_never, seen = threading.Event(), threading.Event(), []
    now_or_never.set()

    @app.job()
    async def tidy() -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.6)
            seen.append(handle.refresh().state)

    handle = tidy.enqueue()
    crew = app.crew()
    crew.start()
    assert began.wait(10)

    crew.stop(at_once=now_or_never)

    assert (seen, handle.refresh().state) == ([State.RUNNING], State.QUEUED)


def test_children_are_ended_before_their_runs_are_given_back():  # G6
    app = an_app(clock=SystemClock())
    told: list[str] = []

    class Kindergarten:
        def close(self) -> None:
            told.append("children ended")

    crew = app.crew()
    crew.start()
    crew._children = Kindergarten()
    finish = crew.worker.finish
    crew.worker.finish = lambda now: told.append("given back") or finish(now)

    crew.stop()

    assert told == ["children ended", "given back"]
