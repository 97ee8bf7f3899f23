"""Schedules are stored, found when due, and fired once for each slot."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rota.core.model import Origin, Progress, RunKind, ScheduleState, State
from rota.core.policy import CatchUp, Overlap
from rota.queries import RoundQuery, RunQuery
from tests.values import (
    DAY,
    HOUR,
    MICROSECOND,
    MINUTE,
    NOON,
    a_firing,
    a_round,
    a_schedule,
    a_skipped_round,
    a_slot_run,
    add_rounds,
    claim,
    found,
    ids,
    open_counts,
    settle_all,
    succeeded,
)


def put(store, *schedules):
    for schedule in schedules:
        assert store.put_schedule(schedule, expected_version=None)


def test_a_schedule_comes_back_as_it_was_given(store):  # R5, R51
    schedule = a_schedule(
        tenants=("acme", "globex"),
        user_id="u-1",
        args='{"args":[1],"kwargs":{}}',
        catch_up=CatchUp.all(limit=48, within=timedelta(days=2)),
        overlap=Overlap.QUEUE_ALL,
        fresh_within=timedelta(hours=26),
        origin=Origin.ROW,
        fingerprint="abc",
        state=ScheduleState.PAUSED,
        reason="migration",
        paused_until=NOON + DAY,
        version=7,
        cursor=NOON - MICROSECOND,
        next_at=None,
        last_run_at=NOON - HOUR,
    )

    put(store, schedule)

    assert store.schedules() == [schedule]


def test_one_schedule_is_found_by_its_name(store):
    put(store, a_schedule(name="a"), a_schedule(name="b"))

    assert store.schedule("b") == a_schedule(name="b")
    assert store.schedule("B") is None
    assert store.schedule("c") is None


@pytest.mark.parametrize("tenants", [None, (), ("acme",)])
def test_no_tenants_and_every_tenant_are_not_the_same(store, tenants):
    put(store, a_schedule(tenants=tenants))

    assert store.schedules()[0].tenants == tenants


@pytest.mark.parametrize("catch_up", [CatchUp.none(), CatchUp.latest(), CatchUp.all(), CatchUp.all(limit=1)])
def test_every_catch_up_comes_back(store, catch_up):
    put(store, a_schedule(catch_up=catch_up))

    assert store.schedules()[0].catch_up == catch_up


def test_schedules_come_by_name(store):
    put(store, *[a_schedule(name=name) for name in ("b", "a-2", "B", "a", "ä")])

    assert [schedule.name for schedule in store.schedules()] == ["B", "a", "a-2", "b", "ä"]


def test_a_new_schedule_is_written_only_where_there_is_none(store):
    put(store, a_schedule())

    assert not store.put_schedule(a_schedule(job="other"), expected_version=None)
    assert store.schedules()[0].job == "report"


def test_a_schedule_is_replaced_only_at_the_version_that_was_read(store):
    put(store, a_schedule(version=1))

    assert not store.put_schedule(a_schedule(version=9), expected_version=8)
    assert store.put_schedule(a_schedule(version=2, timing="daily"), expected_version=1)
    assert not store.put_schedule(a_schedule(version=2, timing="weekly"), expected_version=1)
    assert [(schedule.version, schedule.timing) for schedule in store.schedules()] == [(2, "daily")]


def test_a_change_that_was_read_before_a_firing_does_not_set_the_cursor_back(store):  # R5, E4
    read = a_schedule()
    put(store, read)
    store.fire([a_firing(read)], now=NOON + MINUTE)

    late = replace(read, reason="edited", version=read.version + 1)
    assert not store.put_schedule(late, expected_version=read.version, expected_cursor=read.cursor)

    known = store.schedule(read.name)
    assert (known.cursor, known.reason) == (NOON, None)
    assert store.put_schedule(late, expected_version=known.version, expected_cursor=known.cursor)


def test_a_firing_without_runs_is_no_last_run(store):  # R12
    paused = a_schedule(last_run_at=NOON - DAY)
    put(store, paused)

    store.fire([replace(a_firing(paused), rounds=(), runs=())], now=NOON + MINUTE)

    assert store.schedule(paused.name).last_run_at == NOON - DAY


def test_a_schedule_may_be_written_again_unchanged(store):
    put(store, a_schedule())

    assert store.put_schedule(a_schedule(), expected_version=1)


def test_a_schedule_that_is_gone_cannot_be_replaced(store):
    assert not store.put_schedule(a_schedule(), expected_version=1)
    assert store.schedules() == []


def test_dropping_a_schedule_keeps_history_and_progress(store):
    put(store, a_schedule())
    run = a_slot_run()
    store.enqueue([run], now=NOON)
    settle_all(store, *[succeeded(claimed) for claimed in claim(store)])

    assert store.drop_schedule("nightly")
    assert not store.drop_schedule("nightly")
    assert store.schedules() == []
    assert found(store, run.id).state is State.SUCCEEDED
    assert [progress.schedule for progress in store.progress()] == ["nightly"]


def test_due_schedules_come_longest_due_first(store):
    put(
        store,
        a_schedule(name="now", next_at=NOON),
        a_schedule(name="long", next_at=NOON - DAY),
        a_schedule(name="later", next_at=NOON + MICROSECOND),
        a_schedule(name="also now", next_at=NOON),
        a_schedule(name="never", next_at=None),
    )

    assert [schedule.name for schedule in store.due(now=NOON)] == ["long", "also now", "now"]
    assert [schedule.name for schedule in store.due(now=NOON, limit=1)] == ["long"]
    assert store.due(now=NOON - 2 * DAY) == []


@pytest.mark.parametrize("state", [state for state in ScheduleState if state is not ScheduleState.ACTIVE])
def test_only_active_schedules_are_due(store, state):  # R5, R12
    put(store, a_schedule(state=state))

    assert store.due(now=NOON) == []


def test_firing_writes_round_and_run_and_moves_the_cursor(store):
    schedule = a_schedule()
    put(store, schedule)
    firing = a_firing(schedule)

    assert store.fire([firing], now=NOON + MINUTE) == ["nightly"]

    [stored] = store.schedules()
    expected = replace(schedule, cursor=NOON, next_at=NOON + HOUR, last_run_at=NOON + MINUTE)
    assert stored == expected
    assert store.rounds(RoundQuery()) == list(firing.rounds)
    [run] = store.runs(RunQuery(kind=RunKind.EXPANSION))
    assert (run.id, run.state) == (firing.runs[0].id, State.QUEUED)
    assert store.due(now=NOON + MINUTE) == []


def test_firing_again_is_refused_by_the_cursor(store):  # R30
    schedule = a_schedule()
    put(store, schedule)
    firing = a_firing(schedule)
    store.fire([firing], now=NOON)

    assert store.fire([firing], now=NOON) == []
    assert open_counts(store) == {"default": {State.QUEUED: 1}}


def test_of_two_schedulers_with_the_same_slot_one_fires(store):
    schedule = a_schedule()
    put(store, schedule)

    assert store.fire([a_firing(schedule)], now=NOON) == ["nightly"]
    assert store.fire([a_firing(schedule)], now=NOON) == []
    assert len(store.rounds(RoundQuery())) == 1
    assert len(store.runs(RunQuery(kind=None))) == 1


def test_a_firing_decided_on_an_older_version_is_refused(store):  # R5
    schedule = a_schedule()
    put(store, schedule)
    changed = a_schedule(version=2, timing="daily")
    store.put_schedule(changed, expected_version=1)

    assert store.fire([a_firing(schedule)], now=NOON) == []
    assert store.schedules() == [changed]
    assert store.rounds(RoundQuery()) == []
    assert store.runs(RunQuery(kind=None)) == []


def test_a_firing_of_a_schedule_that_is_gone_is_refused(store):
    assert store.fire([a_firing(a_schedule())], now=NOON) == []
    assert store.rounds(RoundQuery()) == []


def test_a_refused_firing_does_not_hold_back_the_others(store):
    schedules = [a_schedule(name=name) for name in ("a", "b", "c")]
    put(store, *schedules)
    store.fire([a_firing(schedules[1])], now=NOON)

    assert store.fire([a_firing(schedule) for schedule in reversed(schedules)], now=NOON) == ["c", "a"]
    assert len(store.rounds(RoundQuery())) == 3


def test_a_slot_that_has_a_round_keeps_it(store):
    schedule = a_schedule()
    put(store, schedule)
    there = a_round(slot=NOON, actor="ann")
    add_rounds(store, there)

    assert store.fire([a_firing(schedule)], now=NOON) == ["nightly"]
    assert store.rounds(RoundQuery()) == [there]


def test_a_run_of_the_slot_that_is_there_is_left_alone(store):
    schedule = a_schedule()
    put(store, schedule)
    there, new = a_slot_run(), a_slot_run(tenant="globex")
    store.enqueue([there], now=NOON)
    claim(store)

    store.fire([a_firing(schedule, runs=(a_slot_run(), new))], now=NOON)

    assert found(store, there.id).state is State.RUNNING
    assert len(store.runs(RunQuery())) == 2


def test_fired_runs_are_placed_as_if_enqueued(store):
    schedule = a_schedule()
    put(store, schedule)
    runs = (
        a_slot_run(slot=NOON - HOUR, concurrency_key="k"),
        a_slot_run(slot=NOON, concurrency_key="k"),
        a_slot_run(tenant="globex", due_at=NOON + MINUTE),
        a_slot_run(tenant="initech", state=State.SKIPPED, reason="paused", ended_at=NOON),
    )

    store.fire([a_firing(schedule, runs=runs)], now=NOON)

    assert [found(store, run.id).state for run in runs] == [
        State.QUEUED,
        State.SCHEDULED,
        State.SCHEDULED,
        State.SKIPPED,
    ]
    assert found(store, runs[1].id).waits_for == "k"


def test_missed_slots_are_recorded_as_one_skipped_round(store):  # R8
    schedule = a_schedule(cursor=NOON - DAY, next_at=NOON - 23 * HOUR)
    put(store, schedule)
    skipped = a_skipped_round(slot=NOON - HOUR, skipped_from=NOON - 23 * HOUR)

    store.fire([a_firing(schedule, rounds=(skipped,), runs=(), cursor=NOON, next_at=NOON + HOUR)], now=NOON)

    assert store.rounds(RoundQuery()) == [skipped]
    assert store.schedules()[0].cursor == NOON
    assert store.runs(RunQuery(kind=None)) == []


def test_the_last_firing_of_a_schedule_leaves_no_next_slot(store):
    schedule = a_schedule()
    put(store, schedule)

    store.fire([a_firing(schedule, next_at=None)], now=NOON)

    assert store.schedules()[0].next_at is None
    assert store.due(now=NOON + DAY) == []


def test_several_slots_are_fired_at_once(store):
    schedule = a_schedule(cursor=NOON - 3 * HOUR, next_at=NOON - 2 * HOUR)
    put(store, schedule)
    slots = [NOON - 2 * HOUR, NOON - HOUR, NOON]
    rounds = tuple(a_round(slot=slot) for slot in slots)
    runs = tuple(a_slot_run(slot=slot, concurrency_key="k", due_at=slot) for slot in slots)

    store.fire([a_firing(schedule, rounds=rounds, runs=runs, cursor=NOON, next_at=NOON + HOUR)], now=NOON)

    assert store.rounds(RoundQuery()) == list(reversed(rounds))
    assert ids(claim(store)) == [runs[0].id]


def test_a_thousand_schedules_fire_in_one_call(store):
    schedules = [a_schedule(name=f"s-{number:04}") for number in range(1_000)]
    put(store, *schedules)
    due = store.due(now=NOON)

    fired = store.fire([a_firing(schedule) for schedule in due], now=NOON)

    assert fired == [schedule.name for schedule in schedules]
    assert store.due(now=NOON) == []
    assert open_counts(store) == {"default": {State.QUEUED: 1_000}}
    assert len(store.rounds(RoundQuery(limit=2_000))) == 1_000


def test_firing_does_not_touch_progress(store):
    store.mark(Progress(schedule="nightly", last_success=NOON - DAY), expected=None)
    schedule = a_schedule()
    put(store, schedule)

    store.fire([a_firing(schedule)], now=NOON)

    assert store.progress() == [Progress(schedule="nightly", last_success=NOON - DAY)]
