"""Any text is a name, any instant is a time."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from rota.core.model import ErrorReport, Outcome, State
from rota.queries import RoundQuery, RunQuery
from tests.values import (
    HOUR,
    NOON,
    a_firing,
    a_progress,
    a_round,
    a_run,
    a_schedule,
    a_slot_run,
    a_worker,
    add_rounds,
    claim,
    ended,
    found,
    history,
    ids,
    settle_all,
    succeeded,
)

NAMES = [
    "it's",
    '"quoted"',
    "per%cent%s%(x)s",
    ":colon :name",
    "semi; DROP TABLE rota_runs; --",
    "back\\slash\\",
    "new\nline\ttab",
    "_under_score_",
    "Ünïcödé-日本語",
    "emoji 🚀🧑‍💻",
    "{curly} $1 ?",
    "x" * 200,
    "é" * 100,
    " spaces around ",
    "NULL",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_comes_back_and_is_found(store, name):  # R26
    run = a_run(
        job=name,
        queue=name,
        tenant=name,
        user_id=name,
        schedule=name,
        actor=name,
        reason=name,
        dedupe_key=name,
        concurrency_key=name,
    )
    store.enqueue([run], now=NOON)
    held_back = a_run(queue=name, concurrency_key=name)
    store.enqueue([held_back], now=NOON)

    query = RunQuery(jobs=(name,), tenants=(name,), queues=(name,), schedule=name)
    assert store.runs(query) == [replace(run, state=State.QUEUED)]
    assert store.enqueue([a_run(dedupe_key=name)], now=NOON) == []
    [claimed] = claim(store, name, queues={name: 1}, except_jobs=frozenset(NAMES) - {name})
    assert claimed.owner == name
    assert ids(store.runs(RunQuery(owner=name))) == [run.id]
    assert settle_all(store, succeeded(claimed, reason=name, result=f'"{name}"')) == [run.id]
    assert ids(claim(store, queues={name: 1})) == [held_back.id]
    assert [progress.tenant for progress in store.progress(schedule=name, tenants=[name])] == [name]
    assert store.reset(name, tenants=[name]) == 1


@pytest.mark.parametrize("name", NAMES)
def test_any_schedule_name_can_be_fired(store, name):
    schedule = a_schedule(name=name, job=name, reason=name, tenants=(name,), user_id=name)
    assert store.put_schedule(schedule, expected_version=None)

    assert store.due(now=NOON) == [schedule]
    assert store.fire([a_firing(schedule)], now=NOON) == [name]
    assert [round_.schedule for round_ in store.rounds(RoundQuery(schedule=name, jobs=(name,)))] == [name]
    assert store.drop_schedule(name)


def test_names_that_look_alike_are_not_the_same(store):
    names = ["tenant", "Tenant", "tenant ", "ténant", "tenànt", "te\u0301nant", "ß", "ss", "ı", "i"]
    store.enqueue([a_slot_run(tenant=name) for name in names], now=NOON)
    settle_all(store, *[succeeded(run) for run in claim(store)])

    assert len(store.progress(schedule="nightly")) == len(names)
    for name in names:
        assert [run.tenant for run in store.runs(RunQuery(tenants=(name,)))] == [name]
        assert [progress.tenant for progress in store.progress(tenants=[name])] == [name]


def test_an_empty_name_is_not_no_name(store):
    run = a_run(tenant="", user_id="", reason="")
    store.enqueue([run], now=NOON)

    stored = found(store, run.id)

    assert (stored.tenant, stored.user_id, stored.reason) == ("", "", "")


def test_big_arguments_results_and_tracebacks_come_back(store):  # R31
    args = '{"args":["' + "ü" * 500_000 + '"],"kwargs":{}}'
    error = ErrorReport(type="ValueError", message="m" * 10_000, traceback="Zeile 🚀\n" * 20_000, fingerprint="a1")
    run = a_run(args=args, max_attempts=1)
    store.enqueue([run], now=NOON)
    [claimed] = claim(store)
    assert claimed.args == args

    settle_all(store, ended(claimed, Outcome.FAILED, error=error, result=args))

    stored = found(store, run.id)
    assert stored.error == error
    assert stored.result == args
    assert history(store, run.id).attempts[0].error == error


def test_an_error_of_an_attempt_that_is_tried_again_comes_back(store):
    error = ErrorReport(type="Völlig", message="🚀 'quoted' %s", traceback="", fingerprint="a2")
    store.enqueue([a_run(max_attempts=3)], now=NOON)
    [claimed] = claim(store)

    settle_all(store, ended(claimed, Outcome.FAILED, error=error))

    assert history(store, claimed.id).attempts[0].error == error


INSTANTS = [
    NOON + timedelta(microseconds=1),
    NOON + timedelta(microseconds=999_999),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1900, 1, 1, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 30, 0, 123_456, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
]


@pytest.mark.parametrize("instant", INSTANTS, ids=str)
def test_every_instant_comes_back_exactly(store, instant):  # R1
    run = a_run(due_at=instant, created_at=instant, slot=instant, since=instant, expires_at=instant)
    store.enqueue([run], now=NOON)
    add_rounds(store, a_round(slot=instant, skipped_from=instant, created_at=instant, ended_at=instant))
    store.put_schedule(a_schedule(cursor=instant, next_at=instant, paused_until=instant), expected_version=None)
    store.mark(a_progress(last_success=instant, last_success_at=instant, last_ended_at=instant), expected=None)
    store.register(a_worker(started_at=instant, last_seen=instant, stamps={"loop": instant}))

    stored = found(store, run.id)
    assert {stored.due_at, stored.created_at, stored.slot, stored.since, stored.expires_at} == {instant}
    [round_] = store.rounds(RoundQuery())
    assert {round_.slot, round_.skipped_from, round_.created_at, round_.ended_at} == {instant}
    [schedule] = store.schedules()
    assert {schedule.cursor, schedule.next_at, schedule.paused_until} == {instant}
    [progress] = store.progress()
    assert {progress.last_success, progress.last_success_at, progress.last_ended_at} == {instant}
    [worker] = store.workers()
    assert {worker.started_at, worker.last_seen, worker.stamps["loop"]} == {instant}


@pytest.mark.parametrize("zone", [timezone(timedelta(hours=5, minutes=45)), ZoneInfo("Europe/Paris")], ids=str)
def test_an_instant_of_another_zone_is_the_same_instant(store, zone):
    local = NOON.astimezone(zone)
    later = (NOON + HOUR).astimezone(zone)
    first, second = a_run(due_at=local, created_at=local, slot=local), a_run(due_at=later)
    store.enqueue([first, second], now=local)

    assert found(store, first.id).state is State.QUEUED
    assert found(store, second.id).state is State.SCHEDULED
    assert found(store, first.id).slot == NOON
    assert ids(store.runs(RunQuery(slot_since=local, slot_until=later))) == [first.id]
    assert store.promote(now=later) == 1


def test_an_hour_that_comes_twice_is_two_instants(store):  # R3
    paris = ZoneInfo("Europe/Paris")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=paris)
    second = first.replace(fold=1)
    runs = [a_run(slot=first, schedule="nightly"), a_run(slot=second, schedule="nightly")]
    store.enqueue(runs, now=NOON)

    slots = [found(store, run.id).slot.astimezone(UTC) for run in runs]

    assert slots == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)]
