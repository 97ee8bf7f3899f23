"""Runs that share a concurrency key go one at a time, in the order of (due_at, id). (R10)"""

import pytest

from rota.core.model import State
from rota.core.policy import Overlap
from tests.values import (
    HOUR,
    MINUTE,
    NOON,
    a_request,
    a_run,
    claim,
    failed,
    found,
    given_up,
    ids,
    lost,
    settle_all,
    states,
    succeeded,
)


def keyed(**fields):
    return a_run(**{"concurrency_key": "nightly|acme"} | fields)


def test_the_first_goes_on_and_the_others_wait(store):
    runs = [keyed(), keyed(), keyed()]

    store.enqueue(runs, now=NOON)

    assert states(store, *ids(runs)) == [State.QUEUED, State.SCHEDULED, State.SCHEDULED]
    assert [found(store, run.id).waits_for for run in runs] == [None, "nightly|acme", "nightly|acme"]


def test_one_runs_at_a_time(store):
    runs = [keyed(), keyed(), keyed()]
    store.enqueue(runs, now=NOON)

    order = []
    while claimed := claim(store):
        assert len(claimed) == 1
        order += ids(claimed)
        settle_all(store, succeeded(claimed[0]))

    assert order == ids(runs)


def test_the_longest_due_is_next_then_the_oldest(store):
    holder = keyed()
    store.enqueue([holder], now=NOON)
    runs = [keyed(due_at=NOON - minutes * MINUTE) for minutes in (1, 3, 3, 2)]
    store.enqueue(runs, now=NOON)

    order = []
    while claimed := claim(store):
        order += ids(claimed)
        settle_all(store, succeeded(claimed[0]))

    assert order == [holder.id, runs[1].id, runs[2].id, runs[3].id, runs[0].id]


def test_within_one_batch_the_longest_due_goes_on(store):
    late, early = keyed(due_at=NOON), keyed(due_at=NOON - MINUTE)

    store.enqueue([late, early], now=NOON)

    assert states(store, late.id, early.id) == [State.SCHEDULED, State.QUEUED]


def test_other_keys_go_on(store):
    store.enqueue([keyed(), keyed(concurrency_key="nightly|globex"), a_run()], now=NOON)

    assert len(claim(store)) == 3


def test_keys_tell_upper_case_and_accents_apart(store):
    runs = [keyed(concurrency_key=key) for key in ("key", "KEY", "kéy", "key ")]
    store.enqueue(runs, now=NOON)

    assert len(claim(store)) == 4


def test_a_run_that_waits_for_a_retry_holds_back_later_ones(store):  # R8
    first, second = keyed(), keyed()
    store.enqueue([first, second], now=NOON)
    [claimed] = claim(store)

    settle_all(store, failed(claimed))

    assert claim(store) == []
    assert states(store, first.id, second.id) == [State.SCHEDULED, State.SCHEDULED]
    store.promote(now=NOON + HOUR)
    assert ids(claim(store, now=NOON + HOUR)) == [first.id]


@pytest.mark.parametrize("ending", [succeeded, given_up])
def test_a_run_that_ends_frees_its_key(store, ending):
    first, second = keyed(), keyed()
    store.enqueue([first, second], now=NOON)
    [claimed] = claim(store)

    settle_all(store, ending(claimed))

    assert ids(claim(store)) == [second.id]
    assert found(store, second.id).waits_for is None


def test_a_lost_run_keeps_its_key(store):
    first, second = keyed(), keyed()
    store.enqueue([first, second], now=NOON)
    [claimed] = claim(store)

    settle_all(store, lost(claimed))

    assert ids(claim(store)) == [first.id]


def test_a_released_run_keeps_its_key(store):
    first, second = keyed(), keyed()
    store.enqueue([first, second], now=NOON)
    [claimed] = claim(store)

    store.release("w1", [(claimed.id, claimed.token)], now=NOON)

    assert ids(claim(store)) == [first.id]


def test_a_cancelled_run_frees_its_key(store):
    first, second = keyed(), keyed()
    store.enqueue([first, second], now=NOON)

    store.cancel([first.id], now=NOON, reason="ops")

    assert ids(claim(store)) == [second.id]


def test_a_run_that_was_asked_to_stop_keeps_its_key_until_it_has(store):
    store.enqueue([keyed(), keyed()], now=NOON)
    [claimed] = claim(store)

    store.cancel([claimed.id], now=NOON, reason="ops")

    assert claim(store) == []


def test_cancelling_several_of_a_key_at_once_lets_a_survivor_go_on(store):
    runs = [keyed(), keyed(), keyed()]
    store.enqueue(runs, now=NOON)

    store.cancel([runs[0].id, runs[1].id], now=NOON, reason="ops")

    assert states(store, *ids(runs)) == [State.CANCELLED, State.CANCELLED, State.QUEUED]


def test_cancelling_a_waiting_run_leaves_the_line_in_order(store):
    runs = [keyed(), keyed(), keyed()]
    store.enqueue(runs, now=NOON)

    store.cancel([runs[1].id], now=NOON, reason="ops")

    assert states(store, *ids(runs)) == [State.QUEUED, State.CANCELLED, State.SCHEDULED]
    assert found(store, runs[1].id).waits_for is None


def test_a_run_of_the_future_that_goes_on_waits_for_its_time(store):
    first, second = keyed(), keyed(due_at=NOON + HOUR)
    store.enqueue([first, second], now=NOON)
    [claimed] = claim(store)

    settle_all(store, succeeded(claimed))

    assert found(store, second.id).state is State.SCHEDULED
    assert found(store, second.id).waits_for is None
    assert store.promote(now=NOON + HOUR) == 1


def test_skip_records_a_run_that_would_overlap(store):
    first, second = keyed(overlap=Overlap.SKIP), keyed(overlap=Overlap.SKIP)
    store.enqueue([first], now=NOON)

    assert store.enqueue([second], now=NOON + MINUTE) == [second.id]

    skipped = found(store, second.id)
    assert skipped.state is State.SKIPPED
    assert skipped.ended_at == NOON + MINUTE
    assert skipped.waits_for is None
    assert "overlap" in (skipped.reason or "")


@pytest.mark.parametrize("standing", ["queued", "running", "waiting for a retry"])
def test_skip_looks_at_every_run_that_is_not_final(store, standing):
    store.enqueue([keyed()], now=NOON)
    if standing != "queued":
        [claimed] = claim(store)
    if standing == "waiting for a retry":
        settle_all(store, failed(claimed))
    second = keyed(overlap=Overlap.SKIP)

    store.enqueue([second], now=NOON)

    assert found(store, second.id).state is State.SKIPPED


def test_skip_runs_when_the_earlier_one_has_ended(store):
    store.enqueue([keyed(overlap=Overlap.SKIP)], now=NOON)
    [claimed] = claim(store)
    settle_all(store, succeeded(claimed))
    second = keyed(overlap=Overlap.SKIP)

    store.enqueue([second], now=NOON)

    assert found(store, second.id).state is State.QUEUED


def test_skip_holds_within_one_batch(store):
    first, second, other = (keyed(overlap=Overlap.SKIP, concurrency_key=key) for key in ("k", "k", "other"))

    store.enqueue([first, second, other], now=NOON)

    assert states(store, first.id, second.id, other.id) == [State.QUEUED, State.SKIPPED, State.QUEUED]


def test_unblock_finds_nothing_where_all_is_well(store):
    store.enqueue([keyed(), keyed()], now=NOON)

    assert store.unblock(now=NOON) == 0
    assert store.unblock(now=NOON + HOUR) == 0


def test_keys_without_end_do_not_hold_back_each_other(store):
    runs = [keyed(concurrency_key=f"k{number % 50}") for number in range(150)]
    store.enqueue(runs, now=NOON)

    rounds = []
    while claimed := claim(store):
        rounds.append(len(claimed))
        settle_all(store, *[succeeded(run) for run in claimed])

    assert rounds == [50, 50, 50]


def test_a_key_freed_by_a_batch_is_free_for_the_claim_of_the_same_call(store):
    first, second = keyed(), keyed()
    store.enqueue([first, second], now=NOON)
    [claimed] = claim(store)

    answer = store.settle([succeeded(claimed)], now=NOON, claim=a_request())

    assert ids(answer.claimed) == [second.id]
