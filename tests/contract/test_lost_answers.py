"""The connection breaks in the middle of a call. Whoever repeats it writes nothing twice. (R30)"""

import pytest

from rota.core.lifecycle import rescue
from rota.core.model import RunKind, State
from rota.core.policy import Overlap
from rota.errors import StoreUnavailable
from rota.queries import AuditQuery, ErrorQuery, RoundQuery, RunQuery
from tests.contract.flaky import Moment, flaky
from tests.values import (
    HOUR,
    LEASE,
    MINUTE,
    NOON,
    SECOND,
    a_control,
    a_firing,
    a_request,
    a_run,
    a_schedule,
    a_slot_run,
    an_entry,
    claim,
    failed,
    found,
    given_up,
    history,
    ids,
    open_counts,
    outcomes,
    settle_all,
    states,
    succeeded,
)

both = pytest.mark.parametrize("moment", list(Moment))


def twice(call):
    """Call once and lose the answer, then repeat it, as every caller may."""
    with pytest.raises(StoreUnavailable):
        call()
    return call()


@both
def test_an_enqueue_is_repeated(store, moment):
    client, line = flaky(store)
    runs = [a_run(tenant="acme"), a_slot_run(), a_run(concurrency_key="k"), a_run(concurrency_key="k")]
    line.cut("enqueue", moment)

    accepted = twice(lambda: client.enqueue(runs, now=NOON))

    assert accepted == (ids(runs) if moment is Moment.BEFORE else [])
    assert open_counts(store) == {"default": {State.QUEUED: 3, State.SCHEDULED: 1}}


@both
@pytest.mark.parametrize("ending", [failed, given_up])
def test_the_error_of_a_settlement_that_is_repeated_is_counted_once(store, moment, ending):  # R38
    client, line = flaky(store)
    store.enqueue([a_run(tenant="acme", max_attempts=3)], now=NOON)
    [run] = claim(store)
    line.cut("settle", moment)

    twice(lambda: client.settle([ending(run)], now=NOON))

    [record] = store.errors(ErrorQuery())
    assert (record.number, record.top) == (1, {"acme": 1})


@both
@pytest.mark.parametrize("ending", [succeeded, failed, given_up])
def test_a_settlement_is_repeated(store, moment, ending):
    client, line = flaky(store)
    store.enqueue([a_slot_run(tenant=tenant, max_attempts=3) for tenant in ("a", "b")], now=NOON)
    runs = claim(store)
    line.cut("settle", moment)

    applied = twice(lambda: settle_all(client, *[ending(run) for run in runs]))

    assert applied == ids(runs)
    assert [len(outcomes(store, run.id)) for run in runs] == [1, 1]
    assert {progress.failures for progress in store.progress()} <= {0, 1}


def test_failures_are_not_counted_twice(store):
    client, line = flaky(store)
    store.enqueue([a_slot_run(max_attempts=1)], now=NOON)
    [run] = claim(store)
    line.cut("settle", Moment.AFTER)

    twice(lambda: settle_all(client, given_up(run)))

    assert [progress.failures for progress in store.progress()] == [1]


def test_a_settlement_is_repeated_after_its_run_was_tried_again(store):
    client, line = flaky(store)
    store.enqueue([a_run(max_attempts=3)], now=NOON)
    [run] = claim(store)
    line.cut("settle", Moment.AFTER)
    with pytest.raises(StoreUnavailable):
        settle_all(client, failed(run))
    store.promote(now=NOON + MINUTE)
    [second] = claim(store, "w2", now=NOON + MINUTE)

    assert settle_all(client, failed(run)) == [run.id]
    assert found(store, run.id) == second


@both
def test_a_firing_is_repeated(store, moment):
    client, line = flaky(store)
    schedules = [a_schedule(name=name) for name in ("a", "b")]
    for schedule in schedules:
        store.put_schedule(schedule, expected_version=None)
    firings = [a_firing(schedule) for schedule in schedules]
    line.cut("fire", moment)

    fired = twice(lambda: client.fire(firings, now=NOON))

    assert fired == (["a", "b"] if moment is Moment.BEFORE else [])
    assert len(store.rounds(RoundQuery())) == 2
    assert len(store.runs(RunQuery(kind=RunKind.EXPANSION))) == 2


@both
def test_a_release_is_repeated(store, moment):
    client, line = flaky(store)
    store.enqueue([a_run(tenant="acme")], now=NOON)
    [run] = claim(store)
    line.cut("release", moment)

    twice(lambda: client.release("w1", [(run.id, run.token)], now=NOON))

    assert states(store, run.id) == [State.QUEUED]
    assert found(store, run.id).attempt == 0


@both
def test_a_renewal_is_repeated(store, moment):
    client, line = flaky(store)
    store.enqueue([a_run()], now=NOON)
    [run] = claim(store)
    line.cut("renew", moment)

    answer = twice(lambda: client.renew("w1", [(run.id, run.token)], lease=LEASE, now=NOON + 5 * SECOND, stamps={}))

    assert answer.held == frozenset({run.id})
    assert found(store, run.id).lease_until == NOON + 5 * SECOND + LEASE


@both
def test_a_cancellation_is_repeated(store, moment):
    client, line = flaky(store)
    runs = [a_run(concurrency_key="k") for _ in range(3)]
    store.enqueue(runs, now=NOON)
    line.cut("cancel", moment)

    twice(lambda: client.cancel([runs[0].id], now=NOON, reason="ann"))

    assert states(store, *ids(runs)) == [State.CANCELLED, State.QUEUED, State.SCHEDULED]


@both
def test_opening_again_is_repeated(store, moment):
    client, line = flaky(store)
    store.enqueue([a_run(max_attempts=1)], now=NOON)
    [run] = claim(store)
    settle_all(store, given_up(run))
    line.cut("requeue", moment)

    twice(lambda: client.requeue([run.id], now=NOON, reason="ann"))

    assert states(store, run.id) == [State.QUEUED]
    assert len(outcomes(store, run.id)) == 1


@both
@pytest.mark.parametrize("places", [None, 2])
def test_an_admission_is_repeated(store, moment, places):  # R13, R35
    client, line = flaky(store)
    runs = [a_run(held_by="campaign/7", batch="campaign/7") for _ in range(3)]
    store.enqueue(runs, now=NOON)
    line.cut("admit", moment)

    twice(lambda: client.admit("campaign/7", now=NOON, limit=2, places=places))

    # Without places whoever repeats it admits more, as whoever calls twice does; with them never too many.
    queued = 3 if places is None and moment is Moment.AFTER else 2
    assert store.batch_counts("campaign/7").get(State.QUEUED) == queued


@both
def test_holding_is_repeated(store, moment):  # R12
    client, line = flaky(store)
    runs = [a_run(tenant="acme") for _ in range(3)]
    store.enqueue(runs, now=NOON)
    line.cut("hold", moment)

    assert twice(lambda: client.hold("tenant/acme", tenant="acme", now=NOON)) == (3 if moment is Moment.BEFORE else 0)

    assert ids(store.held("tenant/acme")) == ids(runs)


@both
def test_skipping_at_a_gate_is_repeated(store, moment):  # R25
    client, line = flaky(store)
    runs = [a_run(held_by="tenant/acme", concurrency_key="k") for _ in range(2)]
    store.enqueue(runs, now=NOON)
    line.cut("skip_held", moment)

    twice(lambda: client.skip_held([runs[0].id], now=NOON, reason="made up"))

    assert states(store, *ids(runs)) == [State.SKIPPED, State.SCHEDULED]
    assert ids(store.held("tenant/acme")) == [runs[1].id]


@both
def test_replacing_is_repeated(store, moment):  # R10
    client, line = flaky(store)
    old, new = a_run(concurrency_key="k"), a_run(concurrency_key="k", overlap=Overlap.REPLACE)
    store.enqueue([old], now=NOON)
    line.cut("enqueue", moment)

    twice(lambda: client.enqueue([new], now=NOON))

    assert states(store, old.id, new.id) == [State.CANCELLED, State.QUEUED]


@both
def test_a_change_of_a_control_is_repeated_and_told_once(store, moment):  # R12
    client, line = flaky(store)
    entry = an_entry()
    line.cut("put_control", moment)

    changed = twice(lambda: client.put_control(a_control(), expected_version=None, audit=entry))

    assert changed == (moment is Moment.BEFORE)
    assert store.controls() == [a_control()]
    assert store.audit(AuditQuery()) == [entry]


@both
def test_a_cancellation_that_is_repeated_is_told_once(store, moment):
    client, line = flaky(store)
    store.enqueue([a_run()], now=NOON)
    [running] = claim(store)
    entry = an_entry()
    line.cut("cancel", moment)

    twice(lambda: client.cancel([running.id], now=NOON, reason="ann", audit=entry))

    assert store.audit(AuditQuery()) == [entry]


def test_a_claim_whose_answer_was_lost_is_found_and_given_back(store):  # R45
    client, line = flaky(store)
    store.enqueue([a_run(), a_run(kind=RunKind.EXPANSION), a_run()], now=NOON)
    [held] = claim(store, "w1", limit=1)
    line.cut("claim", Moment.AFTER)
    with pytest.raises(StoreUnavailable):
        claim(client, "w1", limit=1)

    known = {held.id}
    mine = store.runs(RunQuery(owner="w1", states=(State.RUNNING,), kind=None))
    stray = [run for run in mine if run.id not in known]
    released = store.release("w1", [(run.id, run.token) for run in stray], now=NOON)

    assert len(released) == 1
    assert history(store, released[0]).run.attempt == 0
    assert outcomes(store, released[0]) == []
    assert states(store, held.id) == [State.RUNNING]
    assert len(claim(store, "w2")) == 2


def test_a_claim_whose_answer_was_lost_ends_with_its_lease_if_nobody_looks(store):
    client, line = flaky(store)
    run = a_run(max_attempts=1)
    store.enqueue([run], now=NOON)
    line.cut("claim", Moment.AFTER)
    with pytest.raises(StoreUnavailable):
        claim(client)

    settle_all(store, *[rescue(seen, now=NOON + MINUTE) for seen in store.expired(now=NOON + MINUTE)])

    assert states(store, run.id) == [State.QUEUED]


def test_a_settlement_with_a_claim_is_repeated_and_the_first_claim_found(store):
    client, line = flaky(store)
    store.enqueue([a_run() for _ in range(3)], now=NOON)
    [first] = claim(store, limit=1)
    line.cut("settle", Moment.AFTER)
    request = a_request(limit=1)

    answer = twice(lambda: client.settle([succeeded(first)], now=NOON, claim=request))

    assert answer.applied == [first.id]
    held = {run.id for run in answer.claimed}
    mine = store.runs(RunQuery(owner="w1", states=(State.RUNNING,), kind=None))
    assert len(mine) == 2
    assert len([run for run in mine if run.id not in held]) == 1
    assert store.promote(now=NOON + HOUR) == 0
