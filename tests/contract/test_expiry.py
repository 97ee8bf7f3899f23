"""Runs that have not begun in time are skipped. (R32)"""

import pytest

from rota.core.lifecycle import EXPIRED, expired_in_hand, settle
from rota.core.model import Outcome, State
from rota.errors import StoreUnavailable
from tests.contract.flaky import Moment, flaky
from tests.contract.races import together
from tests.values import (
    HOUR,
    LEASE,
    MICROSECOND,
    MINUTE,
    NOON,
    SECOND,
    a_run,
    claim,
    ended,
    failed,
    found,
    history,
    ids,
    lost,
    settle_all,
    states,
    succeeded,
)

LATE = NOON + HOUR


def expiring(**fields):
    """Return a run that has to begin within the hour."""
    return a_run(**{"expires_at": LATE} | fields)


def waiting_for_its_time(store):
    run = expiring(due_at=NOON + 2 * HOUR, concurrency_key="k")
    store.enqueue([run], now=NOON)
    return run


def waiting_for_its_key(store):
    run = expiring(concurrency_key="k")
    store.enqueue([a_run(concurrency_key="k"), run], now=NOON)
    return run


def held_by_a_gate(store):
    run = expiring(held_by="tenant/acme", concurrency_key="k")
    store.enqueue([run], now=NOON)
    return run


def queued(store):
    run = expiring(concurrency_key="k")
    store.enqueue([run], now=NOON)
    return run


def given_back(store):
    run = queued(store)
    [claimed] = claim(store)
    store.release("w1", [(claimed.id, claimed.token)], now=NOON)
    return run


SITUATIONS = [waiting_for_its_time, waiting_for_its_key, held_by_a_gate, queued, given_back]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_run_that_has_not_begun_in_time_is_skipped(store, situation):
    run = situation(store)

    assert store.expire(now=LATE) == [run.id]

    skipped = found(store, run.id)
    assert (skipped.state, skipped.reason, skipped.ended_at) == (State.SKIPPED, EXPIRED, LATE)
    assert (skipped.waits_for, skipped.held_by, skipped.attempt) == (None, None, 0)
    assert run.id not in ids(claim(store, now=LATE))


@pytest.mark.parametrize("situation", SITUATIONS)
def test_before_its_time_is_over_a_run_is_left_alone(store, situation):
    run = situation(store)
    before = found(store, run.id)

    assert store.expire(now=LATE - MICROSECOND) == []
    assert found(store, run.id) == before


def test_a_run_without_such_a_time_never_expires(store):
    run = a_run()
    store.enqueue([run], now=NOON)

    assert store.expire(now=NOON + 1000 * HOUR) == []
    assert states(store, run.id) == [State.QUEUED]


def test_a_run_that_has_begun_does_not_expire(store):
    runs = [expiring(max_attempts=3) for _ in range(3)]
    store.enqueue(runs, now=NOON)
    _running, retried, done = claim(store)
    settle_all(store, failed(retried), succeeded(done))

    assert store.expire(now=LATE) == []
    assert states(store, *ids(runs)) == [State.RUNNING, State.SCHEDULED, State.SUCCEEDED]
    store.promote(now=LATE)
    assert store.expire(now=LATE) == []


def test_the_next_of_its_key_goes_on(store):
    first, second = expiring(concurrency_key="k"), a_run(concurrency_key="k")
    store.enqueue([first, second], now=NOON)

    store.expire(now=LATE)

    assert states(store, first.id, second.id) == [State.SKIPPED, State.QUEUED]


def test_of_a_whole_line_that_expires_nobody_is_queued_in_between(store):
    line = [expiring(concurrency_key="k") for _ in range(3)]
    after = a_run(concurrency_key="k")
    store.enqueue([*line, after], now=NOON)

    assert store.expire(now=LATE) == ids(line)
    assert states(store, after.id) == [State.QUEUED]


def test_the_longest_overdue_goes_first_up_to_the_limit(store):
    runs = [expiring(expires_at=LATE - minutes * MINUTE) for minutes in (1, 3, 2)]
    store.enqueue(runs, now=NOON)

    assert store.expire(now=LATE, limit=2) == [runs[1].id, runs[2].id]
    assert store.expire(now=LATE, limit=2) == [runs[0].id]
    assert store.expire(now=LATE, limit=2) == []


def test_those_that_have_begun_do_not_hide_the_others(store):
    begun = [expiring(expires_at=LATE - MINUTE) for _ in range(5)]
    store.enqueue(begun, now=NOON)
    claim(store)
    late = expiring()
    store.enqueue([late], now=NOON)

    expired = [run_id for _ in range(4) for run_id in store.expire(now=LATE, limit=2)]

    assert expired == [late.id]


def test_one_that_was_opened_again_does_not_expire(store):
    run = queued(store)
    store.expire(now=LATE)

    store.requeue([run.id], now=LATE, reason="ann")

    assert store.expire(now=LATE + HOUR) == []
    assert (found(store, run.id).state, found(store, run.id).expires_at) == (State.QUEUED, None)


def test_one_that_was_cancelled_stays_so(store):
    run = queued(store)
    store.cancel([run.id], now=NOON, reason="ann")

    assert store.expire(now=LATE) == []
    assert states(store, run.id) == [State.CANCELLED]


@pytest.mark.parametrize("moment", list(Moment))
def test_a_pass_that_is_repeated_finds_nothing_more(store, moment):
    client, line = flaky(store)
    first, second = queued(store), a_run(concurrency_key="k")
    store.enqueue([second], now=NOON)
    line.cut("expire", moment)
    with pytest.raises(StoreUnavailable):
        client.expire(now=LATE)

    assert client.expire(now=LATE) == ([first.id] if moment is Moment.BEFORE else [])
    assert states(store, first.id, second.id) == [State.SKIPPED, State.QUEUED]


def test_a_claim_and_the_pass_at_once_never_both_have_a_run(store):
    for _ in range(10):
        runs = [expiring() for _ in range(10)]
        store.enqueue(runs, now=NOON)

        expired, claimed = together(lambda: store.expire(now=LATE), lambda: ids(claim(store, now=LATE)))

        assert sorted([*expired, *claimed]) == sorted(ids(runs))
        assert set(states(store, *expired)) <= {State.SKIPPED}


# --- in the hands of a worker ---


def in_hand(store, **fields):
    run = expiring(concurrency_key="k", **fields)
    store.enqueue([run], now=NOON)
    [claimed] = claim(store, now=LATE - SECOND)
    return claimed


def test_one_that_expires_in_the_hands_of_its_worker_is_skipped_and_its_key_goes_on(store):
    run, second = in_hand(store), a_run(concurrency_key="k")
    store.enqueue([second], now=NOON)
    ending = expired_in_hand(run, now=LATE)
    assert ending is not None

    settle_all(store, settle(run, ending, now=LATE, wait=MINUTE), now=LATE)

    skipped = found(store, run.id)
    assert (skipped.state, skipped.reason, skipped.attempt) == (State.SKIPPED, EXPIRED, 0)
    assert [attempt.started_at for attempt in history(store, run.id).attempts] == [None]
    assert states(store, second.id) == [State.QUEUED]


def test_one_that_is_tried_again_after_its_time_may_begin(store):
    run = in_hand(store, max_attempts=3)
    settle_all(store, failed(run))
    store.promote(now=LATE + MINUTE)
    [again] = claim(store, now=LATE + MINUTE)

    assert expired_in_hand(run, now=LATE - MICROSECOND) is None
    assert expired_in_hand(again, now=LATE + MINUTE) is None


def test_one_that_was_interrupted_does_not_begin_again_after_its_time(store):
    run = in_hand(store)
    store.expire(now=LATE)
    settle_all(store, ended(run, Outcome.INTERRUPTED, started_at=NOON))
    [again] = claim(store, now=LATE)

    assert expired_in_hand(again, now=LATE) is not None


def test_one_that_was_lost_does_not_begin_again_after_its_time(store):
    run = in_hand(store)
    settle_all(store, lost(run, now=LATE + LEASE), now=LATE + LEASE)

    assert store.expire(now=LATE + LEASE) == [run.id]
