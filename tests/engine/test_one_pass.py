"""One pass in this process: it ends when there is nothing more to do, or when it is told to."""

import threading
from datetime import datetime, timedelta

from rota import Rota, RunContext, State
from rota.core.model import RoundState
from rota.engine import crew, maintenance
from rota.engine.worker import Worker
from rota.queries import RoundQuery
from rota.settings import Settings, WorkerSettings

LIMIT = timedelta(seconds=20)


def test_a_pass_closes_its_rounds_by_itself(monkeypatch):
    # Who closes them elsewhere looks once, when there is none, and is told of none.
    looked = threading.Event()

    class Seldom(maintenance.RoundCloser):
        def tick(self, now: datetime) -> timedelta:
            super().tick(now)
            looked.set()
            return timedelta(hours=1)

    monkeypatch.setattr(maintenance, "RoundCloser", Seldom)
    monkeypatch.setattr(crew, "signs_for", lambda _: frozenset())
    app = Rota("memory://")

    @app.job()
    def count() -> None:
        assert looked.wait(10)

    round_ = app.start_run("count")
    app.tick(limit=LIMIT)

    [ended] = app.store.rounds(RoundQuery())
    assert (ended.id, ended.state) == (round_.id, RoundState.SUCCEEDED)


def test_a_pass_that_is_told_to_stop_gives_back_what_does_not_end_in_time_and_begins_nothing():  # R45
    app = Rota("memory://", settings=Settings(worker=WorkerSettings(concurrency=1, drain=timedelta(0))))
    stop, begun = threading.Event(), []

    @app.job()
    def work(ctx: RunContext, number: int) -> None:
        begun.append(number)
        stop.set()
        ctx.stop.wait(5)
        ctx.check()

    runs = [work.enqueue(1), work.enqueue(2)]
    app.tick(limit=LIMIT, stop=stop.is_set)

    assert begun == [1]
    assert [run.state for run in runs] == [State.QUEUED] * 2
    assert app.store.run(runs[0].id).run.attempt == 0


def test_a_job_that_hears_of_no_stop_is_done_when_it_returns_during_a_drain(monkeypatch):  # R45
    app = Rota("memory://", settings=Settings(worker=WorkerSettings(concurrency=1, drain=timedelta(0))))
    begun, told, stop_attempts = threading.Event(), threading.Event(), Worker.stop_attempts

    def tell(worker, reason):
        stop_attempts(worker, reason)
        told.set()

    @app.job()
    def work() -> None:
        begun.set()
        assert told.wait(5)

    monkeypatch.setattr(Worker, "stop_attempts", tell)
    run = work.enqueue()
    app.tick(limit=LIMIT, stop=begun.is_set)

    assert run.state is State.SUCCEEDED
