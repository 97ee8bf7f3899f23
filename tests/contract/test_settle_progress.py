"""A run that ended moves the progress of its schedule and tenant."""

from rota.core.model import Outcome, RunKind, State
from tests.values import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    a_run,
    a_slot_run,
    claim,
    ended,
    failed,
    given_up,
    outcomes,
    settle_all,
    succeeded,
    the_progress,
)


def test_success_moves_progress(store):  # R9
    store.enqueue([a_slot_run()], now=NOON)
    [run] = claim(store)

    settle_all(store, succeeded(run, now=NOON + MINUTE))

    progress = the_progress(store)
    assert progress.last_success == NOON
    assert progress.last_success_at == NOON + MINUTE
    assert (progress.last_run_id, progress.last_state) == (run.id, State.SUCCEEDED)
    assert progress.last_ended_at == NOON + MINUTE
    assert progress.failures == 0


def test_progress_moves_only_forward(store):  # R9
    new, old = a_slot_run(slot=NOON), a_slot_run(slot=NOON - DAY)
    store.enqueue([new, old], now=NOON)
    runs = {run.id: run for run in claim(store)}

    settle_all(store, succeeded(runs[new.id], now=NOON + MINUTE))
    settle_all(store, succeeded(runs[old.id], now=NOON + HOUR))

    progress = the_progress(store)
    assert progress.last_success == NOON
    assert progress.last_success_at == NOON + MINUTE
    assert (progress.last_run_id, progress.last_ended_at) == (old.id, NOON + HOUR)


def test_progress_moves_forward_also_within_one_batch(store):  # R9
    slots = [NOON, NOON - DAY, NOON + HOUR, NOON - HOUR]
    store.enqueue([a_slot_run(slot=slot) for slot in slots], now=NOON)

    settle_all(store, *[succeeded(run) for run in claim(store)])

    assert the_progress(store).last_success == NOON + HOUR


def test_failure_does_not_move_the_window(store):  # R9
    store.enqueue([a_slot_run(slot=NOON - HOUR), a_slot_run(slot=NOON)], now=NOON)
    first, second = claim(store)
    settle_all(store, succeeded(first))

    settle_all(store, given_up(second))

    assert the_progress(store).last_success == NOON - HOUR
    assert the_progress(store).last_state is State.FAILED


def test_failures_in_a_row_are_counted_until_a_success(store):
    store.enqueue([a_slot_run(slot=NOON + number * HOUR) for number in range(5)], now=NOON)
    runs = claim(store)
    counted = []
    for run, ending in zip(runs, (given_up, given_up, given_up, succeeded, given_up), strict=True):
        settle_all(store, ending(run))
        counted.append(the_progress(store).failures)

    assert counted == [1, 2, 3, 0, 1]


def test_failures_are_counted_also_within_one_batch(store):
    store.enqueue([a_slot_run(slot=NOON + number * HOUR) for number in range(4)], now=NOON)
    runs = claim(store)
    endings = (given_up, succeeded, given_up, given_up)

    settle_all(store, *[ending(run) for run, ending in zip(runs, endings, strict=True)])

    assert the_progress(store).failures == 2
    assert the_progress(store).last_run_id == runs[3].id


def test_an_attempt_that_is_tried_again_is_no_failure_of_its_run(store):
    store.enqueue([a_slot_run(max_attempts=3)], now=NOON)
    [run] = claim(store)

    settle_all(store, failed(run))

    assert store.progress() == []


def test_a_cancelled_run_is_neither_failure_nor_success(store):
    store.enqueue([a_slot_run(slot=NOON - HOUR), a_slot_run()], now=NOON)
    first, second = claim(store)
    settle_all(store, given_up(first))

    settle_all(store, ended(second, Outcome.CANCELLED))

    assert the_progress(store).failures == 1
    assert the_progress(store).last_success is None
    assert the_progress(store).last_state is State.CANCELLED


def test_a_manual_run_moves_no_slot(store):  # R12
    store.enqueue([a_run(schedule="nightly", tenant="acme", slot=None)], now=NOON)
    [run] = claim(store)

    settle_all(store, succeeded(run))

    assert the_progress(store).last_success is None
    assert the_progress(store).last_run_id == run.id


def test_runs_without_a_schedule_have_no_progress(store):
    store.enqueue([a_run(tenant="acme")], now=NOON)
    [run] = claim(store)

    settle_all(store, succeeded(run))

    assert store.progress() == []


def test_an_expansion_has_no_progress(store):
    store.enqueue([a_run(kind=RunKind.EXPANSION, schedule="nightly", slot=NOON)], now=NOON)
    [run] = claim(store)

    settle_all(store, succeeded(run))

    assert store.progress() == []


def test_runs_without_a_tenant_have_progress_of_their_own(store):
    store.enqueue([a_slot_run(tenant=None)], now=NOON)
    [run] = claim(store)

    settle_all(store, succeeded(run))

    assert the_progress(store, tenant="").last_success == NOON


def test_the_same_settlement_twice_in_one_batch_counts_once(store):
    store.enqueue([a_slot_run(max_attempts=1)], now=NOON)
    [run] = claim(store)

    applied = settle_all(store, given_up(run), given_up(run))

    assert set(applied) == {run.id}
    assert the_progress(store).failures == 1
    assert outcomes(store, run.id) == [Outcome.FAILED]
