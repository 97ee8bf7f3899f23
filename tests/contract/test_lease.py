"""Holding a run, losing it, giving it back."""

from rota.core.lifecycle import rescue
from rota.core.model import State
from tests.values import (
    HOUR,
    LEASE,
    MICROSECOND,
    MINUTE,
    NOON,
    SECOND,
    a_run,
    a_worker,
    claim,
    found,
    ids,
    outcomes,
    settle_all,
    states,
    succeeded,
)


def renew(store, runs, *, worker="w1", now=NOON, lease=LEASE, stamps=None):
    return store.renew(worker, [(run.id, run.token) for run in runs], lease=lease, now=now, stamps=stamps or {})


def test_renewing_moves_the_lease(store):
    store.enqueue([a_run(), a_run()], now=NOON)
    claimed = claim(store)

    answer = renew(store, claimed, now=NOON + 5 * SECOND)

    assert answer.held == frozenset(ids(claimed))
    assert answer.stop == frozenset()
    assert [found(store, run.id).lease_until for run in claimed] == [NOON + 5 * SECOND + LEASE] * 2


def test_renewing_to_the_same_end_still_holds(store):
    # A driver that counts only rows whose values changed would report these as lost.
    store.enqueue([a_run()], now=NOON)
    claimed = claim(store)

    assert renew(store, claimed).held == frozenset(ids(claimed))
    assert renew(store, claimed).held == frozenset(ids(claimed))


def test_what_is_not_held_any_more_is_left_out(store):
    store.enqueue([a_run() for _ in range(5)], now=NOON)
    held, settled, released, rescued, taken = claim(store)
    settle_all(store, succeeded(settled))
    store.release("w1", [(released.id, released.token)], now=NOON)
    settle_all(store, rescue(rescued, now=NOON + HOUR))
    settle_all(store, rescue(taken, now=NOON + HOUR))
    claim(store, "w2", now=NOON + HOUR)

    assert renew(store, [held, settled, released, rescued, taken]).held == frozenset({held.id})


def test_another_worker_cannot_renew(store):
    store.enqueue([a_run()], now=NOON)
    [claimed] = claim(store, "w1")

    answer = renew(store, [claimed], worker="w2", now=NOON + MINUTE)

    assert answer.held == frozenset()
    assert found(store, claimed.id).lease_until == NOON + LEASE


def test_an_old_token_cannot_renew(store):
    store.enqueue([a_run()], now=NOON)
    [old] = claim(store)
    store.release("w1", [(old.id, old.token)], now=NOON)
    [new] = claim(store)

    assert renew(store, [old], now=NOON + MINUTE).held == frozenset()
    assert found(store, new.id).lease_until == NOON + LEASE


def test_renewing_tells_who_should_stop(store):
    store.enqueue([a_run(), a_run()], now=NOON)
    first, second = claim(store)
    store.cancel([first.id], now=NOON, reason="ops")

    answer = renew(store, [first, second])

    assert answer.held == frozenset({first.id, second.id})
    assert answer.stop == frozenset({first.id})


def test_renewing_nothing_stamps_the_worker(store):
    store.register(a_worker())

    answer = renew(store, [], now=NOON + MINUTE, stamps={"claim": NOON + SECOND, "heartbeat": NOON})

    assert answer.held == frozenset()
    [worker] = store.workers()
    assert worker.last_seen == NOON + MINUTE
    assert worker.stamps == {"claim": NOON + SECOND, "heartbeat": NOON}


def test_a_worker_without_stamps_comes_back_after_a_renewal_without_any(store):
    store.register(a_worker())

    renew(store, [], now=NOON + MINUTE, stamps={})

    [worker] = store.workers()
    assert (worker.last_seen, worker.stamps) == (NOON + MINUTE, {})


def test_renewing_for_an_unknown_worker_registers_nobody(store):
    renew(store, [], worker="ghost")

    assert store.workers() == []


def test_renewing_tells_the_stores_time(store):
    before = store.now()
    answer = renew(store, [])
    after = store.now()

    assert before <= answer.now <= after


def test_many_leases_are_renewed_at_once(store):
    store.enqueue([a_run() for _ in range(700)], now=NOON)
    claimed = claim(store)

    assert len(renew(store, claimed).held) == 700


def test_a_lease_that_ended_shows_a_second_later(store):
    store.enqueue([a_run()], now=NOON)
    [claimed] = claim(store)
    end = NOON + LEASE

    assert store.expired(now=end) == []
    assert store.expired(now=end + SECOND) == []
    assert store.expired(now=end + SECOND + MICROSECOND) == [claimed]


def test_the_oldest_lease_comes_first_up_to_the_limit(store):
    store.enqueue([a_run() for _ in range(3)], now=NOON)
    leases = [3 * MINUTE, 1 * MINUTE, 2 * MINUTE]
    claimed = [claim(store, limit=1, lease=lease)[0] for lease in leases]

    assert ids(store.expired(now=NOON + HOUR)) == [claimed[1].id, claimed[2].id, claimed[0].id]
    assert ids(store.expired(now=NOON + HOUR, limit=1)) == [claimed[1].id]


def test_only_running_runs_expire(store):
    store.enqueue([a_run() for _ in range(3)], now=NOON)
    ended, released = claim(store, limit=2)
    settle_all(store, succeeded(ended))
    store.release("w1", [(released.id, released.token)], now=NOON)

    assert store.expired(now=NOON + HOUR) == []


def test_a_heartbeat_voids_a_rescue(store):  # R30
    store.enqueue([a_run()], now=NOON)
    claim(store)
    [seen] = store.expired(now=NOON + MINUTE)
    renew(store, [seen], now=NOON + MINUTE)

    assert settle_all(store, rescue(seen, now=NOON + MINUTE)) == []
    assert found(store, seen.id).state is State.RUNNING
    assert outcomes(store, seen.id) == [None]


def test_a_released_run_is_queued_and_its_attempt_not_counted(store):  # R45
    store.enqueue([a_run()], now=NOON)
    [claimed] = claim(store)

    assert store.release("w1", [(claimed.id, claimed.token)], now=NOON) == [claimed.id]

    run = found(store, claimed.id)
    assert run.state is State.QUEUED
    assert run.attempt == 0
    assert run.owner is None
    assert run.lease_until is None
    assert run.claimed_at is None
    assert run.token == claimed.token


def test_what_was_only_claimed_leaves_no_attempt(store):
    store.enqueue([a_run()], now=NOON)
    [claimed] = claim(store)

    store.release("w1", [(claimed.id, claimed.token)], now=NOON)

    assert outcomes(store, claimed.id) == []


def test_a_released_run_keeps_its_turn_and_place(store):
    store.enqueue([a_run(tenant="acme") for _ in range(4)], now=NOON)
    claimed = claim(store, limit=2)
    later = a_run(tenant="acme")
    store.enqueue([later], now=NOON)

    store.release("w1", [(run.id, run.token) for run in claimed], now=NOON)

    assert [found(store, run.id).turn for run in claimed] == [run.turn for run in claimed]
    assert ids(claim(store, "w2"))[:2] == ids(claimed)


def test_releasing_again_does_nothing(store):
    store.enqueue([a_run()], now=NOON)
    [claimed] = claim(store)
    store.release("w1", [(claimed.id, claimed.token)], now=NOON)

    assert store.release("w1", [(claimed.id, claimed.token)], now=NOON) == []
    assert found(store, claimed.id).attempt == 0


def test_a_stale_release_does_not_touch_the_next_claim(store):
    store.enqueue([a_run()], now=NOON)
    [old] = claim(store, "w1")
    store.release("w1", [(old.id, old.token)], now=NOON)
    [new] = claim(store, "w1")

    assert store.release("w1", [(old.id, old.token)], now=NOON) == []
    assert found(store, new.id) == new


def test_another_workers_runs_are_not_released(store):
    store.enqueue([a_run()], now=NOON)
    [claimed] = claim(store, "w1")

    assert store.release("w2", [(claimed.id, claimed.token)], now=NOON) == []
    assert states(store, claimed.id) == [State.RUNNING]


def test_released_ids_come_in_the_order_given(store):
    store.enqueue([a_run() for _ in range(10)], now=NOON)
    claimed = list(reversed(claim(store)))

    assert store.release("w1", [(run.id, run.token) for run in claimed], now=NOON) == ids(claimed)


def test_a_run_that_is_named_twice_is_released_once(store):
    store.enqueue([a_run()], now=NOON)
    [claimed] = claim(store)
    pair = (claimed.id, claimed.token)

    assert renew(store, [claimed, claimed]).held == frozenset({claimed.id})
    assert store.release("w1", [pair, pair], now=NOON) == [claimed.id]
    assert found(store, claimed.id).attempt == 0


def test_a_settlement_after_the_release_is_refused(store):
    store.enqueue([a_run()], now=NOON)
    [claimed] = claim(store)
    store.release("w1", [(claimed.id, claimed.token)], now=NOON)

    assert settle_all(store, succeeded(claimed)) == []
    assert states(store, claimed.id) == [State.QUEUED]
