"""Exceptions that are hard to describe, and limits that are hard to wait for."""

from datetime import timedelta
from pathlib import Path

import pytest

from rota.clock import SystemClock
from rota.context import StopSignal
from rota.core.model import Outcome
from rota.errors import Stopped, TenantGone
from rota.executors.call import execute
from tests.executors.nursery import nursery
from tests.system.processes import wait_until
from tests.values import NOON


class HostileStopped(Stopped):
    def __init__(self) -> None: ...

    def __str__(self) -> str:
        raise RuntimeError("it does not say")


class HostileGone(TenantGone):
    def __init__(self) -> None: ...

    def __str__(self) -> str:
        raise SystemExit(1)


@pytest.mark.parametrize(("hostile", "outcome"), [(HostileStopped, Outcome.FAILED), (HostileGone, Outcome.CANCELLED)])
def test_an_exception_of_ours_that_cannot_say_what_it_is_ends_its_attempt_only(hostile, outcome):  # F11, R43
    def job() -> None:
        raise hostile

    ending = execute(job, stop=StopSignal(), started_at=NOON)

    assert ending.outcome is outcome


@pytest.fixture
def home():
    with nursery() as made:
        yield made


def test_a_grace_of_months_is_waited_for(home, tmp_path):
    stop, journal = StopSignal(), str(tmp_path / "journal")
    with home.running("stops", journal, stop=stop) as endings:
        stop.set("cancelled", grace=timedelta(days=100))

    assert [ending.outcome for ending in endings] == [Outcome.CANCELLED]


class Hastened(SystemClock):
    """A clock whose durations a test can move on."""

    ahead_s = 0.0
    asked = 0

    def monotonic(self) -> float:
        self.asked += 1
        return super().monotonic() + self.ahead_s


def test_a_grace_that_is_cut_short_leaves_the_hard_grace_to_clean_up_in(tmp_path):  # R42
    stop, journal, clock = StopSignal(), tmp_path / "journal", Hastened()
    with (
        nursery(clock=clock, kill_grace=timedelta(seconds=5)) as home,
        home.running("sleeps", str(journal), stop=stop) as endings,
    ):
        wait_until(Path(f"{journal}.begun").exists, what="the start of the job")
        asked = clock.asked
        stop.set("its time limit is over", outcome=Outcome.TIMED_OUT, grace=timedelta(seconds=30))
        wait_until(lambda: clock.asked > asked, what="a look at the time")
        # Counted from the first word, the hard grace would be over by now.
        clock.ahead_s = 20
        stop.set("the worker is shutting down", outcome=Outcome.INTERRUPTED)

    assert journal.read_text() == "cleaned up"
    assert [ending.outcome for ending in endings] == [Outcome.TIMED_OUT]
