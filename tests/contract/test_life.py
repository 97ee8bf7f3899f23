"""The store itself, and the workers it knows."""

import threading
from datetime import UTC, timedelta

from rota.clock import SystemClock
from rota.core.model import State
from rota.queries import Settled
from tests.contract.races import together
from tests.values import (
    HOUR,
    MICROSECOND,
    MINUTE,
    NOON,
    a_run,
    a_worker,
    claim,
    found,
    settle_all,
    succeeded,
)

SOON = timedelta(milliseconds=20)
LONG = timedelta(seconds=30)


def test_a_worker_comes_back_as_it_was_given(store):
    worker = a_worker(queues={"mail": 2, "default": 8}, stamps={"claim": NOON + MICROSECOND}, pid=4_194_304)

    store.register(worker)

    assert store.workers() == [worker]


def test_workers_come_longest_started_first(store):
    for name, started_at in (("b", NOON), ("c", NOON - HOUR), ("a", NOON)):
        store.register(a_worker(id=name, started_at=started_at))

    assert [worker.id for worker in store.workers()] == ["c", "a", "b"]


def test_a_worker_that_registers_again_is_overwritten(store):
    store.register(a_worker(pid=1))
    store.register(a_worker(pid=2, last_seen=NOON + HOUR))

    assert [(worker.pid, worker.last_seen) for worker in store.workers()] == [(2, NOON + HOUR)]


def test_a_worker_that_left_is_forgotten_and_its_runs_are_not(store):
    store.register(a_worker())
    store.enqueue([a_run()], now=NOON)
    [run] = claim(store)

    store.deregister("w1")
    store.deregister("w1")

    assert store.workers() == []
    assert found(store, run.id).state is State.RUNNING
    assert settle_all(store, succeeded(run)) == [run.id]


def test_setting_up_again_keeps_everything(store):  # R70
    run = a_run()
    store.enqueue([run], now=NOON)

    store.setup()

    store.check()
    assert found(store, run.id).state is State.QUEUED


def test_many_may_set_up_at_once(store, open_again):  # R70, R71
    stores = [open_again() for _ in range(4)]

    together(*[opened.setup for opened in stores])

    for opened in stores:
        opened.check()


def test_what_one_writes_another_reads(store, open_again):
    other = open_again()
    run = a_run()

    store.enqueue([run], now=NOON)

    assert [claimed.id for claimed in claim(other)] == [run.id]
    assert claim(store) == []


def test_the_stores_time_is_in_utc_and_does_not_stand_still(store):
    first = store.now()
    second = store.now()

    assert first.tzinfo is UTC
    assert first <= second <= first + MINUTE


def test_asked_for_nothing_a_store_does_nothing(store):
    assert store.enqueue([], now=NOON) == []
    assert store.settle([], now=NOON) == Settled(applied=[], claimed=[])
    assert store.release("w1", [], now=NOON) == []
    assert store.cancel([], now=NOON, reason="ann") == []
    assert store.requeue([], now=NOON, reason="ann") == []
    assert store.fire([], now=NOON) == []
    assert store.add_rounds([], [], now=NOON) == []
    assert store.promote(now=NOON) == 0
    assert store.unblock(now=NOON) == 0


def test_the_facts_name_engine_and_durability(store):
    facts = store.facts()

    assert {"engine", "durability"} <= set(facts)
    assert all(isinstance(value, str) for value in facts.values())


def test_waiting_takes_about_as_long_as_was_said(store):
    clock = SystemClock()
    store.wait(timedelta(0))
    before = clock.monotonic()

    came = store.wait(SOON)

    # Sooner only with news: a worker that is never told to wait would spin.
    assert clock.monotonic() - before < 10
    assert came or clock.monotonic() - before >= SOON.total_seconds() / 2


def test_waiting_ends_when_a_run_is_enqueued(store):
    store.wait(timedelta(0))
    came = []
    waiter = threading.Thread(target=lambda: came.append(store.wait(LONG)))
    waiter.start()

    store.enqueue([a_run()], now=NOON)

    # A store that cannot be told of news may answer False, but must not sleep through them for long.
    waiter.join(10)
    assert not waiter.is_alive()
    assert len(came) == 1


def test_nothing_that_came_between_two_waits_is_slept_over(store):
    store.wait(timedelta(0))
    store.enqueue([a_run()], now=NOON)
    waiter = threading.Thread(target=lambda: store.wait(LONG))

    waiter.start()

    waiter.join(10)
    assert not waiter.is_alive()
