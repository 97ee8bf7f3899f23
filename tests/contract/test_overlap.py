"""What becomes of a run whose key another open run has: skipped, put in line, or put in the other one's place. (R10)"""

import pytest

from rota.core.lifecycle import rescue
from rota.core.model import Outcome, State
from rota.core.policy import Overlap
from tests.contract.mill import RESCUE_AFTER
from tests.values import (
    HOUR,
    LEASE,
    MINUTE,
    NOON,
    a_firing,
    a_round,
    a_run,
    a_schedule,
    claim,
    failed,
    found,
    given_up,
    ids,
    outcomes,
    settle_all,
    states,
    succeeded,
)

LATE = NOON + RESCUE_AFTER


def one_more(**fields):
    return a_run(**{"concurrency_key": "nightly|acme", "overlap": Overlap.QUEUE_ONE, "max_attempts": 3} | fields)


def in_its_place(**fields):
    return one_more(**{"overlap": Overlap.REPLACE} | fields)


def the_worker_dies(store):
    settle_all(store, *[rescue(run, now=LATE) for run in store.expired(now=LATE)], now=LATE)


# --- queue one ---


def test_one_waits_and_the_next_is_skipped(store):
    runs = [one_more() for _ in range(3)]

    for run in runs:
        assert store.enqueue([run], now=NOON) == [run.id]

    assert states(store, *ids(runs)) == [State.QUEUED, State.SCHEDULED, State.SKIPPED]
    skipped = found(store, runs[2].id)
    assert (skipped.ended_at, skipped.waits_for) == (NOON, None)
    assert "overlap" in (skipped.reason or "")


def test_one_waits_within_one_batch_too(store):
    runs = [one_more() for _ in range(4)] + [one_more(concurrency_key="other")]

    store.enqueue(runs, now=NOON)

    expected = [State.QUEUED, State.SCHEDULED, State.SKIPPED, State.SKIPPED, State.QUEUED]
    assert states(store, *ids(runs)) == expected


def test_of_a_batch_the_first_two_are_taken_and_go_in_line(store):
    late, early, third = one_more(), one_more(due_at=NOON - MINUTE), one_more(due_at=NOON - HOUR)

    store.enqueue([late, early, third], now=NOON)

    assert states(store, late.id, early.id, third.id) == [State.SCHEDULED, State.QUEUED, State.SKIPPED]


@pytest.mark.parametrize("standing", ["running", "waiting for a retry", "held", "scheduled"])
def test_one_waits_for_every_run_that_is_not_final(store, standing):
    first = one_more(
        held_by="depends" if standing == "held" else None, due_at=NOON + HOUR if standing == "scheduled" else NOON
    )
    store.enqueue([first], now=NOON)
    if standing in ("running", "waiting for a retry"):
        [claimed] = claim(store)
    if standing == "waiting for a retry":
        settle_all(store, failed(claimed))
    second, third = one_more(), one_more()

    store.enqueue([second], now=NOON)
    store.enqueue([third], now=NOON)

    assert states(store, second.id, third.id) == [State.SCHEDULED, State.SKIPPED]
    assert found(store, second.id).waits_for == "nightly|acme"


def test_the_one_that_waited_goes_on_and_makes_room_for_another(store):
    first, second, third = one_more(), one_more(), one_more()
    store.enqueue([first, second], now=NOON)
    [claimed] = claim(store)
    settle_all(store, succeeded(claimed))

    store.enqueue([third], now=NOON)

    assert states(store, first.id, second.id, third.id) == [State.SUCCEEDED, State.QUEUED, State.SCHEDULED]


def test_when_the_one_that_waits_is_cancelled_another_may_wait(store):
    first, second, third = one_more(), one_more(), one_more()
    store.enqueue([first, second], now=NOON)
    store.cancel([second.id], now=NOON, reason="ann")

    store.enqueue([third], now=NOON)

    assert states(store, first.id, second.id, third.id) == [State.QUEUED, State.CANCELLED, State.SCHEDULED]


def test_one_that_waits_by_another_policy_counts(store):
    runs = [one_more(overlap=Overlap.QUEUE_ALL), one_more(overlap=Overlap.QUEUE_ALL), one_more()]

    store.enqueue(runs, now=NOON)

    assert states(store, runs[2].id) == [State.SKIPPED]


def test_one_waits_while_the_worker_of_the_earlier_one_is_dead(store):  # R30
    first, second, third = one_more(), one_more(), one_more()
    store.enqueue([first], now=NOON)
    claim(store)
    store.enqueue([second], now=LATE)

    the_worker_dies(store)
    store.enqueue([third], now=LATE)

    assert states(store, second.id, third.id) == [State.SCHEDULED, State.SKIPPED]
    [again] = claim(store, "w2", now=LATE)
    assert again.id == first.id
    settle_all(store, succeeded(again), now=LATE)
    assert ids(claim(store, "w2", now=LATE)) == [second.id]


def test_a_frozen_worker_that_comes_back_frees_nothing(store):  # G5
    first, second = one_more(), one_more()
    store.enqueue([first, second], now=NOON)
    [old] = claim(store)
    the_worker_dies(store)
    [new] = claim(store, "w2", now=LATE)

    assert settle_all(store, succeeded(old), now=LATE) == []

    assert claim(store, "w3", now=LATE) == []
    assert states(store, new.id, second.id) == [State.RUNNING, State.SCHEDULED]


# --- replace ---


@pytest.mark.parametrize("standing", ["queued", "scheduled", "held", "waiting for a retry"])
def test_a_run_that_nobody_has_begun_is_cancelled_and_the_new_one_goes_on(store, standing):
    first = in_its_place(
        held_by="depends" if standing == "held" else None, due_at=NOON + HOUR if standing == "scheduled" else NOON
    )
    store.enqueue([first], now=NOON)
    if standing == "waiting for a retry":
        [claimed] = claim(store)
        settle_all(store, failed(claimed))
    second = in_its_place()

    assert store.enqueue([second], now=NOON + MINUTE) == [second.id]

    cancelled = found(store, first.id)
    assert (cancelled.state, cancelled.ended_at, cancelled.held_by) == (State.CANCELLED, NOON + MINUTE, None)
    assert "overlap" in (cancelled.reason or "")
    assert store.gates() == []
    assert ids(claim(store, now=NOON + MINUTE)) == [second.id]


def test_a_running_run_is_asked_to_stop_and_waited_for(store):
    first, second = in_its_place(), in_its_place()
    store.enqueue([first], now=NOON)
    [running] = claim(store)

    store.enqueue([second], now=NOON)

    asked = found(store, first.id)
    assert (asked.state, asked.cancel_requested) == (State.RUNNING, True)
    assert "overlap" in (asked.reason or "")
    assert found(store, second.id).waits_for == "nightly|acme"
    assert claim(store, "w2") == []
    renewed = store.renew("w1", [(running.id, running.token)], lease=LEASE, now=NOON, stamps={})
    assert renewed.stop == {first.id}
    settle_all(store, failed(asked))
    assert states(store, first.id) == [State.CANCELLED]
    assert ids(claim(store, "w2")) == [second.id]


def test_a_run_that_succeeds_although_it_was_replaced_has_succeeded(store):  # R9
    first, second = in_its_place(), in_its_place()
    store.enqueue([first], now=NOON)
    [running] = claim(store)
    store.enqueue([second], now=NOON)

    settle_all(store, succeeded(running))

    assert states(store, first.id, second.id) == [State.SUCCEEDED, State.QUEUED]


def test_a_replaced_run_whose_worker_dies_is_not_tried_again(store):  # R30
    first, second = in_its_place(), in_its_place()
    store.enqueue([first], now=NOON)
    claim(store)
    store.enqueue([second], now=NOON)

    the_worker_dies(store)

    assert states(store, first.id, second.id) == [State.CANCELLED, State.QUEUED]
    assert outcomes(store, first.id) == [Outcome.LOST]
    assert ids(claim(store, "w2", now=LATE)) == [second.id]


def test_a_run_that_waits_is_replaced_while_the_one_before_it_is_asked_to_stop(store):
    runs = [in_its_place(overlap=Overlap.QUEUE_ALL) for _ in range(3)]
    store.enqueue(runs, now=NOON)
    claim(store)
    last = in_its_place()

    store.enqueue([last], now=NOON)

    assert states(store, *ids(runs)) == [State.RUNNING, State.CANCELLED, State.CANCELLED]
    assert [found(store, run.id).waits_for for run in runs] == [None] * 3
    assert found(store, runs[0].id).cancel_requested
    assert store.counts().waiting == 1


def test_within_one_batch_the_last_one_stays(store):
    runs = [in_its_place(due_at=NOON - minutes * MINUTE) for minutes in (1, 3, 2)]

    assert store.enqueue(runs, now=NOON) == ids(runs)

    assert states(store, *ids(runs)) == [State.CANCELLED, State.CANCELLED, State.QUEUED]


def test_accepting_a_run_again_replaces_nothing(store):
    first, second = in_its_place(), in_its_place()
    store.enqueue([first], now=NOON)
    store.enqueue([second], now=NOON)

    assert store.enqueue([first], now=NOON) == []
    assert store.enqueue([second], now=NOON) == []

    assert states(store, first.id, second.id) == [State.CANCELLED, State.QUEUED]


def test_other_keys_and_ended_runs_are_left_alone(store):
    other, keyless, ended = one_more(concurrency_key="other"), a_run(), in_its_place(max_attempts=1, priority=9)
    store.enqueue([ended], now=NOON)
    [claimed] = claim(store)
    settle_all(store, given_up(claimed))
    store.enqueue([other, keyless], now=NOON)
    before = found(store, ended.id)

    store.enqueue([in_its_place()], now=NOON)

    assert states(store, other.id, keyless.id) == [State.QUEUED, State.QUEUED]
    assert found(store, ended.id) == before


def test_a_new_run_with_a_gate_replaces_and_is_held(store):  # R11
    first, second = in_its_place(), in_its_place(held_by="depends")
    store.enqueue([first], now=NOON)

    store.enqueue([second], now=NOON)

    assert states(store, first.id) == [State.CANCELLED]
    assert ids(store.held("depends")) == [second.id]


# --- the other ways in ---


def test_a_firing_places_its_runs_by_their_policy(store):
    schedule = a_schedule()
    store.put_schedule(schedule, expected_version=None)
    old = [one_more(), one_more(concurrency_key="k")]
    store.enqueue(old, now=NOON)
    replacing, third = in_its_place(), [one_more(concurrency_key="k") for _ in range(2)]

    store.fire([a_firing(schedule, runs=(replacing, *third))], now=NOON)

    assert states(store, old[0].id, replacing.id) == [State.CANCELLED, State.QUEUED]
    assert states(store, *ids(third)) == [State.SCHEDULED, State.SKIPPED]


def test_a_round_that_is_added_places_its_runs_by_their_policy(store):
    old = one_more()
    store.enqueue([old], now=NOON)
    [running] = claim(store)
    replacing = in_its_place()

    store.add_rounds([a_round()], [replacing], now=NOON)

    assert found(store, running.id).cancel_requested
    assert found(store, replacing.id).waits_for == "nightly|acme"


def test_runs_that_may_overlap_have_no_key_and_all_run(store):
    store.enqueue([a_run(overlap=Overlap.ALLOW) for _ in range(3)], now=NOON)

    assert len(claim(store)) == 3
