"""What was enqueued, and what was not."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from rota import Rota
from rota.core.events import ClockStepped
from rota.errors import BadArguments, ConfigurationError, JobNotFound, StoreUnavailable
from rota.testing import FakeClock, Inline, capture
from tests.testing.shop import Shop
from tests.values import HOUR


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def jobs(shop):
    with capture(shop.app) as jobs:
        yield jobs


def test_what_is_enqueued_is_found_and_not_executed(shop, jobs):
    shop.send.enqueue(7)

    [call] = jobs.assert_enqueued(shop.send)
    assert (call.job, call.kwargs, call.tenant) == ("send", {"user_id": 7}, None)
    assert shop.done == []


def test_arguments_are_the_same_however_they_are_given(shop, jobs):
    shop.send.enqueue(7, name="Eve")

    jobs.assert_enqueued(shop.send, args=(7, "Eve"))
    jobs.assert_enqueued(shop.send, args=(7,), kwargs={"name": "Eve"})
    jobs.assert_enqueued("send", kwargs={"name": "Eve", "user_id": 7}, count=1)


def test_what_was_enqueued_instead_is_told(shop, jobs):
    shop.send.enqueue(7)
    shop.flaky.using(tenant="acme", queue="mail", delay=HOUR).enqueue()

    with pytest.raises(AssertionError) as told:
        jobs.assert_enqueued(shop.send, args=(8,))

    assert str(told.value) == (
        "send with args=(8,) was not enqueued; enqueued were:\n"
        "  send(user_id=7)\n"
        "  flaky()  tenant=acme  queue=mail  delay=1h"
    )


def test_nothing_at_all_is_told_too(shop, jobs):
    with pytest.raises(AssertionError, match="send was not enqueued; nothing was enqueued"):
        jobs.assert_enqueued(shop.send)


def test_a_count_is_exact(shop, jobs):
    shop.send.enqueue(7)
    shop.send.enqueue(7)

    jobs.assert_enqueued(shop.send, count=2)
    with pytest.raises(AssertionError, match="was enqueued 2 times, not 1"):
        jobs.assert_enqueued(shop.send, count=1)
    jobs.assert_enqueued(shop.flaky, count=0)


@pytest.mark.parametrize(
    "terms",
    [{"tenant": "globex"}, {"tenant": None}, {"queue": "default"}, {"delay": "2h"}],
)
def test_each_term_narrows(shop, jobs, terms):
    shop.send.using(tenant="acme", queue="mail", delay=HOUR).enqueue(7)

    jobs.assert_enqueued(shop.send, tenant="acme", queue="mail", delay="1h")
    jobs.assert_not_enqueued(shop.send, **terms)
    with pytest.raises(AssertionError, match="was not enqueued"):
        jobs.assert_enqueued(shop.send, **terms)


def test_what_must_not_be_enqueued_is_told(shop, jobs):
    jobs.assert_not_enqueued()
    shop.send.enqueue(7)

    jobs.assert_not_enqueued(shop.send, args=(8,))
    with pytest.raises(AssertionError, match=r"anything was enqueued; enqueued were:\n  send"):
        jobs.assert_not_enqueued()


def test_arguments_that_never_fit_are_a_mistake_of_the_test(shop, jobs):
    with pytest.raises(BadArguments, match="too many positional"):
        jobs.assert_enqueued(shop.send, args=(1, 2, 3))
    with pytest.raises(JobNotFound, match="did you mean 'send'"):
        jobs.assert_not_enqueued("sent")


@pytest.mark.parametrize(
    "ask",
    [
        lambda jobs: jobs.enqueued("sent"),
        lambda jobs: jobs.runs("sent"),
        lambda jobs: jobs.runs(state="failing"),
        lambda jobs: jobs.kill_worker(after="claim", job="sent"),
        lambda jobs: jobs.fail_tenant("acne"),
    ],
)
def test_a_name_that_is_misspelt_does_not_stand_for_nothing(jobs, ask):  # R64
    with pytest.raises((LookupError, ValueError)):
        ask(jobs)


def test_what_was_looked_at_can_be_cleared(shop, jobs):
    shop.send.enqueue(7)

    jobs.clear()

    jobs.assert_not_enqueued()
    assert len(jobs.drain()) == 1


def test_afterwards_the_application_is_as_it_was(shop):
    before = shop.app.clock.now()
    with capture(shop.app):
        shop.send.enqueue(7)

    assert timedelta(0) <= shop.app.clock.now() - before < HOUR
    with pytest.raises(StoreUnavailable):
        shop.send.enqueue(7)


def test_a_capture_within_a_capture_is_its_own(shop, jobs):
    shop.send.enqueue(7)
    with capture(shop.app) as inner:
        inner.assert_not_enqueued()
        shop.flaky.enqueue()

    jobs.assert_not_enqueued(shop.flaky)
    jobs.assert_enqueued(shop.send)


def test_who_waits_after_an_inner_capture_is_still_worked_for():
    app = Rota("memory://", clock=FakeClock())

    @app.job()
    def nothing() -> int:
        return 7

    with capture(app):
        with capture(app):
            pass
        assert nothing.enqueue().result() == 7


def test_inline_everything_is_executed_at_once(shop):  # R33
    with capture(shop.app, inline=True) as jobs:
        assert shop.send.enqueue(7).result() == 7
        with pytest.raises(ValueError, match="busy"):
            shop.flaky.enqueue()
        jobs.assert_enqueued(shop.send, args=(7,))

    with capture(shop.app, inline=Inline.RECORD):
        assert shop.flaky.enqueue().state == "failed"


def test_an_application_that_works_in_the_background_is_not_captured():
    app = Rota("memory://")
    app.start_background()
    try:
        with pytest.raises(ConfigurationError, match=r"rota\.stop\(\)"), capture(app):
            pass
    finally:
        app.stop()


def test_a_clock_of_the_applications_own_must_be_the_captures():
    clock = FakeClock()
    app = Rota("memory://", clock=clock)

    with capture(app) as jobs:
        assert jobs.clock is clock
    with pytest.raises(ConfigurationError, match="a clock of its own"), capture(app, clock=FakeClock()):
        pass


def test_runs_are_kept_in_a_database_for_code_that_writes_to_its_tables(shop, tmp_path):  # R6
    url, stepped = f"sqlite:///{tmp_path / 'shop.db'}", []
    shop.app.on(ClockStepped)(stepped.append)
    with capture(shop.app, store=url) as jobs:
        jobs.drain()
        with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
            database.execute("INSERT INTO cron_jobs (name, run_at, args) VALUES ('send', '2026-01-05 13:00:00', '[7]')")

        jobs.advance("59m")
        assert ("send", 7) not in shop.done
        jobs.kill_worker(after="claim", job=shop.send)
        jobs.advance("2m")
        assert shop.done.count(("send", 7)) == 1
        assert stepped == []

        with pytest.raises(ConfigurationError, match="without store="), jobs.store_away():
            pass
