"""Runs that come too late are not begun."""

from datetime import timedelta

from rota.core.lifecycle import EXPIRED
from rota.core.model import State
from rota.engine.maintenance import Promoter
from tests.clocks import FakeClock
from tests.engine.house import Driven, an_app
from tests.values import HOUR, MINUTE


def test_a_run_that_nobody_began_in_time_is_skipped():  # R32
    clock = FakeClock()
    app = an_app(clock=clock)
    ran = []

    @app.job(expires=HOUR)
    def send() -> None:
        ran.append(1)

    late = send.using(delay=30 * MINUTE).enqueue()
    process = Driven(app, clock)
    clock.tick(HOUR)
    process.settle_down()

    assert (ran, late.state, late.refresh().reason) == ([], State.SKIPPED, EXPIRED)


def test_a_run_that_no_worker_takes_is_skipped_by_the_pass():  # R32
    clock = FakeClock()
    app = an_app(clock=clock)

    @app.job(expires=HOUR)
    def send() -> None: ...

    late = send.enqueue()
    Promoter(app.store).tick(clock.tick(HOUR))

    assert late.state is State.SKIPPED


def test_a_run_that_waits_behind_another_one_of_its_worker_is_not_begun_too_late():  # R32
    clock = FakeClock()
    app = an_app(clock=clock)
    ran = []

    @app.job(expires="10m")
    def send(number: int) -> None:
        ran.append(number)
        clock.tick(timedelta(minutes=10))

    handles = send.enqueue_many([(1,), (2,)])
    Driven(app, clock).settle_down()

    assert ran == [1]
    assert [handle.state for handle in handles] == [State.SUCCEEDED, State.SKIPPED]
    assert handles[1].refresh().reason == EXPIRED
