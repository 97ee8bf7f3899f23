"""Rows that somebody wrote past this library, and rows whose job or text is not known here: found, mended, marked."""

from typing import Any

from msgspec.structs import replace

from rota import Rota, RunContext, every
from rota.clock import EPOCH
from rota.core.agenda import agenda_of
from rota.core.events import ScheduleBroken, ScheduleFailed
from rota.core.model import Origin, Schedule, ScheduleState, Tenant
from rota.core.policy import Retry
from rota.errors import TenantListFailed
from tests.clocks import FakeClock
from tests.engine.house import Driven, an_app, driven, hourly, noon_plus, rounds_of, runs_of
from tests.values import DAY, HOUR, MINUTE, NOON, SECOND, a_schedule, a_worker

KEEPERS = ("confirmer", "rows", "cron_jobs", "onces")


def an_inserted_row(**fields: Any) -> Schedule:
    """Return what a plain INSERT of name, job and timing leaves in the store."""
    row = {"job": "report", "timing": "every hour", "origin": Origin.ROW, "next_at": None}
    return a_schedule(**row | {"cursor": EPOCH, "created_at": EPOCH} | fields)


def write(app: Rota, *rows: Schedule) -> None:
    """Write rows as SQL does: over whatever is there."""
    for row in rows:
        known = app.store.schedule(row.name)
        assert app.store.put_schedule(row, expected_version=known.version if known else None)


def keep(process: Driven, *names: str) -> None:
    """Let the services that look after schedules do a pass."""
    for name in names or KEEPERS:
        process.crew.services[name].tick(process.clock.now())


def a_process(seen: list[tuple[str, object]] | None = None, **fields: Any) -> Driven:
    def declare(app: Rota) -> None:
        @app.job(per_tenant=True, retry=Retry(attempts=1))
        def report(ctx: RunContext) -> None:
            if seen is not None:
                seen.append((ctx.tenant.id, ctx.slot))

    return driven(**{"tenants": ["acme"]} | fields)(declare)


def test_an_inserted_row_fires_from_its_next_slot_on():  # R5, R6
    seen: list[tuple[str, object]] = []
    process = a_process(seen)
    write(process.app, an_inserted_row(name="hourly"))

    keep(process)
    process.settle_down()
    assert seen == []
    process.advance(HOUR)

    assert seen == [("acme", NOON + HOUR)]
    assert process.app.schedules.get("hourly").created_at == NOON


def test_an_inserted_time_that_is_over_fires_at_once_and_no_second_time():  # R6, R7
    seen: list[tuple[str, object]] = []
    process = a_process(seen)
    write(process.app, an_inserted_row(name="once", timing="at 2026-06-01T11:58"))

    keep(process)
    process.settle_down()
    keep(process)
    process.settle_down()

    assert seen == [("acme", NOON - 2 * MINUTE)]
    assert process.app.store.schedule("once") is None


def test_an_edited_row_is_found_before_its_old_time_and_runs_nothing_of_the_past():  # R5
    seen: list[tuple[str, object]] = []
    process = a_process(seen)
    process.app.schedules.put("weekly", job="report", when=every().monday.at("03:00"))
    process.clock.tick(3 * HOUR)
    stored = process.app.schedules.get("weekly")
    write(process.app, replace(stored, timing="every hour"))

    keep(process)
    process.settle_down()
    assert seen == []
    process.advance(HOUR)

    assert seen == [("acme", noon_plus(hours=4))]


def test_a_row_whose_next_slot_was_cleared_with_sql_goes_on_from_now():  # R5
    seen: list[tuple[str, object]] = []
    process = a_process(seen)
    process.app.schedules.put("hourly", job="report", when="every hour")
    process.clock.tick(150 * MINUTE)
    write(process.app, replace(process.app.schedules.get("hourly"), next_at=None))

    keep(process)
    process.advance(30 * MINUTE)

    assert seen == [("acme", noon_plus(hours=3))]


def test_a_row_edited_while_nobody_looked_runs_nothing_of_the_past_when_it_is_due():  # R5
    seen: list[tuple[str, object]] = []
    process = a_process(seen)
    process.app.schedules.put("daily", job="report", when="daily at 15:30")
    stored = process.app.schedules.get("daily")
    write(process.app, replace(stored, timing="every hour"))

    process.advance(4 * HOUR)
    assert seen == [] and rounds_of(process.app) == []
    process.advance(HOUR)

    assert seen == [("acme", noon_plus(hours=5))]


def test_a_broken_row_is_told_of_once_stops_no_other_and_lives_again_when_mended():  # R5
    seen: list[tuple[str, object]] = []
    told: list[ScheduleBroken] = []
    process = a_process(seen)
    process.app.on(ScheduleBroken)(told.append)
    bad = {
        "a-text": {"timing": "every blue moon"},
        "b-job": {"job": "nobody"},
        "c-args": {"args": '{"args":[1,2,3],"kwargs":{}}'},
        "d-zone": {"timing": "daily at 03:00 Moon/Crater"},
    }
    write(process.app, *(an_inserted_row(name=name, **fields) for name, fields in bad.items()))
    write(process.app, an_inserted_row(name="e-good"))

    for _ in range(3):
        keep(process)
    process.advance(HOUR)
    assert sorted(event.schedule for event in told) == sorted(bad)
    assert seen == [("acme", NOON + HOUR)]
    write(process.app, replace(process.app.schedules.get("a-text"), timing="every 30 minutes"))
    keep(process)

    mended = process.app.schedules.get("a-text")
    assert (mended.state, mended.next_at) == (ScheduleState.ACTIVE, noon_plus(hours=1, minutes=30))
    assert process.app.schedules.get("b-job").state is ScheduleState.BROKEN


def test_an_unknown_job_is_left_to_others_who_live_until_nobody_fires_it_for_three_minutes():  # R5, R36
    process = a_process()
    newer = a_worker(id="newer", last_seen=NOON)
    process.app.store.register(newer)
    write(process.app, a_schedule(name="theirs", job="new_job", timing="every hour", origin=Origin.ROW))

    process.settle_down()
    assert process.app.schedules.get("theirs").state is ScheduleState.ACTIVE
    process.app.store.register(replace(newer, last_seen=NOON + 4 * MINUTE))
    process.advance(4 * MINUTE)

    assert process.app.schedules.get("theirs").state is ScheduleState.BROKEN


def test_a_text_that_another_version_may_read_is_left_to_it():  # R5, R71
    process = a_process()
    process.app.store.register(a_worker(id="newer", version="99.0"))
    write(process.app, an_inserted_row(name="theirs", timing="on the first full moon of the month"))
    due = replace(an_inserted_row(name="due", timing="on the first full moon"), next_at=NOON, cursor=NOON - HOUR)
    write(process.app, due)

    keep(process)
    process.settle_down()

    states = {schedule.name: schedule.state for schedule in process.app.schedules.list()}
    assert states == {"due": ScheduleState.ACTIVE, "theirs": ScheduleState.ACTIVE}


def test_schedules_that_are_left_to_others_do_not_stand_in_front_of_the_rest():  # R5
    seen: list[tuple[str, object]] = []
    process = a_process(seen)
    process.crew.scheduler._batch = 2
    process.app.store.register(a_worker(id="newer"))
    for name in "abcde":
        theirs = a_schedule(name=name, job="new_job", timing="every hour", origin=Origin.ROW)
        write(process.app, replace(theirs, next_at=NOON - SECOND))
    write(process.app, a_schedule(name="ours", timing="every hour", origin=Origin.ROW))

    for _ in range(5):
        process.crew.scheduler.fire_due(NOON)
    process.settle_down()

    assert seen == [("acme", NOON)]


def test_a_job_that_came_back_makes_up_what_was_missed_as_its_policy_says():  # R5, R8
    clock = FakeClock()
    app = an_app(clock=clock, tenants=["acme"])
    write(app, a_schedule(name="row", job="report", timing="every hour", origin=Origin.ROW))
    without = Driven(app, clock)
    without.settle_down()
    assert app.schedules.get("row").state is ScheduleState.BROKEN
    hourly([])(app)
    clock.tick(2 * HOUR)

    process = Driven(app, clock)
    keep(process)
    process.settle_down()

    assert [run.slot for run in runs_of(app, schedule="row")] == [noon_plus(hours=2)]


def test_a_one_time_row_goes_after_its_run_succeeded_and_its_history_stays():  # R7
    process = a_process([])
    process.app.schedules.put("once", job="report", when="at 2026-06-01T13:00", tenant="acme")
    process.app.schedules.put("kept", job="report", when="at 2026-06-01T13:00", tenant="acme", keep=True)

    process.advance(HOUR)
    keep(process)

    assert process.app.store.schedule("once") is None
    assert process.app.schedules.get("kept").state is ScheduleState.DONE
    assert len(rounds_of(process.app, schedule="once")) == 1


def test_a_one_time_row_whose_run_failed_stays_as_failed_and_is_told_of_once():  # R7
    told: list[ScheduleFailed] = []
    tries: list[int] = []

    def declare(app: Rota) -> None:
        @app.job(per_tenant=True, retry=Retry(attempts=2, base=MINUTE, jitter=False))
        def report(ctx: RunContext) -> None:
            tries.append(1)
            if len(tries) < 4:
                raise ValueError("no figures")

    process = driven(tenants=["acme"])(declare)
    process.app.on(ScheduleFailed)(told.append)
    process.app.schedules.put("once", job="report", when="at 2026-06-01T13:00")

    process.advance(HOUR)
    keep(process)
    assert process.app.schedules.get("once").state is ScheduleState.ACTIVE  # waits for its retry
    for _ in range(10):
        process.advance(MINUTE)
        keep(process)
    assert process.app.schedules.get("once").state is ScheduleState.FAILED
    assert (len(tries), len(told)) == (2, 1)

    # Run again by hand, it is as if it had succeeded at first: the fourth try does.
    process.app.store.requeue([run.id for run in runs_of(process.app)], now=process.clock.now(), reason="by hand")
    process.settle_down()
    process.advance(MINUTE)
    keep(process)

    assert len(tries) == 4
    assert process.app.store.schedule("once") is None


def test_one_time_schedules_that_are_not_over_are_left_alone():  # R7
    process = a_process([])
    process.app.schedules.put("later", job="report", when="at 2026-06-02T13:00")
    process.app.schedules.put("hourly", job="report", when="every hour")

    keep(process)
    process.advance(HOUR)
    keep(process)

    assert [schedule.name for schedule in process.app.schedules.list()] == ["hourly", "later"]


def test_a_tenant_in_a_new_zone_gets_its_slots_within_a_minute():  # R15
    seen: list[tuple[str, object]] = []
    tenants = [Tenant(id="acme", tz="Europe/Berlin")]
    process = a_process(seen, tenants=lambda: list(tenants))
    process.app.schedules.put("nine", job="report", when="daily at 09:00 tenant")
    assert process.app.schedules.get("nine").zones == ("Europe/Berlin",)

    tenants.append(Tenant(id="globex", tz="America/New_York"))
    process.clock.tick(MINUTE)
    keep(process)
    process.advance(HOUR - MINUTE)
    process.advance(18 * HOUR)

    assert seen == [("globex", noon_plus(hours=1)), ("acme", noon_plus(hours=19))]


def test_a_source_that_does_not_answer_leaves_the_zones_as_they_are():  # R15, R20
    away: list[Exception] = []

    def tenants() -> list[Tenant]:
        if away:
            raise away[0]
        return [Tenant(id="acme", tz="Europe/Berlin")]

    process = a_process([], tenants=tenants)
    process.app.schedules.put("nine", job="report", when="daily at 09:00 tenant")
    away.append(TenantListFailed("the table is locked"))

    process.clock.tick(2 * MINUTE)
    keep(process)

    kept = process.app.schedules.get("nine")
    assert kept.zones == ("Europe/Berlin",)
    assert kept.next_at == agenda_of(kept).next_slot(after=NOON)


def test_a_pass_over_rows_that_are_in_order_writes_nothing():  # R5
    process = a_process([])
    for number in range(20):
        process.app.schedules.put(f"row-{number}", job="report", when="every hour")
    before = process.app.schedules.list()

    for _ in range(3):
        keep(process)
        process.clock.tick(DAY / 100)

    assert process.app.schedules.list() == before
