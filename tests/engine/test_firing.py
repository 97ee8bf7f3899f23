"""Which slots fire: missed ones, overlapping ones, those of an edited, broken or orphaned schedule."""

from datetime import timedelta

from rota import CatchUp, Overlap, Retry, Rota, RunContext, State, every
from rota.core.events import ScheduleBroken
from rota.core.model import Origin, RoundState, ScheduleState
from rota.engine.bus import Bus
from rota.engine.neighbourhood import mark_broken
from rota.stores.memory import MemoryStore
from tests.engine.house import Driven, driven, hourly, noon_plus, rounds_of, runs_of
from tests.values import DAY, HOUR, MINUTE, SECOND, a_firing, a_schedule


def test_catch_up_all_runs_each_missed_slot_in_order_for_each_tenant():  # R8
    seen: list[tuple[str, object]] = []
    process = driven()(hourly(seen, catch_up=CatchUp.all()))

    process.advance(5 * HOUR)

    slots = [noon_plus(hours=number) for number in range(1, 6)]
    for tenant in ("acme", "globex"):
        assert [window.until for name, window in seen if name == tenant] == slots  # type: ignore[attr-defined]


def test_with_catch_up_all_a_failing_slot_holds_back_the_later_ones_of_its_tenant_only():  # R8
    seen: list[tuple[str, int]] = []

    def declare(app: Rota) -> None:
        retry = Retry(attempts=2, base=MINUTE, jitter=False)

        @app.job(schedule=every().hour.at(":00"), per_tenant=True, catch_up=CatchUp.all(), retry=retry)
        def report(ctx: RunContext) -> None:
            assert ctx.slot is not None
            seen.append((ctx.tenant.id, ctx.slot.hour))
            if (ctx.tenant.id, ctx.slot.hour) == ("acme", 13):
                raise ValueError("not yet")

    process = driven()(declare)
    process.advance(3 * HOUR)
    assert seen.count(("acme", 13)) == 1 and ("acme", 14) not in seen
    assert [hour for tenant, hour in seen if tenant == "globex"] == [13, 14, 15]

    process.advance(MINUTE)

    assert [hour for tenant, hour in seen if tenant == "acme"] == [13, 13, 14, 15]
    acme = {run.slot: run.state for run in runs_of(process.app) if run.tenant == "acme"}
    assert list(acme.values()) == [State.FAILED, State.SUCCEEDED, State.SUCCEEDED]


def test_catch_up_latest_runs_the_newest_slot_and_records_the_others_as_one_range():  # R8
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme"])(hourly(seen))

    process.advance(5 * HOUR)

    skipped, ran = rounds_of(process.app)
    assert (skipped.state, skipped.skipped_from, skipped.slot) == (
        RoundState.SKIPPED, noon_plus(hours=1), noon_plus(hours=4)
    )  # fmt: skip
    assert ran.slot == noon_plus(hours=5)
    assert len(seen) == 1


def test_catch_up_none_records_the_missed_slots_and_runs_nothing():  # R8
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme"])(hourly(seen, catch_up=CatchUp.none()))

    process.advance(5 * HOUR + 2 * MINUTE)

    assert seen == []
    assert [round_.state for round_ in rounds_of(process.app)] == [RoundState.SKIPPED]


def test_a_minute_schedule_that_slept_for_a_year_makes_one_run():  # R8, fault row E3
    def declare(app: Rota) -> None:
        @app.job(schedule="* * * * *")
        def tidy() -> None:
            pass

    process = driven()(declare)
    process.advance(365 * DAY)

    assert len(runs_of(process.app)) == 1
    assert len(rounds_of(process.app)) == 2


def test_a_slot_that_finds_the_last_one_unfinished_is_skipped_with_the_reason():  # R10
    def declare(app: Rota) -> None:
        retry = Retry(attempts=2, base=2 * HOUR, max_wait=2 * HOUR, jitter=False)

        @app.job(schedule=every().hour.at(":00"), per_tenant=True, retry=retry)
        def report(ctx: RunContext) -> None:
            raise ValueError("waits for its retry")

    process = driven(tenants=["acme"])(declare)
    process.advance(HOUR)
    process.advance(HOUR)

    first, second = runs_of(process.app)
    assert (first.state, second.state) == (State.SCHEDULED, State.SKIPPED)
    assert "overlap" in (second.reason or "")


def test_overlap_allow_runs_every_slot_whatever_the_last_one_does():  # R10
    def declare(app: Rota) -> None:
        retry = Retry(attempts=2, base=2 * HOUR, max_wait=2 * HOUR, jitter=False)

        @app.job(schedule=every().hour.at(":00"), per_tenant=True, retry=retry, overlap=Overlap.ALLOW)
        def report(ctx: RunContext) -> None:
            raise ValueError("waits for its retry")

    process = driven(tenants=["acme"])(declare)
    process.advance(HOUR)
    process.advance(HOUR)

    assert [run.state for run in runs_of(process.app)] == [State.SCHEDULED, State.SCHEDULED]


def test_two_schedulers_fire_a_slot_once():  # G4, fault row E1
    seen: list[tuple[str, object]] = []
    process = driven()(hourly(seen))
    other = Driven(process.app, process.clock)
    process.clock.tick(HOUR)

    for _ in range(3):
        process.once()
        other.once()
    process.settle_down()

    assert [tenant for tenant, _ in seen] == ["acme", "globex"]


def test_a_clock_that_went_back_fires_no_slot_again():  # R1
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme"])(hourly(seen))
    process.advance(HOUR)

    process.clock.step(-2 * HOUR)
    process.settle_down()
    process.advance(2 * HOUR)

    assert len(seen) == 1


def test_a_stored_schedule_that_makes_no_sense_is_marked_once_and_stops_nobody():  # R5
    seen: list[tuple[str, object]] = []
    told: list[ScheduleBroken] = []
    process = driven(tenants=["acme"])(hourly(seen))
    process.app.on(ScheduleBroken)(told.append)
    for name, fields in {"bad-text": {"timing": "every blue moon"}, "bad-job": {"job": "nobody"}}.items():
        row = a_schedule(**{"name": name, "job": "report", "origin": Origin.ROW, "timing": "hourly"} | fields)
        assert process.app.store.put_schedule(row, expected_version=None)

    process.advance(HOUR)
    process.advance(SECOND)

    assert sorted(event.schedule for event in told) == ["bad-job", "bad-text"]
    assert process.app.schedules.get("bad-text").state is ScheduleState.BROKEN
    assert len(seen) == 1


def test_a_schedule_that_another_process_has_just_fired_is_not_marked_as_broken():  # R5
    store = MemoryStore()
    schedule = a_schedule(origin=Origin.ROW, next_at=noon_plus(hours=1))
    store.put_schedule(schedule, expected_version=None)
    fired = a_firing(schedule, cursor=noon_plus(hours=1), next_at=noon_plus(hours=2))
    assert store.fire([fired], now=noon_plus(hours=1)) == [schedule.name]

    mark_broken(store, schedule, "no job 'nobody' is registered", bus=Bus())

    known = store.schedule(schedule.name)
    assert known is not None
    assert (known.state, known.cursor) == (ScheduleState.ACTIVE, noon_plus(hours=1))


def test_a_schedule_that_leaves_the_code_is_orphaned_and_comes_back_without_its_past():  # R5
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme"])(hourly(seen))
    without = driven(store=process.app.store, clock=process.clock)(lambda app: None)
    assert process.app.schedules.get("report").state is ScheduleState.ORPHANED
    without.advance(3 * HOUR)
    assert seen == []

    again = Driven(process.app, process.clock)
    again.settle_down()
    again.advance(HOUR)

    assert len(seen) == 1


def test_editing_a_schedule_runs_nothing_of_the_past():  # R5
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme"])(hourly(seen))
    process.advance(HOUR)
    seen.clear()

    def edited(app: Rota) -> None:
        @app.job(schedule=every(10).minutes, per_tenant=True, catch_up=CatchUp.all())
        def report(ctx: RunContext) -> None:
            seen.append((ctx.tenant.id, ctx.slot))

    process.clock.tick(timedelta(minutes=25))
    other = driven(store=process.app.store, clock=process.clock, tenants=["acme"])(edited)
    other.settle_down()
    assert seen == []

    other.advance(10 * MINUTE)
    assert seen == [("acme", noon_plus(hours=1, minutes=30))]


def test_a_hashed_field_spreads_the_tenants_over_its_range_and_no_run_passes_the_next_slot():  # R2, R15
    def declare(app: Rota) -> None:
        @app.job(schedule="H * * * *", per_tenant=True)
        def report(ctx: RunContext) -> None: ...

    process = driven(tenants=[f"t{number}" for number in range(40)])(declare)

    process.advance(HOUR)
    due = {run.tenant: run.due_at for run in runs_of(process.app)}
    assert {run.slot for run in runs_of(process.app)} == {noon_plus(hours=1)}
    assert all(noon_plus(hours=1) <= at < noon_plus(hours=2) for at in due.values())
    assert len(set(due.values())) > 15

    process.advance(HOUR)
    again = {run.tenant: run.due_at for run in runs_of(process.app) if run.slot == noon_plus(hours=2)}
    assert again == {tenant: at + HOUR for tenant, at in due.items()}
    assert {run.state for run in runs_of(process.app) if run.slot == noon_plus(hours=1)} == {State.SUCCEEDED}
