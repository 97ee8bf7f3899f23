"""What is declared, put and paused: registries, schedules, tenants to leave out."""

import threading
from datetime import datetime

import pytest

from rota import Registry, Retry, Rota, every
from rota.core.model import Origin
from rota.errors import DuplicateJob
from tests.engine.house import an_app, driven, hourly, noon_plus
from tests.engine.test_worker import counting
from tests.values import DAY, HOUR, MINUTE, NOON, a_schedule

ONCE = Retry(attempts=1)


def test_an_operators_schedule_in_the_place_of_the_codes_survives_a_deploy():  # R5
    process = driven(tenants=["acme"])(hourly([]))
    process.app.schedules.put("report", job="report", when=every().day.at("03:00"))

    process.app.schedules.sync()

    kept = process.app.schedules.get("report")
    assert (kept.origin, kept.next_at) == (Origin.CODE, NOON + 15 * HOUR)
    assert process.app.schedules.restore("report").next_at == NOON + HOUR


def test_a_module_registry_takes_the_defaults_of_the_application_that_includes_it():
    module = Registry(timeout=MINUTE, retry=ONCE)
    app = an_app()

    @module.job()
    def quiet() -> None: ...

    @module.job(retry=Retry(attempts=7), timeout=None)
    def says() -> None: ...

    app.include(module)

    assert app.jobs["quiet"].job.retry == Retry()
    assert app.jobs["quiet"].job.timeout == 15 * MINUTE
    assert (app.jobs["says"].job.retry.attempts, app.jobs["says"].job.timeout) == (7, None)


def test_a_registry_with_a_name_that_is_taken_is_not_included_by_halves():  # R16
    module, app = Registry(), an_app()

    @module.job()
    def first() -> None: ...

    @module.job(name="count")
    def second() -> None: ...

    counting(app)

    with pytest.raises(DuplicateJob, match="test_declared"):
        app.include(module)

    assert set(app.jobs) == {"count"}


def test_a_run_is_stored_in_utc_whatever_zone_it_was_asked_for_in():  # R1
    app = an_app()
    counting(app)

    handle = app.jobs["count"].using(at=datetime.fromisoformat("2026-06-02T09:00:00+09:00")).enqueue(1)

    assert handle.refresh().due_at.isoformat() == "2026-06-02T00:00:00+00:00"


def test_a_pause_with_an_end_ends_and_makes_up_nothing():  # R12
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme"])(hourly(seen))
    process.app.schedules.pause("report", reason="migration", until=noon_plus(hours=3, minutes=30))

    process.advance(3 * HOUR)
    process.crew.services["resumer"].tick(process.clock.now())
    process.settle_down()
    assert seen == []
    process.advance(31 * MINUTE)
    process.crew.services["resumer"].tick(process.clock.now())
    process.settle_down()
    assert seen == []
    process.advance(30 * MINUTE)

    assert [window.until for _, window in seen] == [noon_plus(hours=4)]  # type: ignore[attr-defined]


def test_a_pause_whose_schedule_makes_no_sense_stops_no_other_from_resuming():  # R5, R12
    process = driven(tenants=["acme"])(hourly([]))
    process.app.schedules.pause("report", reason="migration", until=NOON + MINUTE)
    nonsense = a_schedule(name="a-bad-text", timing="every blue moon", origin=Origin.ROW)
    process.app.store.put_schedule(nonsense, expected_version=None)
    process.app.schedules.pause("a-bad-text", reason="migration", until=NOON + MINUTE)

    process.clock.tick(DAY)
    for name in ("resumer", "scheduler"):
        process.crew.services[name].tick(process.clock.now())

    states = {schedule.name: str(schedule.state) for schedule in process.app.schedules.list()}
    assert states == {"a-bad-text": "broken", "report": "active"}


def test_threads_that_ask_for_the_store_at_once_get_the_same():
    app = Rota("memory://", tenants=[])
    meeting = threading.Barrier(8)
    stores: list[object] = []

    def ask() -> None:
        meeting.wait(timeout=10)
        stores.append(app.store)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)

    assert stores == [app.store] * 8
