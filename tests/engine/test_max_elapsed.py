"""For how long after the first there are further attempts: `Retry(max_elapsed=...)`. (R32)"""

from datetime import timedelta

import pytest

from rota import Retry, RetryLater, Snooze, State
from rota.core.lifecycle import Ending, first_start, settle, too_late_in_hand
from rota.core.model import Attempt, Outcome
from rota.core.retry import retry_text
from rota.errors import ConfigurationError
from rota.settings import RetrySettings, Settings
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.contract.flaky import Moment, flaky
from tests.engine.house import Driven, an_app, noon_plus
from tests.values import HOUR, MINUTE, NOON, a_run, outcomes

TEN = timedelta(minutes=10)
POLICY = Retry.fixed("10m", attempts=10, max_elapsed="25m")
OVER = "no further attempt: none later than 25m after the first"


class Job:
    """A job that fails, and when it was begun."""

    def __init__(
        self, *, retry: Retry | None = None, executor: str = "thread", clock: FakeClock | None = None, **fields
    ) -> None:
        self.clock = clock or FakeClock()
        self.app = an_app(clock=self.clock, **fields)
        self.begun: list[object] = []
        self.answers: list[object] = []

        def act() -> object:
            self.begun.append(self.clock.now())
            answer = self.answers.pop(0) if self.answers else ValueError("no good")
            if isinstance(answer, Exception):
                raise answer
            return answer

        if executor == "asyncio":

            @self.app.job(retry=retry)
            async def work() -> object:
                return act()
        else:

            @self.app.job(retry=retry)
            def work() -> object:
                return act()

        self.enqueue = self.app.jobs["work"].enqueue
        self.using = self.app.jobs["work"].using
        self.process = Driven(self.app, self.clock)

    def go_on(self, *pauses: timedelta) -> None:
        self.process.settle_down()
        for pause in pauses:
            self.process.advance(pause)


@pytest.mark.parametrize("executor", ["thread", "asyncio"])
def test_no_further_attempt_begins_later_than_that_after_the_first(executor):
    job = Job(retry=POLICY, executor=executor)
    handle = job.enqueue()

    job.go_on(TEN, TEN, TEN)

    run = handle.refresh()
    assert job.begun == [noon_plus(minutes=minutes) for minutes in (0, 10, 20)]
    assert (run.state, run.attempt, run.ended_at, run.reason) == (State.FAILED, 3, noon_plus(minutes=20), OVER)
    assert run.error.message == "no good"


def test_it_counts_from_the_first_attempt_and_not_from_the_enqueue():
    job = Job(retry=POLICY)
    handle = job.using(delay=HOUR).enqueue()

    job.go_on(HOUR, TEN, TEN)

    assert (len(job.begun), handle.state) == (3, State.FAILED)


def test_a_call_says_its_own():
    job = Job(retry=Retry.fixed("10m", attempts=10))
    handle = job.using(retry=POLICY).enqueue()

    job.go_on(TEN, TEN, TEN)

    assert (len(job.begun), handle.state) == (3, State.FAILED)


def test_the_settings_say_it_for_jobs_that_say_nothing():
    retry = RetrySettings(attempts=10, base=TEN, factor=1, jitter=False, max_elapsed=timedelta(minutes=25))
    job = Job(settings=Settings(retry=retry))
    handle = job.enqueue()

    job.go_on(TEN, TEN, TEN)

    assert (len(job.begun), handle.state) == (3, State.FAILED)


@pytest.mark.parametrize("executor", ["thread", "asyncio"])
def test_an_attempt_whose_turn_comes_too_late_does_not_begin(executor):
    job = Job(retry=POLICY, executor=executor)
    handle = job.enqueue()
    job.go_on()
    # Nobody works for an hour.
    job.clock.tick(HOUR)

    job.go_on()

    run = handle.refresh()
    assert (len(job.begun), run.state, run.started_at) == (1, State.FAILED, None)
    assert (run.error.type, run.error.message) == (
        "TooLate", "attempt 2 did not begin: none later than 25m after the first"
    )  # fmt: skip
    assert outcomes(job.app.store, run.id) == [Outcome.FAILED, Outcome.FAILED]


def test_who_is_opened_again_by_a_person_has_all_that_time_anew():
    job = Job(retry=POLICY)
    handle = job.enqueue()
    job.go_on(TEN, TEN)
    assert handle.state is State.FAILED

    job.clock.tick(HOUR)
    handle.retry()
    job.go_on(TEN, TEN)

    assert (len(job.begun), handle.state) == (6, State.FAILED)


def test_a_snooze_before_anything_failed_begins_it_anew():
    job = Job(retry=POLICY)
    job.answers = [Snooze(HOUR)]
    handle = job.enqueue()

    job.go_on(HOUR, TEN, TEN)

    assert (len(job.begun), handle.state) == (4, State.FAILED)


def test_a_wait_that_the_job_asks_for_is_no_way_around_it():
    job = Job(retry=POLICY)
    job.answers = [RetryLater(26 * MINUTE, "too many requests")]
    handle = job.enqueue()

    job.go_on()

    assert (handle.state, handle.refresh().reason) == (State.FAILED, OVER)


def test_a_store_that_is_away_costs_no_attempt():
    clock = FakeClock()
    store, cut = flaky(MemoryStore(clock=clock))
    job = Job(retry=POLICY, store=store, clock=clock)
    handle = job.enqueue()
    job.go_on()

    cut.cut("run", Moment.BEFORE)
    job.go_on(TEN, MINUTE)

    assert (len(job.begun), handle.refresh().attempt) == (2, 2)


# --- as values ---


def attempts(*outcomes: Outcome) -> list[Attempt]:
    """Return attempts that began a minute apart."""
    return [
        Attempt(run_id="r", token=n, owner="w", claimed_at=None, started_at=NOON + n * MINUTE, ended_at=None, outcome=o)
        for n, o in enumerate(outcomes)
    ]


@pytest.mark.parametrize(
    ("used", "before", "minute"),
    [
        (1, [], None),
        (1, [Outcome.FAILED], None),
        (2, [Outcome.FAILED], 0),
        (2, [Outcome.SNOOZED, Outcome.LOST, Outcome.TIMED_OUT, Outcome.INTERRUPTED], 2),
        (3, [Outcome.FAILED, Outcome.INTERRUPTED, Outcome.FAILED], 0),
        # Opened again after two: those of before do not count.
        (2, [Outcome.FAILED, Outcome.FAILED, Outcome.FAILED], 2),
        (2, [], None),
    ],
)
def test_the_first_attempt_is_that_which_used_one_up_since_it_was_opened(used, before, minute):
    found = first_start(a_run(attempt=used), attempts(*before))

    assert found == (None if minute is None else NOON + minute * MINUTE)


@pytest.mark.parametrize(("elapsed", "is_over"), [(25, False), (25.001, True)])
def test_the_very_end_is_in_time(elapsed, is_over):
    run, now = a_run(attempt=2, state=State.RUNNING, max_attempts=10), NOON + timedelta(minutes=elapsed)
    failed = Ending(outcome=Outcome.FAILED, started_at=now)

    in_hand = too_late_in_hand(run, POLICY, first_at=NOON, now=now)
    settled = settle(run, failed, now=now, wait=timedelta(0), retry=POLICY, first_at=NOON)

    assert (in_hand is not None) is is_over
    assert (settled.state is State.FAILED) is is_over


def test_a_first_attempt_is_never_too_late():
    assert too_late_in_hand(a_run(attempt=1), POLICY, first_at=NOON, now=NOON + HOUR) is None


def test_a_policy_says_it_in_words():
    assert retry_text(POLICY) == "10 attempts, 10m apart, none later than 25m after the first"


def test_no_time_at_all_is_refused():  # R64
    with pytest.raises(ValueError, match="max_elapsed"):
        Retry(max_elapsed=timedelta(0))
    with pytest.raises(ConfigurationError, match=r"retry\.max_elapsed"):
        Settings(retry=RetrySettings(max_elapsed=-MINUTE)).check()
