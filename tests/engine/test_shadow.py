"""A schedule in the shadow of another system fires and starts nothing, until that system is switched off."""

import pytest

from rota import CatchUp, Rota
from rota.core.model import RoundState
from rota.core.shadow import Verdict
from rota.core.watched import PingKind
from rota.errors import ConfigurationError, Refused, ScheduleNotFound, WatchNotFound
from rota.queries import AuditQuery
from rota.views.freshness import pairs
from tests.engine.house import driven, hourly, noon_plus, rounds_of, runs_of
from tests.values import HOUR, MINUTE


@pytest.fixture
def seen():
    return []


@pytest.fixture
def process(seen):
    process = driven(tenants=["acme"])(hourly(seen, catch_up=CatchUp.all()))
    process.app.shadows.begin("report", reason="cron still does it", actor="cli:ana")
    return process


def test_each_slot_is_fired_and_recorded_and_nothing_runs(process, seen):
    process.advance(2 * HOUR)

    assert (seen, runs_of(process.app)) == ([], [])
    assert [(one.slot, one.state, one.reason) for one in rounds_of(process.app)] == [
        (noon_plus(hours=hour), RoundState.SKIPPED, "in the shadow of another system, by ana: cron still does it")
        for hour in (1, 2)
    ]


def test_it_works_from_the_next_slot_on_and_makes_nothing_up(process, seen):
    process.advance(2 * HOUR)
    process.app.shadows.end("report", actor="cli:ana")
    process.advance(HOUR)

    assert [window.until for _, window in seen] == [noon_plus(hours=3)]
    assert [entry.action for entry in process.app.store.audit(AuditQuery())] == ["schedule.unshadow", "schedule.shadow"]


def test_other_schedules_of_the_job_go_on(process, seen):
    process.app.schedules.put("second", job="report", when="every hour at :30")
    process.advance(HOUR)

    assert [window.until for _, window in seen] == [noon_plus(minutes=30)]


def test_it_is_not_late_meanwhile(process):
    process.app.schedules.sync()
    process.advance(5 * HOUR)

    assert [(pair.schedule, pair.state) for pair in pairs(process.app, lists_tenants=True)] == [("report", "paused")]


def test_what_the_other_system_says_is_put_beside_it(process):
    app: Rota = process.app
    process.advance(HOUR + MINUTE)
    app.pings.record("report", PingKind.START)
    process.advance(MINUTE)
    app.pings.record("report", PingKind.SUCCESS, text="12 rows")
    process.advance(2 * HOUR)

    rows = app.shadows.compare("report", since=noon_plus(hours=0))

    assert [(row.slot, row.there_at, row.verdict) for row in rows] == [
        (noon_plus(hours=1), noon_plus(hours=1, minutes=1), Verdict.BOTH),
        (noon_plus(hours=2), None, Verdict.ONLY_HERE),
    ]
    assert [ping.text for ping in app.pings.history("report")] == ["12 rows", None]


def test_what_was_missed_before_is_no_slot_that_was_fired(process):
    process.app.schedules.override("report", catch_up=CatchUp.latest())
    process.advance(4 * HOUR)
    process.advance(16 * MINUTE)

    rows = process.app.shadows.compare("report", since=noon_plus(hours=0))

    assert [row.slot for row in rows] == [noon_plus(hours=4)]


def test_again_it_has_this_reason_since_it_was(process):
    before = process.app.shadows.get("report")
    process.advance(HOUR)
    after = process.app.shadows.begin("report", reason="one more week", actor="cli:eve")

    assert (after.reason, after.author, after.since) == ("one more week", "eve", before.since)


def test_what_makes_no_sense_is_refused(process):
    shadows = process.app.shadows
    with pytest.raises(ScheduleNotFound):
        shadows.begin("reprot", reason="cron")
    with pytest.raises(ConfigurationError, match="reason"):
        shadows.begin("report", reason=" ")
    shadows.end("report")
    with pytest.raises(Refused, match="in no shadow"):
        shadows.end("report")
    with pytest.raises(ScheduleNotFound):
        shadows.end("reprot")
    with pytest.raises(WatchNotFound):
        process.app.pings.record("report")
