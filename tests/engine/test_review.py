"""What goes wrong between the parts: a store that is away at a bad moment, a clock, a neighbour, a tenant source."""

from collections.abc import Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial

import pytest
from msgspec.structs import replace

from rota import Retry, Rota, RunContext, State, every
from rota.core.lifecycle import rescue
from rota.core.model import Tenant, WorkerRecord
from rota.engine import host
from rota.engine.directory import AGAIN, REFRESH, Directory
from rota.engine.maintenance import FORGOTTEN, Neighbours
from rota.errors import StoreUnavailable, TenantListFailed, TenantNotFound
from rota.queries import Settled
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.contract.flaky import Moment
from tests.contract.flaky import flaky as cuttable
from tests.engine.house import Driven, an_app, driven, hourly, noon_plus, runs_of
from tests.engine.test_worker import a_worker_that_begins_nothing, counting
from tests.values import HOUR, MINUTE, NOON, SECOND, a_run, a_worker, claim, found, settle_all

ONCE = Retry(attempts=1)
colour: ContextVar[str] = ContextVar("colour", default="none")


def test_a_run_of_an_unknown_job_that_cannot_be_given_back_holds_up_no_other():  # R36
    clock = FakeClock()
    store, flaky = cuttable(MemoryStore(clock=clock))
    app = an_app(store=store, clock=clock)
    ran = counting(app)
    stranger = a_run(job="of-another-version")
    app.store.enqueue([stranger], now=clock.now())
    app.jobs["count"].enqueue_many([(number,) for number in range(3)])
    process = Driven(app, clock)

    flaky.cut("release", Moment.BEFORE)
    with pytest.raises(StoreUnavailable):
        process.crew.worker.tick(clock.now())
    process.settle_down()

    assert ran == [0, 1, 2]
    given_back = found(app.store, stranger.id)
    assert (given_back.state, given_back.attempt) == (State.QUEUED, 0)


def test_a_store_that_does_not_answer_keeps_no_attempt_from_being_stopped():  # G6, R42
    clock = FakeClock()
    app = an_app(clock=clock)
    seen: list[str] = []

    @app.job(timeout="5s")
    def slow() -> None:
        # The heartbeat hangs in its call: nobody but the timekeeper comes round.
        [attempt] = process.crew.worker.live()
        clock.tick(5 * SECOND)
        process.crew.timekeeper.tick(clock.now())
        seen.append(attempt.stop_signal.reason)
        clock.tick(9 * SECOND)
        process.crew.timekeeper.tick(clock.now())
        assert attempt.lost

    process = Driven(app, clock)
    slow.enqueue()
    process.crew.worker.tick(clock.now())

    assert seen == ["its time limit is over"]


def test_an_attempt_that_was_given_up_for_lost_is_not_renewed_so_that_its_run_comes_free():
    clock = FakeClock()
    app = an_app(clock=clock)
    found_late: list[int] = []

    @app.job()
    def stubborn() -> None:
        process.crew.worker.lose(process.crew.worker.held())
        for _ in range(5):
            clock.tick(5 * SECOND)
            process.crew.heartbeat.tick(clock.now())
        found_late.append(len(app.store.expired(now=clock.now())))

    process = Driven(app, clock)
    stubborn.enqueue()
    process.crew.worker.tick(clock.now())

    assert found_late == [1]


def test_a_worker_that_gets_its_own_run_again_after_a_freeze_stops_the_older_attempt():  # G6, fault row B1
    clock = FakeClock()
    app = an_app(clock=clock)
    counting(app)
    app.jobs["count"].enqueue(1)
    worker = a_worker_that_begins_nothing(app)
    heartbeat = Driven(app, clock).crew.heartbeat
    heartbeat._worker = worker
    worker.tick(clock.now())
    [late] = app.store.expired(now=clock.tick(MINUTE))
    settle_all(app.store, rescue(late, now=clock.now()), now=clock.now())
    worker.tick(clock.now())
    older, newer = sorted(worker.live(), key=lambda attempt: attempt.run.token)

    heartbeat.tick(clock.now())

    assert (older.lost, newer.lost) == (True, False)
    assert older.stop_signal.is_set()


def test_runs_that_wait_behind_long_ones_are_given_back_once_and_not_claimed_over_and_over():
    clock = FakeClock()
    app = an_app(clock=clock)
    counting(app)
    app.jobs["count"].enqueue_many([(number,) for number in range(20)])
    worker = a_worker_that_begins_nothing(app)
    worker.tick(clock.now())
    for attempt in worker.live()[:8]:
        attempt.started_at = clock.now()
    [pool] = worker._holdings.pools
    pool.executor.withdraw()
    pool.executor.submit(worker.live()[8:], partial(worker._on_ended, pool))
    assert len(worker.live()) > 8

    clock.tick(2 * SECOND)
    for _ in range(3):
        worker.tick(clock.now())

    assert len(worker.live()) == 8


def test_a_process_whose_clock_is_ahead_takes_no_live_worker_for_dead():  # fault row D1
    theirs, ours = FakeClock(), FakeClock(NOON + HOUR)
    app = an_app(store=MemoryStore(clock=theirs), clock=ours)
    counting(app)
    app.jobs["count"].using(at=NOON).enqueue(1)
    app.store.promote(now=NOON)
    [held] = claim(app.store, worker="other", now=NOON)
    registered: list[WorkerRecord] = []
    app.store.register = registered.append  # type: ignore[method-assign]  # what is noted before any loop ticks
    crew = app.crew()

    crew.start()
    crew.stop()

    assert [worker.started_at for worker in registered] == [NOON]
    assert (found(app.store, held.id).state, found(app.store, held.id).owner) == (State.RUNNING, "other")


def test_a_step_of_the_stores_clock_times_nobody_out():  # fault rows D1, D2
    clock = FakeClock()
    app = an_app(clock=clock)

    @app.job(timeout="5m")
    def slow() -> str:
        clock.step(HOUR)
        process.crew.heartbeat.tick(clock.now())
        process.crew.timekeeper.tick(clock.now())
        return "stopped" if process.crew.worker.live()[0].stop_signal.is_set() else "left alone"

    process = Driven(app, clock)
    handle = slow.enqueue()
    process.settle_down()

    assert handle.result() == "left alone"


def test_a_time_limit_beyond_the_end_of_the_calendar_is_no_trouble():  # fault row F16
    app = an_app()

    @app.job(timeout=timedelta.max)
    def patient(ctx: RunContext) -> str:
        return str(ctx.deadline)

    handle = patient.enqueue()
    Driven(app, app.clock).settle_down()  # type: ignore[arg-type]  # the clock of an_app is a fake one

    assert handle.result() == "None"


def test_heartbeats_are_counted_from_request_to_request():  # fault row B6
    clock = FakeClock()

    class Slow(MemoryStore):
        def renew(self, *args, **fields):
            clock.tick(4 * SECOND)
            return super().renew(*args, **fields)

    process = Driven(an_app(store=Slow(clock=clock), clock=clock), clock)

    assert process.crew.heartbeat.tick(clock.now()) == SECOND


def test_a_slot_that_is_made_up_after_a_later_one_succeeded_has_a_window_of_its_own():  # R9
    seen: list[object] = []
    broken = {13}

    def declare(app: Rota) -> None:
        @app.job(schedule=every().hour.at(":00"), per_tenant=True, retry=ONCE)
        def report(ctx: RunContext) -> None:
            assert ctx.slot is not None
            if ctx.slot.hour in broken:
                raise ValueError("not today")
            seen.append(ctx.window)

    process = driven(tenants=["acme"])(declare)
    process.advance(HOUR)
    process.advance(HOUR)
    broken.clear()

    process.app.backfill("report", since=noon_plus(minutes=1), until=noon_plus(hours=2), mode="failed")
    process.settle_down()

    assert seen == [(None, noon_plus(hours=2)), (NOON, noon_plus(hours=1))]


def test_the_window_of_a_manual_run_ends_once_however_often_it_is_asked_for():  # R9
    clock = FakeClock()
    seen: list[datetime] = []

    def declare(app: Rota) -> None:
        @app.job()
        def report(ctx: RunContext) -> None:
            seen.append(ctx.window.until)
            clock.tick(MINUTE)
            seen.append(ctx.window.until)

    process = driven(clock=clock)(declare)
    process.app.start_run("report")
    process.settle_down()

    assert seen == [NOON, NOON]


def test_a_context_variable_of_a_job_is_not_seen_by_the_next_nor_by_whoever_runs_it_inline():  # R21
    app = an_app()
    seen: list[str] = []

    @app.job()
    def sets() -> None:
        seen.append(colour.get())
        colour.set("red")

    sets.enqueue_many([(), ()])
    Driven(app, app.clock).settle_down()  # type: ignore[arg-type]  # the clock of an_app is a fake one

    assert (seen, colour.get()) == (["none", "none"], "none")


def test_the_record_of_a_worker_of_another_host_is_cleared_away_after_a_day():
    app = an_app()
    for worker_id, seen in {"long-gone": NOON - FORGOTTEN - SECOND, "late": NOON - HOUR}.items():
        app.store.register(a_worker(id=worker_id, last_seen=seen))

    Neighbours(app.store, bus=app.bus).tick(NOON)

    assert [worker.id for worker in app.store.workers()] == ["late"]


def test_a_process_that_proc_does_not_show_is_dead_only_when_there_is_none(monkeypatch):
    me = host.this_worker("w1", version="", queues={}, places=1, now=NOON)
    monkeypatch.setattr(host, "process_started", lambda pid: "")

    assert not host.is_dead_neighbour(me)
    assert host.is_dead_neighbour(replace(me, pid=2**22 + 1))


class RefusedAll(MemoryStore):
    """Applies no settlement."""

    def settle(self, settlements, *, now, claim=None):
        return Settled(applied=[], claimed=[])


def test_a_dead_neighbour_whose_runs_cannot_be_freed_now_is_left_for_the_next_pass(monkeypatch):
    app = an_app(store=RefusedAll())
    app.store.register(a_worker(id="dead", last_seen=NOON))
    app.store.enqueue([a_run()], now=NOON)
    claim(app.store, worker="dead")
    monkeypatch.setattr("rota.engine.maintenance.is_dead_neighbour", lambda worker: True)

    Neighbours(app.store, bus=app.bus).tick(NOON)

    assert [worker.id for worker in app.store.workers()] == ["dead"]


def test_a_source_that_fails_is_not_asked_by_every_run_of_the_tenants_it_had():  # R21
    asked: list[int] = []

    def listing() -> Sequence[Tenant]:
        asked.append(1)
        if len(asked) > 1:
            raise TenantListFailed("away")
        return [Tenant(id="acme")]

    directory = Directory(listing)
    directory.find("acme", now=NOON)

    for _ in range(10):
        assert directory.find("acme", now=NOON + REFRESH) is not None
    assert len(asked) == 2
    directory.find("acme", now=NOON + REFRESH + AGAIN)
    assert len(asked) == 3


def test_an_unknown_tenant_to_leave_out_is_an_error_and_not_ignored():  # R14, R24
    process = driven(tenants=["acme", "globex"])(hourly([]))

    with pytest.raises(TenantNotFound, match="globex"):
        process.app.start_run("report", exclude=["globx"])

    assert runs_of(process.app) == []
