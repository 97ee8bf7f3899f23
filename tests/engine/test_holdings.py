"""What a worker holds and takes, what becomes of a lost attempt, and how often ended leases are looked for."""

import threading
from datetime import timedelta
from random import Random

import pytest

from rota.core.lifecycle import Ending
from rota.core.model import Outcome, State
from rota.engine.attempt import LiveAttempt
from rota.engine.holdings import Holdings
from rota.engine.pool import Pool
from rota.engine.verdict import Verdict
from rota.settings import Settings, WorkerSettings
from tests.clocks import FakeClock
from tests.engine.house import an_app
from tests.engine.test_worker import Waiting, a_worker_that_begins_nothing, counting
from tests.values import NOON, a_run

SECOND = timedelta(seconds=1)


@pytest.fixture
def app():
    app = an_app()
    counting(app)
    return app


def attempts(app, number, *, queue="default"):
    registered, bench = app.jobs["count"].registered, a_worker_that_begins_nothing(app)._bench
    return [
        LiveAttempt(a_run(job="count", queue=queue, token=1), registered, bench, asked_at=0.0) for _ in range(number)
    ]


def holdings(app, **queues):
    return Holdings([Pool(Waiting(), places=8, jobs=frozenset(app.jobs), ahead=True)], queues=queues)


def test_a_share_of_a_queue_is_what_is_held_of_it_at_once_and_not_of_each_claim(app):
    held = holdings(app, mail=2, default=0)

    assert held.shares(8) == {"mail": 2, "default": 8}
    held.take(attempts(app, 1, queue="mail"))
    assert held.shares(8) == {"mail": 1, "default": 8}
    held.take(attempts(app, 1, queue="mail"))
    assert held.shares(8) == {"default": 8}


def test_whoever_asks_what_began_while_runs_are_taken_is_told_of_all_of_them(app):
    held = holdings(app, default=0)
    [attempt] = attempts(app, 1)
    is_asked, told = threading.Event(), []
    asks = threading.Thread(target=lambda: (is_asked.set(), told.extend(held.began_since_last_look())))

    class Slow:
        """An attempt whose taking is in the midst when somebody asks."""

        registered = attempt.registered

        @property
        def run(self):
            if not is_asked.is_set():
                asks.start()
                is_asked.wait()
                asks.join(0.05)
            return attempt.run

    held.take([Slow()])
    asks.join()

    assert told == ["count"]


def test_nothing_is_taken_once_all_was_given_up(app):  # R45, G6
    held = holdings(app, default=0)
    first, late = attempts(app, 2)
    held.take([first])

    assert held.close() == [first]
    assert held.take([late]) == []
    assert not held


def test_the_ending_of_an_attempt_whose_lease_was_lost_is_never_its_own(app):  # G5, G6
    # Even where the store has not given the run to anybody yet: it may have been about to.
    [attempt] = attempts(app, 1)
    attempt.lost = True
    verdict = Verdict({"count": app.jobs["count"].registered}, random=Random(1))

    settlement = verdict.on(attempt, Ending(outcome=Outcome.SUCCEEDED, result="1"), NOON)

    assert (settlement.outcome, settlement.state, settlement.result) == (Outcome.INTERRUPTED, State.QUEUED, None)


@pytest.mark.parametrize(
    ("lease", "every"), [(5 * SECOND, SECOND), (20 * SECOND, 4 * SECOND), (60 * SECOND, 5 * SECOND)]
)
def test_ended_leases_are_looked_for_more_often_where_leases_are_short(lease, every):  # G9
    settings = Settings(worker=WorkerSettings(lease=lease, heartbeat=lease / 4, margin=lease / 4))
    app = an_app(clock=(clock := FakeClock()), settings=settings)

    assert app.crew().services["rescuer"].tick(clock.now()) == every
