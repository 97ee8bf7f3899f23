"""A worker whose runs are over in no time settles them in one go, and lets nobody wait for that."""

from collections.abc import Callable, Sequence
from contextvars import Context
from datetime import timedelta

import pytest

from rota import State
from rota.calls import Call
from rota.core.lifecycle import Ending
from rota.core.model import Run
from rota.engine.loop import Waiter
from rota.engine.pool import GATHER, Pool
from rota.engine.prefetch import ANSWERS, MOST_S, Prefetch
from rota.engine.worker import IDLE, Worker
from tests.clocks import FakeClock
from tests.engine.house import an_app, runs_of
from tests.engine.test_worker import a_worker_that_begins_nothing, counting

PLACES = 8
QUICK_S = 0.0001
SLOW_S = 0.02


class Stepped:
    """An executor that calls when it is told to."""

    def __init__(self) -> None:
        self.line: list[tuple[Call, Callable[[Run, Ending], None]]] = []

    def submit(self, calls: Sequence[Call], done: Callable[[Run, Ending], None]) -> None:
        self.line += [(call, done) for call in calls]

    def waiting(self) -> int:
        return len(self.line)

    def withdraw(self) -> list[Call]:
        calls, self.line = [call for call, _ in self.line], []
        return calls

    def close(self) -> None: ...

    def step(self, times: int = 1) -> None:
        """Execute the next calls in the line."""
        for _ in range(times):
            call, done = self.line.pop(0)
            done(call.run, Context().run(call.execute))


class Shop:
    """A worker with runs in its hands, each of which takes so long."""

    def __init__(self, *, seconds: float, runs: int) -> None:
        self.clock = FakeClock()
        self.app = an_app(clock=self.clock)
        counting(self.app)
        self.executor = Stepped()
        self.worker: Worker = a_worker_that_begins_nothing(self.app)
        self.pool = Pool(self.executor, places=PLACES, jobs=frozenset(self.app.jobs), ahead=True)
        self.worker._holdings.pools = [self.pool]
        for _ in range(200):
            self.pool._prefetch.learn(seconds)
        self.app.jobs["count"].enqueue_many([(number,) for number in range(runs)])
        self.tick()

    def tick(self) -> timedelta:
        return self.worker.tick(self.clock.now())

    def settled(self) -> int:
        return sum(run.state is State.SUCCEEDED for run in runs_of(self.app))


def test_what_ended_waits_for_what_is_about_to_end_and_wakes_nobody():
    shop = Shop(seconds=QUICK_S, runs=20)

    shop.executor.step(5)

    assert not shop.worker.wake.is_set()
    assert (shop.tick(), shop.settled()) == (GATHER, 0)


def test_the_end_of_the_line_wakes_the_worker_and_all_is_settled_at_once():
    shop = Shop(seconds=QUICK_S, runs=20)

    shop.executor.step(20)

    assert shop.worker.wake.is_set()
    shop.tick()
    assert shop.settled() == 20


def test_nothing_that_ended_waits_longer_than_a_moment():
    shop = Shop(seconds=QUICK_S, runs=20)
    shop.executor.step(5)

    shop.clock.tick(GATHER)

    assert shop.tick() == IDLE
    assert shop.settled() == 5


def test_where_what_waits_takes_longer_each_end_is_settled_as_it_comes():
    shop = Shop(seconds=SLOW_S, runs=30)

    shop.executor.step()

    assert shop.executor.waiting() > 0
    assert shop.worker.wake.is_set()
    shop.tick()
    assert shop.settled() == 1


def test_a_worker_that_drains_gathers_nothing():
    shop = Shop(seconds=QUICK_S, runs=20)
    shop.executor.step(5)

    shop.worker.stop_claiming()
    shop.tick()

    assert shop.settled() == 5


def test_only_a_worker_with_places_to_fill_asks_the_store_for_a_sign():
    asked: list[timedelta] = []
    shop = Shop(seconds=SLOW_S, runs=PLACES * 10)
    waiter = Waiter(lambda most: bool(asked.append(most)), shop.worker.wake, hungry=shop.worker.hungry)

    waiter.tick(shop.clock.now())
    assert asked == []
    while shop.executor.line:
        shop.executor.step()
        shop.tick()
    waiter.tick(shop.clock.now())

    assert len(asked) == 1


def test_one_run_that_was_held_up_does_not_pass_for_all():
    prefetch = Prefetch(PLACES)
    for _ in range(200):
        prefetch.learn(0.001)
    before = prefetch.room(held=PLACES)

    prefetch.learn(0.1)

    assert prefetch.room(held=PLACES) == pytest.approx(before / 2, abs=1)


def test_runs_that_have_become_long_are_not_held_in_advance():
    prefetch = Prefetch(PLACES)
    for _ in range(200):
        prefetch.learn(QUICK_S)

    for _ in range(2 * PLACES):
        prefetch.learn(1.0)

    assert prefetch.room(held=PLACES) == 0


def test_the_quicker_the_store_answers_the_less_is_held_back_from_others():  # G12
    prefetch = Prefetch(PLACES)
    for _ in range(200):
        prefetch.learn(0.004)
    assert prefetch.room(held=PLACES) == pytest.approx(PLACES * MOST_S / 0.004, abs=1)

    for _ in range(200):
        prefetch.learn_answer(0.0005)

    assert prefetch.room(held=PLACES) == pytest.approx(PLACES * ANSWERS * 0.0005 / 0.004, abs=1)


def test_what_keeps_the_places_busy_until_the_answer_comes_is_no_reason_to_wait_with_a_claim():
    shop = Shop(seconds=QUICK_S, runs=20)
    for _ in range(200):
        shop.pool._prefetch.learn_answer(0.0001)

    shop.executor.step()

    assert shop.worker.wake.is_set()
