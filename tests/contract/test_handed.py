"""A run that goes over from the worker that claimed it to another one."""

from rota.core.model import State
from tests.contract.races import together
from tests.values import (
    DAY,
    HOUR,
    LEASE,
    MINUTE,
    NOON,
    a_progress,
    a_run,
    a_slot_run,
    claim,
    found,
    settle_all,
    succeeded,
)


def take_over(store, run, worker="w2", *, now=NOON + MINUTE):
    return claim(store, worker, now=now, handed=(run.id, run.token))


def test_a_run_goes_over_under_a_new_token_and_lease(store):
    store.enqueue([a_run(args='{"args":[7],"kwargs":{}}', tenant="acme"), a_run()], now=NOON)
    first, other = claim(store, "w1")

    [taken] = take_over(store, first)

    assert (taken.id, taken.args, taken.tenant) == (first.id, first.args, "acme")
    assert taken.token > first.token
    assert (taken.state, taken.owner, taken.lease_until) == (State.RUNNING, "w2", NOON + MINUTE + LEASE)
    # It is the same attempt: the one that was claimed.
    assert (taken.attempt, taken.claimed_at) == (1, NOON)
    assert found(store, first.id) == taken
    assert found(store, other.id).owner == "w1"


def test_it_goes_over_once(store):
    # A message that is delivered twice runs once (G7).
    store.enqueue([a_run()], now=NOON)
    [first] = claim(store, "w1")
    [taken] = take_over(store, first)

    assert take_over(store, first, "w3") == []
    # Also where two ask at the same microsecond, in the name of the same worker.
    assert take_over(store, first, "w2") == []
    assert found(store, first.id) == taken


def test_who_has_given_it_over_can_change_nothing_more(store):
    store.enqueue([a_run()], now=NOON)
    [first] = claim(store, "w1")
    [taken] = take_over(store, first)

    assert settle_all(store, succeeded(first)) == []
    assert store.release("w1", [(first.id, first.token)], now=NOON) == []
    assert store.renew("w1", [(first.id, first.token)], lease=LEASE, now=NOON, stamps={}).held == frozenset()
    assert found(store, first.id) == taken
    assert settle_all(store, succeeded(taken)) == [first.id]


def test_a_run_that_is_somebody_elses_by_now_does_not_go_over(store):
    store.enqueue([a_run() for _ in range(3)], now=NOON)
    settled, released, again = claim(store, "w1")
    settle_all(store, succeeded(settled))
    store.release("w1", [(one.id, one.token) for one in (released, again)], now=NOON)
    [second] = claim(store, "w3", now=NOON + MINUTE, limit=1)

    assert [take_over(store, one, now=NOON + HOUR) for one in (settled, released, again)] == [[], [], []]
    assert found(store, second.id).owner == "w3"
    assert take_over(store, a_run()) == []


def test_a_run_goes_over_with_its_last_success(store):
    # R9: its window is that of the run, whoever executes it.
    store.mark(a_progress(last_success=NOON - DAY), expected=None)
    store.enqueue([a_slot_run()], now=NOON)
    [first] = claim(store, "w1")

    [taken] = take_over(store, first)

    assert taken.last_success == NOON - DAY


def test_a_run_goes_over_with_what_somebody_asked_of_it(store):
    store.enqueue([a_run()], now=NOON)
    [first] = claim(store, "w1")
    store.cancel([first.id], now=NOON, reason="by ops")

    [taken] = take_over(store, first)

    assert taken.cancel_requested


def test_of_messages_that_are_delivered_at_once_one_has_the_run_or_it_is_given_back(store):
    # G5, G7: with the sender losing its patience at the same moment.
    store.enqueue([a_run() for _ in range(20)], now=NOON)
    runs = claim(store, "w1", limit=20)

    first, second, given_back = together(
        lambda: [taken.id for run in runs for taken in take_over(store, run, "w2")],
        lambda: [taken.id for run in runs for taken in take_over(store, run, "w3")],
        lambda: [run_id for run in reversed(runs) for run_id in store.release("w1", [(run.id, run.token)], now=NOON)],
    )

    assert sorted(first + second + given_back) == sorted(run.id for run in runs)
    assert {found(store, run_id).owner for run_id in first} <= {"w2"}
    assert {found(store, run_id).state for run_id in given_back} <= {State.QUEUED}
