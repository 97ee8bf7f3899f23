"""How far each schedule has come for each tenant."""

from msgspec.structs import replace

from rota.core.model import State
from rota.queries import RunQuery
from tests.values import (
    DAY,
    HOUR,
    MICROSECOND,
    NOON,
    a_progress,
    a_slot_run,
    claim,
    given_up,
    new_id,
    settle_all,
    succeeded,
)


def put(store, *entries):
    for progress in entries:
        assert store.mark(progress, expected=None)


def test_progress_comes_back_as_it_was_given(store):
    progress = a_progress(
        last_success=NOON,
        last_success_at=NOON + MICROSECOND,
        last_run_id=new_id(),
        last_state=State.FAILED,
        last_ended_at=NOON + HOUR,
        failures=3,
    )

    put(store, progress)

    assert store.progress() == [progress]


def test_progress_comes_by_schedule_and_tenant(store):
    keys = [("b", "x"), ("a", "z"), ("a", ""), ("a", "Z"), ("b", "")]
    put(store, *[a_progress(schedule=schedule, tenant=tenant) for schedule, tenant in keys])

    assert [(progress.schedule, progress.tenant) for progress in store.progress()] == sorted(keys)


def test_progress_is_narrowed_by_what_is_asked(store):
    put(store, *[a_progress(schedule=schedule, tenant=tenant) for schedule in "ab" for tenant in ("", "x", "y")])

    def asked(**fields):
        return [(progress.schedule, progress.tenant) for progress in store.progress(**fields)]

    assert asked(schedule="a") == [("a", ""), ("a", "x"), ("a", "y")]
    assert asked(tenants=["y", "x", "z"]) == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
    assert asked(schedule="b", tenants=[""]) == [("b", "")]
    assert asked(tenants=[]) == []
    assert asked(schedule="c") == []


def test_progress_is_marked_only_as_it_was_read(store):  # R14
    old = a_progress(last_success=NOON - DAY)
    put(store, old)
    new = a_progress(last_success=NOON)

    assert not store.mark(new, expected=None)
    assert not store.mark(new, expected=a_progress(last_success=NOON - HOUR))
    assert not store.mark(new, expected=a_progress(last_success=NOON - DAY, failures=1))
    assert store.progress() == [old]
    assert store.mark(new, expected=old)
    assert store.progress() == [new]


def test_marking_again_unchanged_succeeds(store):
    put(store, a_progress(last_success=NOON))

    assert store.mark(a_progress(last_success=NOON), expected=a_progress(last_success=NOON))


def test_progress_that_is_gone_is_not_marked(store):
    assert not store.mark(a_progress(failures=1), expected=a_progress())
    assert store.progress() == []


def test_marking_back_is_allowed(store):
    put(store, a_progress(last_success=NOON))

    assert store.mark(a_progress(last_success=NOON - DAY), expected=a_progress(last_success=NOON))
    assert store.progress()[0].last_success == NOON - DAY


def test_a_run_goes_on_from_what_was_marked(store):  # R9, R14
    put(store, a_progress(last_success=NOON, failures=4))
    store.enqueue([a_slot_run(slot=NOON - DAY), a_slot_run(slot=NOON + DAY)], now=NOON)
    old, new = claim(store)

    settle_all(store, succeeded(old))
    assert store.progress()[0].last_success == NOON
    assert store.progress()[0].failures == 0

    settle_all(store, succeeded(new))
    assert store.progress()[0].last_success == NOON + DAY


def test_reset_forgets_progress_and_keeps_history(store):  # R14
    store.enqueue([a_slot_run(tenant=tenant) for tenant in ("a", "b", "c")], now=NOON)
    settle_all(store, *[given_up(run) for run in claim(store)])

    assert store.reset("nightly", tenants=["a", "c", "nobody"]) == 2
    assert [progress.tenant for progress in store.progress()] == ["b"]
    assert len(store.runs(RunQuery(schedule="nightly"))) == 3


def test_reset_of_all_tenants_leaves_other_schedules(store):  # R14
    put(store, *[a_progress(schedule=schedule, tenant=tenant) for schedule in "ab" for tenant in ("", "x")])

    assert store.reset("a") == 2
    assert store.reset("a") == 0
    assert store.reset("b", tenants=[]) == 0
    assert {progress.schedule for progress in store.progress()} == {"b"}


def test_progress_after_a_reset_starts_anew(store):
    put(store, a_progress(last_success=NOON + DAY, failures=3))
    store.reset("nightly")
    store.enqueue([a_slot_run()], now=NOON)
    [run] = claim(store)
    assert run.last_success is None

    settle_all(store, succeeded(run))

    assert replace(store.progress()[0], last_run_id=None) == a_progress(
        last_success=NOON, last_success_at=NOON, last_state=State.SUCCEEDED, last_ended_at=NOON
    )


def test_hundreds_of_tenants_are_asked_for_at_once(store):
    tenants = [f"t{number:04}" for number in range(2_500)]
    put(store, *[a_progress(tenant=tenant) for tenant in tenants[:40]])

    assert len(store.progress(schedule="nightly", tenants=tenants)) == 40
    assert store.reset("nightly", tenants=tenants) == 40
