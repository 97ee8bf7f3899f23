"""What rows, campaigns and held runs may say or meet, and must not stop or hide anything else for."""

from datetime import timedelta
from typing import Any

import pytest

from rota import CatchUp, Retry, Rota, at, every
from rota.core.campaign import CampaignState
from rota.core.controls import Control, ControlKind
from rota.core.events import ScheduleFailed
from rota.core.gates import round_batch, tenant_gate
from rota.core.model import ScheduleState, State, Trigger
from rota.core.policy import CatchUpMode
from rota.core.recovery import not_made_up
from rota.queries import AuditQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.engine.house import Driven, an_app, driven, hourly, noon_plus, rounds_of, runs_of
from tests.engine.test_cron_jobs import Fixture
from tests.engine.test_rows import a_process, keep, write
from tests.values import HOUR, MINUTE, NOON, SECOND, a_run, a_schedule

ONCE = Retry(attempts=1)


# --- rows that stop others ---


@pytest.mark.parametrize(
    "row",
    [
        {"interval_minutes": 10**15},
        {"run_at": "0001-01-01 00:00:00+14:00"},
        {"run_at": "9999-12-31T23:59:59-10:00"},
        {"run_at": "9999-12-31 23:59:59.5"},
        {"interval_minutes": 5, "args": "[" * 100_000},
    ],
    ids=["interval", "before time", "after time", "a part of a second after time", "nested"],
)
def test_a_row_of_cron_jobs_that_is_beyond_all_bounds_stops_no_other(row: dict[str, Any]):  # R5, R64
    fixture = Fixture()
    fixture.store.write(id=1, name="noop", **row)
    fixture.store.write(id=2, name="noop", interval_minutes=1)

    fixture.keep()
    fixture.advance(MINUTE)

    assert fixture.store.problems[1] is not None
    assert len(fixture.seen) == 1


@pytest.mark.parametrize("policy", [{"within": timedelta(days=999_999)}, {"limit": 0}, {"limit": -3}])
def test_a_policy_that_no_code_would_allow_stops_no_other_schedule(policy: dict[str, Any]):  # R5, R8
    process = a_process(tenants=["acme"])
    write(
        process.app,
        a_schedule(name="bad", timing="every hour", next_at=NOON, catch_up=CatchUp(mode=CatchUpMode.ALL, **policy)),
        a_schedule(name="good", timing="every hour", next_at=NOON),
    )

    process.advance(3 * HOUR)

    assert runs_of(process.app, schedule="good")


def test_no_kept_slot_is_made_up_when_the_limit_is_none_at_all():  # R8, R25
    run = a_run(schedule="s", slot=NOON, trigger=Trigger.SCHEDULE)

    assert not_made_up([run], CatchUp(mode=CatchUpMode.ALL, limit=0), now=NOON + HOUR) == [run]


# --- what is held behind a gate ---


def test_runs_of_a_job_that_is_not_known_here_keep_nobody_behind_them_at_a_tenants_gate():  # R12, R36
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme"])(hourly(seen))
    gate = tenant_gate("acme")
    strangers = [a_run(job="of-another", tenant="acme", due_at=NOON, held_by=gate) for _ in range(2500)]
    process.app.store.enqueue(strangers, now=NOON)
    own = a_run(job="report", tenant="acme", due_at=NOON + SECOND, held_by=gate)
    process.clock.tick(SECOND)
    process.app.store.enqueue([own], now=process.clock.now())

    process.advance(SECOND)

    assert [run.state for run in runs_of(process.app, jobs=("report",))] == [State.SUCCEEDED]


# --- campaigns ---


def two_campaigns(tenants: Any) -> Driven:
    """Return a process with a job for each tenant and one without tenants, both due each full hour."""

    def declare(app: Rota) -> None:
        @app.job(schedule=every().hour.at(":00"), per_tenant=True, retry=ONCE)
        def report() -> None: ...

        @app.job(schedule=every().hour.at(":00"), retry=ONCE)
        def solo() -> None: ...

    process = driven(tenants=tenants)(declare)
    process.settle_down()
    return process


def test_tenants_that_cannot_be_listed_hold_up_no_other_campaign():  # R13, R21
    away: list[bool] = []

    def tenants() -> list[str]:
        if away:
            raise OSError("no connection")
        return ["acme"]

    process = two_campaigns(tenants)
    app = process.app
    first = app.backfill("report", since=noon_plus(hours=-3), until=NOON).campaign
    second = app.backfill("solo", since=noon_plus(hours=-3), until=NOON).campaign
    assert first is not None and second is not None
    away.append(True)

    process.advance(10 * MINUTE)

    assert app.campaigns.get(second.id).state is CampaignState.DONE
    assert app.campaigns.get(first.id).state is CampaignState.PLANNING


def test_a_campaign_that_cannot_be_read_stops_no_other():  # R13, R71
    process = two_campaigns(["acme"])
    app = process.app
    strange = Control(kind=ControlKind.CAMPAIGN, name="0" * 32, body='{"of":"a newer version"}', changed_at=NOON)
    assert app.store.put_control(strange, expected_version=None)

    asked = app.backfill("solo", since=noon_plus(hours=-3), until=NOON).campaign
    process.settle_down()

    assert asked is not None
    assert [one.state for one in app.campaigns.list()] == [CampaignState.DONE]


# --- one-time schedules ---


def a_one_time_process() -> tuple[Driven, list[int], list[ScheduleFailed]]:
    def declare(app: Rota) -> None:
        @app.job(retry=ONCE)
        def send() -> None:
            seen.append(1)

    seen: list[int] = []
    told: list[ScheduleFailed] = []
    process = driven()(declare)
    process.app.on(ScheduleFailed)(told.append)
    process.app.schedules.put("once", job="send", when="at 2026-06-01 13:00:00", tz="UTC")
    process.settle_down()
    return process, seen, told


@pytest.mark.parametrize("what", ["job", "schedule"])
def test_a_one_time_schedule_whose_time_passed_in_a_pause_is_not_lost_in_silence(what: str):  # R7, R12
    process, seen, told = a_one_time_process()
    app = process.app
    if what == "job":
        app.pauses.pause("job", "send", reason="migration")
    else:
        app.schedules.pause("once", reason="migration")
    process.advance(2 * HOUR)
    if what == "job":
        app.pauses.resume("job", "send")
    else:
        app.schedules.resume("once")

    process.advance(MINUTE)
    keep(process)
    keep(process)

    assert not seen
    known = app.schedules.get("once")
    assert (known.state, known.reason) == (ScheduleState.FAILED, "its time passed in a pause, and nothing ran")
    assert len(told) == 1


def test_a_one_time_schedule_that_was_over_when_it_was_declared_is_no_failure():  # R5, R7
    told: list[ScheduleFailed] = []
    process = driven()(lambda app: None)
    process.app.on(ScheduleFailed)(told.append)
    process.app.job(name="old", schedule=at("2020-01-01T00:00"))(lambda: None)
    process.settle_down()

    keep(process)

    assert not told
    assert not runs_of(process.app)


# --- pauses ---


def test_a_paused_job_of_which_nothing_is_queued_is_not_looked_for_in_each_pass():  # R12
    class Counting(MemoryStore):
        looks = 0

        def hold(self, gate: str, **fields: Any) -> int:
            self.looks += 1
            return super().hold(gate, **fields)

    clock = FakeClock()
    store = Counting(clock=clock)
    process = Driven(an_app(store=store, clock=clock), clock)
    process.app.job(name="report")(lambda: None)
    process = Driven(process.app, clock)
    process.app.pauses.pause("job", "report", reason="migration")

    for _ in range(20):
        process.crew.services["standing"].tick(clock.now())
        process.crew.services["gatekeeper"].tick(clock.now())
        clock.tick(SECOND)

    assert store.looks == 4


@pytest.mark.parametrize("reason", ["see postgresql://ana:hunter2@db/x", "x" * 100_000])
def test_no_secret_and_no_novel_is_kept_as_a_reason(reason: str):  # R12, R64, R65
    process = two_campaigns(["acme"])
    app = process.app
    asked = app.backfill("solo", since=noon_plus(hours=-3), until=NOON, reason=reason).campaign
    assert asked is not None

    app.pauses.pause("job", "report", reason=reason)
    app.schedules.pause("report", reason=reason)
    app.campaigns.pause(asked.id, reason=reason)
    started = app.start_run("solo", reason=reason)
    app.cancel([run.id for run in runs_of(app)], reason=reason)

    kept = [
        *(entry.reason for entry in app.store.audit(AuditQuery())),
        *(control.body for control in app.store.controls()),
        *(schedule.reason for schedule in app.schedules.list()),
        *(round_.reason for round_ in rounds_of(app) if round_.id == started.id),
        *(run.reason for run in runs_of(app)),
    ]
    assert not [text for text in kept if text and ("hunter2" in text or len(text) > 4000)]
    assert len([text for text in kept if text]) > 8


# --- places ---


def test_a_schedule_that_is_run_now_keeps_to_the_places_of_its_job():  # R35
    process = driven(tenants=[f"t{number}" for number in range(5)])(hourly([], max_parallel=2))
    process.settle_down()

    started = process.app.schedules.run_now("report")
    process.settle_down()

    [round_] = [one for one in rounds_of(process.app) if one.id == started.id]
    assert round_.places == 2
    assert {run.batch for run in runs_of(process.app, round_id=started.id)} == {round_batch(started.id)}
