"""Endings that arrive while their worker finishes: each is recorded or its run given back, never both or neither."""

import threading
from collections.abc import Callable

import pytest

from rota import Rota, State
from rota.core.events import AttemptEnded, LeaseLost
from rota.core.model import Outcome, Settlement
from rota.engine.worker import Worker
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.contract.flaky import Moment, flaky
from tests.engine.house import Driven, an_app
from tests.values import SECOND, outcomes

DEADLINE_S = 10.0


class Written(MemoryStore):
    """Keeps what it was asked to settle."""

    settlements: list[Settlement]

    def settle(self, settlements, **options):
        self.settlements += settlements
        return super().settle(settlements, **options)


class Finishing:
    """A worker that executes one run in a thread, whose ending is held back before it is heard or half way through."""

    def __init__(self) -> None:
        clock = FakeClock()
        self.store = Written(clock=clock)
        self.store.settlements = []
        self.app: Rota = an_app(store=self.store, clock=clock)
        self.losses: list[LeaseLost] = []
        self.app.on(LeaseLost)(self.losses.append)
        self.may_end, self.is_known, self.may_be_heard = (threading.Event() for _ in range(3))
        self.is_heard = threading.Event()

        @self.app.job()
        def job() -> str:
            assert self.may_end.wait(DEADLINE_S)
            return "done"

        self.handle = job.enqueue()
        self.worker: Worker = self.app.crew(schedules=False).worker
        self.worker._tell_ended = self._hold
        on_ended = self.worker._on_ended
        self.worker._on_ended = lambda *ended: (on_ended(*ended), self.is_heard.set())
        self.worker.tick(clock.now())

    def _hold(self, run) -> None:
        # The worker has found its attempt, and does not yet know how it ended.
        self.is_known.set()
        assert self.may_be_heard.wait(DEADLINE_S)

    def end(self) -> None:
        """Let the job end, and its ending be heard, now."""
        self.may_end.set()
        self.may_be_heard.set()
        assert self.is_heard.wait(DEADLINE_S)

    def end_half(self) -> None:
        """Let the job end, and its ending be as good as heard."""
        self.may_end.set()
        assert self.is_known.wait(DEADLINE_S)

    def finish(self, *, once_closed: Callable[[], object] = lambda: None) -> int:
        """Finish; `once_closed` is called when the worker holds nothing any more and has recorded nothing yet."""
        close = self.worker._holdings.close

        def closed():
            live = close()
            once_closed()
            return live

        self.worker._holdings.close = closed
        return self.worker.finish(self.app.clock.now())


@pytest.fixture
def finishing():
    made = Finishing()
    yield made
    made.end()
    for pool in made.worker._holdings.pools:
        pool.executor.close()


def is_recorded_once(finishing: Finishing) -> None:
    assert [one.outcome for one in finishing.store.settlements] == [Outcome.SUCCEEDED]
    assert (finishing.handle.state, finishing.losses) == (State.SUCCEEDED, [])


def is_given_back_once(finishing: Finishing) -> None:
    assert [one.outcome for one in finishing.store.settlements] == [Outcome.INTERRUPTED]
    run = finishing.handle.refresh()
    assert (run.state, run.attempt, run.lost_count) == (State.SCHEDULED, 0, 0)
    assert outcomes(finishing.store, run.id) == [Outcome.INTERRUPTED]


def test_an_ending_that_came_before_the_end_of_its_worker_is_recorded(finishing):  # R45
    finishing.end()

    assert finishing.finish() == 0

    is_recorded_once(finishing)


def test_an_ending_that_arrives_while_its_worker_lets_go_is_recorded_and_not_given_back_as_well(finishing):  # R45, G3
    finishing.end_half()

    assert finishing.finish(once_closed=finishing.end) == 0

    is_recorded_once(finishing)


def test_an_ending_that_a_pass_at_the_store_and_the_end_of_its_worker_both_record_is_told_once():  # R45
    clock, told = FakeClock(), []
    store, line = flaky(MemoryStore(clock=clock))
    app = an_app(store=store, clock=clock)
    app.on(AttemptEnded)(told.append)
    app.job(name="job")(lambda: "done")
    handle, worker = app.jobs["job"].enqueue(), app.crew(schedules=False, inline=True).worker
    worker.tick(clock.now())
    # A store that hangs for longer than a worker is waited for.
    hold = line.delay("settle", Moment.AFTER)
    hanging = threading.Thread(target=lambda: worker.tick(clock.now()))
    hanging.start()
    hold.wait_for_it()

    assert worker.finish(clock.now()) == 0
    hold.let_go()
    hanging.join(DEADLINE_S)

    assert (handle.state, [one.settlement.outcome for one in told]) == (State.SUCCEEDED, [Outcome.SUCCEEDED])


def test_an_ending_that_its_worker_no_longer_knows_gives_its_run_back_once(finishing):  # R45, G2
    assert finishing.finish(once_closed=finishing.end) == 1

    is_given_back_once(finishing)


def test_an_ending_that_is_heard_when_all_is_recorded_changes_nothing_and_its_run_begins_again(
    finishing,
):  # R45, G2, G3
    finishing.end_half()
    assert finishing.finish() == 1

    finishing.end()

    is_given_back_once(finishing)
    next_one = Driven(finishing.app, finishing.app.clock)
    next_one.advance(1.5 * SECOND)
    assert finishing.handle.state is State.SUCCEEDED
    assert outcomes(finishing.store, finishing.handle.id) == [Outcome.INTERRUPTED, Outcome.SUCCEEDED]
