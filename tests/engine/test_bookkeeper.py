"""What ends in a process is counted there, and added to the sums in the store."""

from datetime import timedelta

import pytest

from rota import Cancel, Result, Retry, RunContext, Snooze, metrics
from rota.core.rollup import BEGINNING, Grain, Subject
from rota.engine.bookkeeper import MOST_NAMES, MOST_SUMS, Bookkeeper
from rota.errors import StoreUnavailable
from rota.queries import MeasureQuery, RollupQuery, RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.engine.house import driven, hourly
from tests.values import HOUR, MINUTE, NOON, SECOND, a_run, claim, succeeded

EVER = RollupQuery(grain=Grain.EVER)


def sums(app, subject=Subject.RUN, grain=Grain.EVER):
    """Return how many there were, by outcome."""
    query = RollupQuery(grain=grain, subject=subject, by=frozenset({"outcome"}))
    return {one.key.outcome: one.number for one in app.store.rollups.rollups(query)}


def told(app):
    query = MeasureQuery(grain=Grain.EVER)
    return {f"{one.key.job}.{one.key.name}": (one.number, one.total) for one in app.store.rollups.measures(query)}


def worked_off(declare, *, enqueue=(), **fields):
    """Return the application after its jobs have been run once, and the sums were sent."""
    house = driven(**fields)(declare)
    for name in enqueue or house.app.jobs:
        house.app.jobs[name].enqueue()
    house.settle_down()
    house.crew.services["bookkeeper"].tick(house.clock.now())
    return house


def a_bookkeeper(store, *, source="s" * 32, now=NOON):
    return Bookkeeper(store, source=source, now=lambda: now, every=5 * SECOND, apart=lambda tenant: False)


def settled(store, number=1, **fields):
    """Return runs that were worked off, with how they ended."""
    store.enqueue([a_run(**fields) for _ in range(number)], now=NOON)
    return [succeeded(run, started_at=NOON + SECOND, now=NOON + 3 * SECOND) for run in claim(store)]


def test_runs_are_counted_by_how_they_ended():  # R53
    def declare(app):
        @app.job()
        def good():
            pass

        @app.job(retry=Retry(attempts=1))
        def bad():
            raise ValueError

        @app.job(retry=Retry(attempts=2))
        def again():
            raise ValueError

        @app.job()
        def later():
            return Snooze(HOUR)

        @app.job()
        def never():
            return Cancel("not today")

    house = worked_off(declare)

    assert sums(house.app) == {"succeeded": 1, "failed": 1, "retried": 1, "snoozed": 1, "cancelled": 1}


def test_a_sum_has_job_tenant_and_queue_and_how_long_it_took_and_waited():  # R53
    store = MemoryStore(clock=FakeClock())
    books = a_bookkeeper(store)
    [one] = settled(store, tenant="acme", queue="default")

    books.settled([one], {one.run.id})
    books.tick(NOON)

    [minute] = store.rollups.rollups(RollupQuery(grain=Grain.MINUTE))
    assert (minute.key.job, minute.key.tenant, minute.key.queue, minute.key.start_at) == (
        "report", "acme", "default", NOON,
    )  # fmt: skip
    assert (minute.duration_sum, minute.duration_most) == (2 * SECOND, 2 * SECOND)
    assert (minute.wait_sum, minute.wait_most) == (SECOND, SECOND)
    assert minute.buckets[10] == 1


def test_what_ended_is_counted_for_its_minute_hour_and_day_and_for_ever():  # R53
    store = MemoryStore(clock=FakeClock())
    books = a_bookkeeper(store)
    [one] = settled(store)
    books.settled([one], {one.run.id})

    books.tick(NOON)

    starts = {grain: [one.key.start_at for one in store.rollups.rollups(RollupQuery(grain=grain))] for grain in Grain}
    day = NOON - 12 * HOUR
    assert starts == {Grain.MINUTE: [NOON], Grain.HOUR: [NOON], Grain.DAY: [day], Grain.EVER: [BEGINNING]}


def test_what_the_store_did_not_apply_is_not_counted():  # R53
    store = MemoryStore(clock=FakeClock())
    books = a_bookkeeper(store)
    one, other = settled(store, number=2)

    books.settled([one, other], {other.run.id})
    books.tick(NOON)

    [sum_] = store.rollups.rollups(EVER)
    assert sum_.number == 1


def test_a_run_whose_worker_died_is_counted_as_lost_by_whoever_finds_it():  # R53
    house = driven()(a_job)
    house.app.store.enqueue([a_run(job="work")], now=NOON)
    claim(house.app.store, worker="dead")

    house.clock.tick(MINUTE)
    house.crew.services["rescuer"].tick(house.clock.now())
    house.crew.services["bookkeeper"].tick(house.clock.now())

    assert sums(house.app) == {"lost": 1}


def a_job(app):
    @app.job()
    def work():
        pass


def test_the_runs_of_a_dead_neighbour_are_counted_as_lost():  # R53
    house = driven()(a_job)
    house.app.store.enqueue([a_run(job="work")], now=NOON)
    claim(house.app.store, worker="dead")

    house.crew.services["neighbours"].bury("dead", reason="killed", now=NOON)
    house.crew.services["bookkeeper"].tick(NOON)

    assert sums(house.app) == {"lost": 1}


def test_expanding_a_round_is_no_run_of_the_job():  # R53
    house = driven()(hourly([]))
    house.advance(HOUR)
    house.crew.services["bookkeeper"].tick(house.clock.now())

    assert sums(house.app) == {"succeeded": 2}


def test_rounds_and_their_tenants_are_counted_apart_from_runs_with_the_time_of_the_pass():  # R53
    def declare(app):
        hourly_job = app.job(schedule="every hour at :00", per_tenant=True, retry=Retry(attempts=1))

        @hourly_job
        def report(ctx: RunContext):
            if ctx.tenant.id == "acme":
                raise ValueError

    house = driven()(declare)
    house.advance(HOUR)
    house.crew.services["bookkeeper"].tick(house.clock.now())

    assert sums(house.app, Subject.ROUND) == {"partial": 1}
    assert sums(house.app, Subject.TENANT) == {"succeeded": 1, "failed": 1}


def test_numbers_that_a_job_counts_returns_or_says_in_a_result_are_summed_up():  # R53
    def declare(app):
        @app.job()
        def counting(ctx: RunContext):
            ctx.count("rows", 500)
            ctx.count("rows", 20)
            ctx.count("mails")

        @app.job()
        def returning():
            return {"rows": 3, "rate": 0.5, "is_good": True, "name": "x"}

        @app.job()
        def result():
            return Result(counts={"lines": 7})

    house = worked_off(declare)

    assert told(house.app) == {
        "counting.rows": (2, 520.0),
        "counting.mails": (1, 1.0),
        "returning.rows": (1, 3.0),
        "returning.rate": (1, 0.5),
        "result.lines": (1, 7.0),
    }


def test_a_number_belongs_to_the_tenant_of_its_run():  # R53
    def declare(app):
        @app.job(schedule="every hour at :00", per_tenant=True)
        def report(ctx: RunContext):
            ctx.count("rows", len(ctx.tenant.id))

    house = driven()(declare)
    house.advance(HOUR)
    house.crew.services["bookkeeper"].tick(house.clock.now())

    measures = house.app.store.rollups.measures(MeasureQuery(grain=Grain.HOUR))
    assert [(one.key.tenant, one.total) for one in measures] == [("acme", 4.0), ("globex", 6.0)]


def test_parts_that_a_job_measures_by_itself_do_not_mix_with_runs():  # R53
    def declare(app):
        @app.job()
        def visiting():
            metrics.record_success("email_sync", "acme")
            metrics.record_failure("email_sync", "globex", ValueError("secret"))
            metrics.record_failure("email_sync", "initech")

    house = worked_off(declare)

    assert sums(house.app) == {"succeeded": 1}
    assert sums(house.app, Subject.PART) == {"succeeded": 1, "failed": 2}
    minutes = house.app.store.rollups.rollups(RollupQuery(grain=Grain.MINUTE, subject=Subject.PART))
    assert {(one.key.job, one.key.tenant) for one in minutes} == {
        ("email_sync", "acme"),
        ("email_sync", "globex"),
        ("email_sync", "initech"),
    }


def test_the_message_of_a_recorded_error_is_kept_nowhere(caplog):  # R53, R65
    def declare(app):
        @app.job()
        def visiting():
            metrics.record_failure("email_sync", "acme", ValueError("hunter2"))

    worked_off(declare)

    assert "email_sync failed for acme: ValueError" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("number", ["many", None, float("nan"), float("inf"), True, 10**400], ids=str)
def test_a_number_that_is_none_fails_no_job_and_is_said(number, caplog):  # R53
    def declare(app):
        @app.job()
        def counting(ctx: RunContext):
            ctx.count("rows", number)

    house = worked_off(declare)

    assert sums(house.app) == {"succeeded": 1}
    assert told(house.app) == {}
    assert "'rows' is not counted" in caplog.text


class Broken:
    def count(self, *_, **__):
        raise RuntimeError("no room")


def test_metrics_that_fail_fail_no_job(monkeypatch, caplog):  # R53
    def declare(app):
        @app.job()
        def counting(ctx: RunContext):
            ctx.count("rows", 1)
            metrics.record_success("part")
            return {"lines": 3}

    monkeypatch.setattr(Bookkeeper, "count", Broken.count)
    monkeypatch.setattr(Bookkeeper, "record", Broken.count)
    monkeypatch.setattr(Bookkeeper, "_count_ended", Broken.count)

    house = worked_off(declare)

    [run] = house.app.store.runs(RunQuery())
    assert (run.state, run.error) == ("succeeded", None)
    assert "no room" in caplog.text


def test_a_success_that_is_recorded_where_nobody_counts_is_said_and_harms_nobody(caplog):  # R53
    metrics.record_success("email_sync", "acme")

    assert "no worker counts here" in caplog.text


def test_a_thread_of_a_jobs_own_counts_with_its_process():  # R53
    store = MemoryStore(clock=FakeClock())
    books = a_bookkeeper(store)
    books.open()
    try:
        metrics.record_success("email_sync", "acme")
    finally:
        books.close(NOON)

    [part] = store.rollups.rollups(RollupQuery(grain=Grain.MINUTE))
    assert (part.key.subject, part.key.job, part.number) == (Subject.PART, "email_sync", 1)


def test_names_that_never_end_are_left_out_and_that_is_said_once(caplog):  # R53
    store = MemoryStore(clock=FakeClock())
    books = a_bookkeeper(store)

    for i in range(MOST_NAMES + 50):
        books.count("report", None, f"rows_{i}", 1.0, times=1, least=1.0, most=1.0)
    books.tick(NOON)

    assert len(store.rollups.measures(MeasureQuery(grain=Grain.EVER))) == MOST_NAMES
    assert "there are 100 names already" in caplog.text


def test_the_name_of_a_number_is_shown_harmless():  # R65
    store = MemoryStore(clock=FakeClock())
    books = a_bookkeeper(store)

    books.count("report", None, "ro\x1b[31mws", 1.0, times=1, least=1.0, most=1.0)
    books.tick(NOON)

    [one] = store.rollups.measures(MeasureQuery(grain=Grain.EVER))
    assert one.key.name == r"ro\x1b[31mws"


def test_no_secret_is_the_name_of_a_number_or_of_a_part():  # R65
    store = MemoryStore(clock=FakeClock())
    books = a_bookkeeper(store)
    url = "mysql://ops:hunter2@db1/acme"

    books.count("report", None, url, 1.0, times=1, least=1.0, most=1.0)
    books.record(url, url, is_success=True, times=1)
    books.tick(NOON)

    [one] = store.rollups.measures(MeasureQuery(grain=Grain.EVER))
    [part] = store.rollups.rollups(RollupQuery(grain=Grain.MINUTE))
    assert "hunter2" not in f"{one} {part}" and "db1" in f"{one}"


class Lossy:
    """A store whose answers can be lost, before or after it wrote."""

    def __init__(self, store):
        self.store = store
        self.rollups = self
        self.fails = ""
        self.left = 0
        """Calls that go well before it fails."""
        self.sizes = []

    def add(self, sheet, *, now):
        self.sizes.append(len(sheet.rollups))
        if self.left:
            self.left -= 1
            return self.store.rollups.add(sheet, now=now)
        if self.fails == "before":
            raise StoreUnavailable("away")
        answer = self.store.rollups.add(sheet, now=now)
        if self.fails == "after":
            raise StoreUnavailable("away")
        return answer


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_sheet_that_may_have_been_lost_is_sent_again_and_counts_once(side):  # R53
    store = Lossy(MemoryStore(clock=FakeClock()))
    books = a_bookkeeper(store)
    first, second = settled(store.store, number=2)
    books.settled([first], {first.run.id})
    store.fails = side
    with pytest.raises(StoreUnavailable):
        books.tick(NOON)

    books.settled([second], {second.run.id})
    store.fails = ""
    books.tick(NOON)

    [sum_] = store.store.rollups.rollups(EVER)
    assert sum_.number == 2


@pytest.mark.parametrize("side", ["before", "after"])
def test_many_sums_are_sent_in_pieces_and_go_on_where_the_store_went_away(side):  # R53
    store = Lossy(MemoryStore(clock=FakeClock()))
    books = a_bookkeeper(store)
    for i in range(MOST_SUMS):
        books.record("email_sync", f"tenant_{i}", is_success=True, times=1)
    books.count("report", None, "rows", 5.0, times=1, least=5.0, most=5.0)
    store.left = 2
    store.fails = side
    with pytest.raises(StoreUnavailable):
        books.tick(NOON)

    store.fails = ""
    books.tick(NOON)

    assert [sum_.number for sum_ in store.store.rollups.rollups(EVER)] == [MOST_SUMS]
    assert len(store.store.rollups.rollups(RollupQuery(grain=Grain.MINUTE))) == MOST_SUMS
    assert [one.number for one in store.store.rollups.measures(MeasureQuery(grain=Grain.EVER))] == [1]
    assert max(store.sizes) <= MOST_SUMS and len(store.sizes) > 3


def test_a_process_that_ends_sends_what_it_has_counted():  # R53
    house = driven()(a_job)
    house.app.jobs["work"].enqueue()
    house.settle_down()

    house.crew._books.close(house.clock.now())

    assert sums(house.app) == {"succeeded": 1}


def test_a_process_that_ends_while_the_store_is_away_ends(caplog):  # R53
    store = Lossy(MemoryStore(clock=FakeClock()))
    books = a_bookkeeper(store)
    [one] = settled(store.store)
    books.settled([one], {one.run.id})
    store.fails = "before"

    books.close(NOON)

    assert "not in the metrics" in caplog.text


def test_old_sums_are_pruned_with_the_history():  # R53, R72
    house = worked_off(a_job)
    counted = {grain: sums(house.app, grain=grain) for grain in Grain}

    house.clock.tick(timedelta(days=36))
    house.crew.services["pruner"].tick(house.clock.now())
    assert [grain for grain in Grain if sums(house.app, grain=grain)] == [Grain.DAY, Grain.EVER]

    house.clock.tick(timedelta(days=365))
    house.crew.services["pruner"].tick(house.clock.now())
    assert [grain for grain in Grain if sums(house.app, grain=grain)] == [Grain.EVER]
    assert all(counted.values())
