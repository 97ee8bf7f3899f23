"""A call takes its time, and the world goes on meanwhile."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from rota import Rota, State
from rota.core.lifecycle import rescue
from rota.core.model import Outcome
from rota.core.policy import Overlap
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.contract.flaky import Moment, flaky
from tests.engine.house import Driven, an_app, runs_of
from tests.values import (
    LEASE,
    MINUTE,
    NOON,
    SECOND,
    a_control,
    a_request,
    a_run,
    claim,
    found,
    lost,
    outcomes,
    settle_all,
    states,
    succeeded,
)


@pytest.fixture
def aside():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_a_settlement_that_was_under_way_for_longer_than_its_lease_is_superseded(store, aside):  # G5, fault row B1
    client, line = flaky(store)
    run = a_run(max_attempts=3)
    store.enqueue([run], now=NOON)
    [old] = claim(store)
    hold = line.delay("settle", Moment.BEFORE)
    late = aside.submit(settle_all, client, succeeded(old, result="'old'"))
    hold.wait_for_it()

    settle_all(store, *[rescue(seen, now=NOON + MINUTE) for seen in store.expired(now=NOON + MINUTE)])
    [new] = claim(store, "w2", now=NOON + MINUTE)
    settle_all(store, succeeded(new, result="'new'", now=NOON + MINUTE))
    hold.let_go()

    assert late.result() == []
    assert found(store, run.id).result == "'new'"
    assert outcomes(store, run.id) == [Outcome.SUPERSEDED, Outcome.SUCCEEDED]


def test_a_rescue_that_was_read_before_a_renewal_and_written_after_it_is_void(store, aside):  # fault row A13
    client, line = flaky(store)
    run = a_run()
    store.enqueue([run], now=NOON)
    [held] = claim(store)
    hold = line.delay("expired", Moment.AFTER)
    read = aside.submit(client.expired, now=NOON + MINUTE)
    hold.wait_for_it()

    store.renew("w1", [(held.id, held.token)], lease=LEASE, now=NOON + MINUTE, stamps={})
    hold.let_go()
    [seen] = read.result()

    assert settle_all(store, rescue(seen, now=NOON + MINUTE), now=NOON + MINUTE) == []
    assert settle_all(store, succeeded(held), now=NOON + MINUTE) == [run.id]


def test_a_renewal_that_arrives_after_its_run_was_given_to_another_moves_nothing(store, aside):  # G5
    client, line = flaky(store)
    store.enqueue([a_run()], now=NOON)
    [old] = claim(store)
    hold = line.delay("renew", Moment.BEFORE)
    later = NOON + MINUTE
    late = aside.submit(client.renew, "w1", [(old.id, old.token)], lease=LEASE, now=later, stamps={})
    hold.wait_for_it()
    settle_all(store, *[rescue(seen, now=later) for seen in store.expired(now=later)])
    [new] = claim(store, "w2", now=later)

    hold.let_go()

    assert late.result().held == frozenset()
    assert found(store, old.id).lease_until == new.lease_until


def test_a_release_that_arrives_late_takes_nothing_from_the_next_worker(store, aside):  # R45
    client, line = flaky(store)
    store.enqueue([a_run()], now=NOON)
    [old] = claim(store)
    hold = line.delay("release", Moment.BEFORE)
    late = aside.submit(client.release, "w1", [(old.id, old.token)], now=NOON)
    hold.wait_for_it()
    settle_all(store, lost(old))
    claim(store, "w2")

    hold.let_go()

    assert late.result() == []
    assert states(store, old.id) == [State.RUNNING]


def test_a_settlement_and_a_claim_in_one_call_are_both_done_or_neither_is_while_it_hangs(store, aside):
    client, line = flaky(store)
    store.enqueue([a_run(), a_run()], now=NOON)
    [first] = claim(store, limit=1)
    hold = line.delay("settle", Moment.BEFORE)
    call = aside.submit(client.settle, [succeeded(first)], now=NOON, claim=a_request(limit=1))
    hold.wait_for_it()
    # The one that it is about to claim goes to somebody else.
    [other] = claim(store, "w2")

    hold.let_go()

    assert call.result().applied == [first.id]
    assert call.result().claimed == []
    assert found(store, other.id).owner == "w2"


def test_an_admission_that_comes_late_admits_none_too_many(store, aside):  # R13, R35
    client, line = flaky(store)
    runs = [a_run(held_by="campaign/7", batch="campaign/7") for _ in range(4)]
    store.enqueue(runs, now=NOON)
    hold = line.delay("admit", Moment.BEFORE)
    late = aside.submit(client.admit, "campaign/7", now=NOON, places=2)
    hold.wait_for_it()
    store.admit("campaign/7", now=NOON, places=2)
    store.cancel([runs[0].id], now=NOON, reason="ann")

    hold.let_go()

    assert late.result() == [runs[2].id]
    assert store.batch_counts("campaign/7")[State.QUEUED] == 2


def test_an_admission_lets_nothing_through_that_was_cancelled_meanwhile(store, aside):
    client, line = flaky(store)
    run = a_run(held_by="depends")
    store.enqueue([run], now=NOON)
    hold = line.delay("held", Moment.AFTER)
    read = aside.submit(client.held, "depends")
    hold.wait_for_it()
    store.cancel([run.id], now=NOON, reason="ann")

    hold.let_go()
    [seen] = read.result()

    assert store.admit("depends", now=NOON, ids=[seen.id]) == []
    assert states(store, run.id) == [State.CANCELLED]


def test_a_run_that_replaces_another_which_ended_meanwhile_goes_on_at_once(store, aside):  # R10
    client, line = flaky(store)
    old, new = a_run(concurrency_key="k"), a_run(concurrency_key="k", overlap=Overlap.REPLACE)
    store.enqueue([old], now=NOON)
    [running] = claim(store)
    hold = line.delay("enqueue", Moment.BEFORE)
    late = aside.submit(client.enqueue, [new], now=NOON)
    hold.wait_for_it()
    settle_all(store, succeeded(running))

    hold.let_go()

    assert late.result() == [new.id]
    assert states(store, old.id, new.id) == [State.SUCCEEDED, State.QUEUED]


def test_a_change_of_a_control_that_comes_late_is_refused(store, aside):  # R12
    client, line = flaky(store)
    store.put_control(a_control(version=1), expected_version=None)
    hold = line.delay("put_control", Moment.BEFORE)
    late = aside.submit(client.put_control, a_control(version=2, body='"late"'), expected_version=1)
    hold.wait_for_it()
    store.put_control(a_control(version=2, body='"first"'), expected_version=1)

    hold.let_go()

    assert late.result() is False
    assert [control.body for control in store.controls()] == ['"first"']


def test_a_claim_whose_answer_came_after_its_lease_had_ended_is_not_started():  # G5, G6, 6.4
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    client, line = flaky(store)
    app = an_app(store=client, clock=clock)
    journal = counting(app)
    app.jobs["count"].enqueue(1)
    process = Driven(app, clock)
    hold = line.delay("claim", Moment.AFTER)

    with ThreadPoolExecutor(1) as pool:
        tick = pool.submit(process.crew.worker.tick, clock.now())
        hold.wait_for_it()
        clock.tick(LEASE + 2 * SECOND)
        settle_all(store, *[rescue(seen, now=clock.now()) for seen in store.expired(now=clock.now())])
        [taken] = claim(store, "w2", now=clock.now())
        hold.let_go()
        tick.result()

    assert journal == []
    assert [run.owner for run in runs_of(app)] == [taken.owner] == ["w2"]


def test_an_attempt_that_went_on_while_another_had_its_run_is_told_as_superseded():  # G6, fault row B1
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    app = an_app(store=store, clock=clock)

    @app.job()
    def slow() -> None:
        # It is frozen here; when it wakes, its process finds first that the lease is lost.
        clock.tick(LEASE + 2 * SECOND)
        settle_all(store, *[rescue(seen, now=clock.now()) for seen in store.expired(now=clock.now())])
        [taken] = claim(store, "w2", now=clock.now())
        settle_all(store, succeeded(taken, now=clock.now()), now=clock.now())
        process.crew.timekeeper.tick(clock.now())
        process.crew.heartbeat.tick(clock.now())

    run_id = app.jobs["slow"].enqueue().id
    process = Driven(app, clock)

    process.settle_down()

    assert outcomes(store, run_id) == [Outcome.SUPERSEDED, Outcome.SUCCEEDED]


def counting(app: Rota) -> list[int]:
    ran: list[int] = []

    @app.job()
    def count(number: int) -> None:
        ran.append(number)

    return ran
