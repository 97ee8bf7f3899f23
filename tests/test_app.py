"""The application as its users write it."""

import asyncio
from datetime import datetime, timedelta

import pytest

from rota import CatchUp, Registry, Retry, Rota, RunContext, State, every
from rota.errors import (
    BadArguments,
    BadSchedule,
    ConfigurationError,
    DuplicateJob,
    JobNotFound,
    NoTenant,
    RunFailed,
    ScheduleNotFound,
    StoreIsBlackHole,
    StoreUnavailable,
    TenantNotFound,
    UnsupportedJob,
    WaitTimedOut,
)
from rota.queries import RunQuery
from rota.settings import Settings, WorkerSettings
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.contract.flaky import Moment, flaky
from tests.engine.house import Driven, an_app
from tests.system.processes import wait_until
from tests.values import HOUR, MINUTE, NOON

SECOND = timedelta(seconds=1)


@pytest.fixture
def working():
    """An application on a memory store that works in the background, in real time."""
    app = Rota(MemoryStore(), tenants=["acme", "globex"])
    yield app
    app.close()


def test_calling_a_job_calls_its_function_here_and_now():
    app = an_app()

    @app.job()
    def add(a: int, b: int = 1) -> int:
        """Add two numbers."""
        return a + b

    assert add(2, b=3) == 5
    assert (add.name, add.__doc__) == ("add", "Add two numbers.")
    assert app.store.runs(RunQuery()) == []


def test_an_enqueued_run_gives_its_result(working):
    @working.job()
    def add(a: int, b: int = 1) -> int:
        return a + b

    working.start_background()

    assert add.enqueue(2, b=3).result(10 * SECOND) == 5
    assert [handle.result(10 * SECOND) for handle in add.enqueue_many([(1,), (2, 2)])] == [2, 4]
    assert asyncio.run(add.aenqueue(5)).result(10 * SECOND) == 6


def test_the_result_of_a_run_that_failed_is_its_error(working):
    @working.job(retry=Retry(attempts=1))
    def fails() -> None:
        raise ValueError("no good")

    working.start_background()

    with pytest.raises(RunFailed, match="ValueError: no good"):
        fails.enqueue().result(10 * SECOND)


def test_waiting_for_a_run_ends_with_the_time_given():
    app = Rota(MemoryStore())

    @app.job()
    def nobody_works() -> None: ...

    with pytest.raises(WaitTimedOut):
        nobody_works.enqueue().result(0.01 * SECOND)


def test_starting_and_stopping_in_the_background(working):
    working.start_background()
    with pytest.raises(ConfigurationError, match="stop"):
        working.start_background()

    assert working.stop() is True
    assert working.stop() is True
    assert working.store.workers() == []


def test_a_run_can_be_cancelled_before_it_begins():
    app = an_app()

    @app.job()
    def never() -> None: ...

    handle = never.enqueue()

    assert handle.cancel() is True
    assert (handle.state, handle.cancel()) == (State.CANCELLED, False)


def test_terms_of_one_enqueue_are_said_with_using():
    app = an_app()

    @app.job(queue="mail", priority=1)
    def send(user_id: int) -> None: ...

    plain = send.enqueue(1).refresh()
    other = send.using(tenant="acme", priority=5, delay=5 * MINUTE, queue="fast", user_id="7").enqueue(2).refresh()

    assert (plain.queue, plain.priority, plain.state, plain.tenant) == ("mail", 1, State.QUEUED, None)
    assert (other.queue, other.priority, other.state, other.tenant) == ("fast", 5, State.SCHEDULED, "acme")
    assert (other.due_at, other.user_id) == (NOON + 5 * MINUTE, "7")
    assert send.using(at=NOON + HOUR).enqueue(3).refresh().due_at == NOON + HOUR


def test_terms_that_contradict_each_other_are_refused():
    app = an_app()

    @app.job()
    def send() -> None: ...

    with pytest.raises(ConfigurationError, match="one of the two"):
        send.using(delay=MINUTE, at=NOON)
    with pytest.raises(ConfigurationError, match="aware"):
        send.using(at=datetime(2026, 1, 1))


def test_an_unknown_tenant_is_refused_with_close_names():  # R64
    app = an_app(tenants=["acme", "globex"])

    @app.job(per_tenant=True)
    def report() -> None: ...

    with pytest.raises(TenantNotFound, match="did you mean 'acme'"):
        report.using(tenant="acne").enqueue()
    with pytest.raises(NoTenant, match="using"):
        report.enqueue()
    with pytest.raises(TenantNotFound):
        app.start_run("report", tenants=["nobody"])
    assert app.store.runs(RunQuery(kind=None)) == []


def test_unknown_names_are_errors_with_close_names():  # R14, R64
    app = an_app()

    @app.job(schedule=every().hour.at(":00"), per_tenant=True)
    def nightly_report() -> None: ...

    @app.job()
    def unscheduled() -> None: ...

    for action in (
        lambda: app.start_run("nightly_reprot"),
        lambda: app.mark_success("nightly_reprot"),
        lambda: app.reset("nightly_reprot"),
        lambda: app.backfill("nightly_reprot", since=NOON - HOUR, until=NOON),
    ):
        with pytest.raises(JobNotFound, match="did you mean 'nightly_report'"):
            action()
    with pytest.raises(ScheduleNotFound):
        app.mark_success("unscheduled")
    with pytest.raises(TenantNotFound):
        app.reset("nightly_report", tenants=["nobody"])
    with pytest.raises(ScheduleNotFound, match="did you mean 'nightly_report'"):
        app.schedules.sync()
        app.schedules.pause("nightly_repor", reason="typing")


def test_a_backfill_needs_a_range_with_zones():  # R64
    app = an_app()

    @app.job(schedule=every().hour.at(":00"))
    def report() -> None: ...

    with pytest.raises(ConfigurationError, match="earlier"):
        app.backfill("report", since=NOON, until=NOON)
    with pytest.raises(ConfigurationError, match="aware"):
        app.backfill("report", since=datetime(2026, 1, 1), until=NOON)


def test_a_second_job_of_the_same_name_is_refused_and_both_places_are_named():  # R16
    app = an_app()

    @app.job(name="report")
    def first() -> None: ...

    with pytest.raises(DuplicateJob) as refusal:

        @app.job(name="report")
        def second() -> None: ...

    first_line, second_line = (first.job.place, refusal.value.second)
    assert first_line in str(refusal.value) and second_line in str(refusal.value)
    assert first_line != second_line and "test_app.py" in second_line


def test_a_job_says_what_it_does_and_how_often():  # R16
    app = an_app()

    @app.job(schedule=every().day.at("02:00", tz="Europe/Paris"))
    def report() -> None:
        """Sum up the day.

        At length.
        """

    assert report.job.description == "Sum up the day."
    assert str(report.timing) == "daily at 02:00 Europe/Paris"


def test_jobs_of_a_module_without_an_application_are_taken_in():  # R16
    registry = Registry()

    @registry.job()
    def tidy(days: int) -> int:
        return days

    with pytest.raises(ConfigurationError, match="include"):
        tidy.enqueue(1)
    clock = FakeClock()
    app = an_app(clock=clock)
    app.include(registry)
    handle = tidy.enqueue(3)
    Driven(app, clock).settle_down()
    assert handle.result() == 3

    @app.job(name="tidy2")
    def other() -> None: ...

    clashing = Registry()
    clashing.job(name="tidy2")(lambda: None)
    with pytest.raises(DuplicateJob):
        app.include(clashing)


@pytest.mark.parametrize(
    ("declare", "error", "said"),
    [
        (lambda app: app.job()(lambda: None), UnsupportedJob, "name=..."),
        (lambda app: app.job(timeout="0s", name="x")(print), ConfigurationError, "timeout"),
        (lambda app: app.job(timeout=timedelta(-1), name="x")(print), ConfigurationError, "timeout"),
        (lambda app: app.job(schedule="61 * * * *", name="x")(len), BadSchedule, "minute"),
        (lambda app: app.job(schedule="every blue moon", name="x")(len), BadSchedule, "every blue moon"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_where_it_stands(declare, error, said):  # R2, R64
    with pytest.raises(error, match=said.replace("(", r"\(")):
        declare(an_app())


def test_the_settings_give_the_defaults_that_a_job_does_not_say():
    app = an_app()

    @app.job()
    def unsaid() -> None: ...

    @app.job(timeout=None)
    def said() -> None: ...

    app.configure(Settings(worker=WorkerSettings(timeout=MINUTE)))

    assert (unsaid.job.timeout, said.job.timeout) == (MINUTE, None)


def test_a_schedule_is_put_paused_resumed_and_deleted():  # R12
    clock = FakeClock()
    app = an_app(clock=clock)
    ran: list[object] = []

    @app.job(per_tenant=True, catch_up=CatchUp.all())
    def report(ctx: RunContext, scale: int = 1) -> None:
        ran.append((ctx.tenant.id, scale))

    app.schedules.put("acme-hourly", job="report", when="hourly", tenant="acme", kwargs={"scale": 3})
    process = Driven(app, clock)
    process.advance(HOUR)
    assert ran == [("acme", 3)]

    app.schedules.pause("acme-hourly", reason="migration")
    process.advance(3 * HOUR)
    assert len(ran) == 1
    assert app.schedules.get("acme-hourly").reason == "migration"

    app.schedules.resume("acme-hourly")
    process.advance(HOUR)
    assert len(ran) == 2

    app.schedules.delete("acme-hourly")
    process.advance(HOUR)
    assert len(ran) == 2
    with pytest.raises(ScheduleNotFound):
        app.schedules.delete("acme-hourly")


def test_a_schedule_that_does_not_fit_its_job_is_refused():  # R64
    app = an_app()

    @app.job()
    def single(size: int) -> None: ...

    with pytest.raises(JobNotFound):
        app.schedules.put("x", job="nobody", when="hourly")
    with pytest.raises(BadArguments, match="per_tenant"):
        app.schedules.put("x", job="single", when="hourly", tenant="acme", args=(1,))
    for wrong in ({"catch_up": "all"}, {"overlap": "wait"}, {"jitter": 5}, {"fresh_within": 3600}):
        with pytest.raises(BadArguments, match=next(iter(wrong))):
            app.schedules.put("x", job="single", when="hourly", args=(1,), **wrong)
    with pytest.raises(BadArguments, match="size"):
        app.schedules.put("x", job="single", when="hourly")


def test_the_black_hole_takes_everything_and_keeps_nothing():  # R33
    app = Rota("blackhole://")

    @app.job()
    def send() -> None:
        raise AssertionError("the black hole executes nothing")

    handle = send.enqueue()

    with pytest.raises(StoreIsBlackHole):
        handle.result(SECOND)


def test_one_pass_fires_what_is_due_and_works_it_off(tmp_path):  # R23
    app = Rota(f"sqlite:///{tmp_path / 'rota.db'}", tenants=["acme", "globex"])

    @app.job(schedule=every(1).seconds, per_tenant=True, retry=Retry(attempts=1))
    def report(ctx: RunContext) -> None:
        if ctx.tenant.id == "acme":
            raise ValueError("no good")

    app.schedules.sync()
    due = app.schedules.get("report").next_at
    assert due is not None
    wait_until(lambda: app.clock.now() >= due, what="the next slot")
    report_of = app.tick(limit=20 * SECOND)
    app.close()

    assert report_of.open == 0
    [round_] = report_of.rounds
    assert dict(report_of.counts[round_.id]) == {State.SUCCEEDED: 1, State.FAILED: 1}
    assert round_.state == "partial"
    assert report_of.is_good is False


def test_an_enqueue_whose_answer_was_lost_queues_one_run():  # G1, fault row A2
    store = MemoryStore()
    client, line = flaky(store)
    app = Rota(client)

    @app.job()
    def nothing() -> None: ...

    line.cut("enqueue", Moment.AFTER)
    handle = nothing.enqueue()

    assert [run.id for run in store.runs(RunQuery())] == [handle.id]


def test_an_enqueue_that_cannot_be_made_is_said_loudly():  # G1, fault row C5
    client, line = flaky(MemoryStore())
    app = Rota(client)

    @app.job()
    def nothing() -> None: ...

    line.cut("enqueue", Moment.BEFORE)
    line.cut("enqueue", Moment.BEFORE, call=2)

    with pytest.raises(StoreUnavailable):
        nothing.enqueue()
