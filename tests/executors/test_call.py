"""What a job returns or raises, as the ending of its attempt."""

import json
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import pytest

from rota import Cancel, Fail, Result, Retry, Snooze, StopSignal, keep_secret
from rota.core.model import Outcome
from rota.errors import Stopped
from rota.executors.call import MOST_MESSAGE, execute

STARTED = datetime(2026, 6, 1, tzinfo=UTC)


def run(function, *, stop: StopSignal | None = None):
    return execute(function, stop=stop or StopSignal(), started_at=STARTED)


def raising(error: BaseException):
    def function():
        raise error

    return function


@dataclass
class ScraperResult:
    success: bool
    error: Exception | None = None
    lines_added: int = 0


@pytest.mark.parametrize(
    ("returned", "outcome", "result"),
    [
        (None, Outcome.SUCCEEDED, None),
        ({"rows": 5}, Outcome.SUCCEEDED, '{"rows":5}'),
        (0, Outcome.SUCCEEDED, "0"),
        (Result(), Outcome.SUCCEEDED, None),
        (Result(counts={"rows": 3}), Outcome.SUCCEEDED, '{"counts":{"rows":3}}'),
        (Result(success=False, error="half of it"), Outcome.FAILED, None),
        (Fail("no use"), Outcome.FAILED, None),
        (Cancel("not needed"), Outcome.CANCELLED, None),
        (Snooze(timedelta(minutes=1)), Outcome.SNOOZED, None),
        (ScraperResult(True, lines_added=7), Outcome.SUCCEEDED, '{"counts":{"lines_added":7}}'),
        (ScraperResult(False, error=ValueError("moved")), Outcome.FAILED, '{"counts":{"lines_added":0}}'),
    ],
)
def test_what_is_returned_decides_the_outcome(returned, outcome, result):  # R43
    ending = run(lambda: returned)

    assert (ending.outcome, ending.result) == (outcome, result)


def test_an_unsuccessful_result_keeps_its_error():  # R43
    assert run(lambda: ScraperResult(False, error=ValueError("moved"))).error.first_line == "ValueError: moved"
    assert run(lambda: Result(success=False, error="half of it")).error.message == "half of it"
    assert run(lambda: ScraperResult(False)).error.message == "the job says that it did not succeed"


def test_a_failure_can_say_that_another_try_is_of_no_use():  # R43
    assert run(lambda: Fail("gone", retry=False)).retry is False
    assert run(lambda: Fail("busy")).retry is True


@pytest.mark.parametrize(
    "returned", [object(), {1: 2}, float("nan"), (number for number in range(3)), "x" * 70_000, {"a": {1, 2}}]
)
def test_a_result_that_cannot_be_kept_fails_the_attempt_clearly_and_is_not_repeated(returned):  # R43, fault row F10
    ending = run(lambda: returned)

    assert (ending.outcome, ending.retry) == (Outcome.FAILED, False)
    assert ending.error.type == "ResultNotStorable"


@pytest.mark.parametrize("error", [ValueError("v"), SystemExit(2), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_is_raised_becomes_a_failure(error):  # R21, fault row F1
    ending = run(raising(error))

    assert (ending.outcome, ending.error.type) == (Outcome.FAILED, type(error).__name__)


class Hostile(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_that_cannot_say_what_it_is_is_recorded_all_the_same():  # fault row F11
    ending = run(raising(Hostile()))

    assert ending.error.type == "Hostile"
    assert "RuntimeError" in ending.error.message


def test_a_message_of_fifty_megabytes_is_cut():  # fault row F11
    ending = run(raising(ValueError("x" * 50_000_000)))

    assert len(ending.error.message) < MOST_MESSAGE + 50
    assert len(ending.error.traceback) < 40_000


def test_the_traceback_shows_the_jobs_frames_and_not_ours():
    ending = run(raising(ValueError("here")))

    assert "test_call.py" in ending.error.traceback
    assert "rota/executors" not in ending.error.traceback


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.CANCELLED, Outcome.INTERRUPTED])
def test_a_stopped_job_that_returns_nothing_is_no_success(outcome):  # R43
    stop = StopSignal()
    stop.set("enough", outcome=outcome)

    ending = run(lambda: None, stop=stop)

    assert (ending.outcome, ending.reason) == (outcome, "enough")


def test_a_stopped_job_that_finishes_its_work_has_succeeded():  # R43
    stop = StopSignal()
    stop.set("enough", outcome=Outcome.TIMED_OUT)

    assert run(lambda: {"rows": 1}, stop=stop).outcome is Outcome.SUCCEEDED


def test_raising_stopped_without_having_been_asked_is_a_failure():
    assert run(raising(Stopped("I give up"))).outcome is Outcome.FAILED


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.CANCELLED, Outcome.INTERRUPTED])
def test_whatever_a_stopped_job_raises_is_its_way_to_stop(outcome):  # R42, R43
    stop = StopSignal()
    stop.set("enough", outcome=outcome)

    ending = run(raising(ConnectionError("cut off")), stop=stop)

    assert (ending.outcome, ending.reason, ending.error.type) == (outcome, "enough", "ConnectionError")


@pytest.mark.parametrize("returned", [Snooze(timedelta(days=1)), Fail("no use"), None])
def test_a_run_that_was_cancelled_does_not_come_back_whatever_its_job_returns(returned):  # R42
    stop = StopSignal()
    stop.set("cancelled by ana", outcome=Outcome.CANCELLED)

    ending = run(lambda: returned, stop=stop)

    assert (ending.outcome, ending.reason) == (Outcome.CANCELLED, "cancelled by ana")


def test_a_reason_that_is_an_exception_is_stored_as_text():
    assert run(lambda: Cancel(ValueError("gone"))).reason == "gone"
    assert run(lambda: Fail(ValueError("gone"))).error.message == "gone"


@pytest.mark.parametrize("delay", ["5m", None, 300, timedelta.max, timedelta(seconds=-1)])
def test_a_snooze_that_is_no_delay_fails_the_attempt_and_says_why(delay):
    ending = run(lambda: Snooze(delay))

    assert (ending.outcome, ending.retry) == (Outcome.FAILED, False)
    assert "expected a timedelta" in ending.error.message


def test_an_unsuccessful_result_that_cannot_be_kept_still_says_its_own_error():  # R43
    ending = run(lambda: Result(success=False, error="half of it", value=object()))

    assert (ending.error.message, ending.retry, ending.result) == ("half of it", True, None)


def test_a_stop_signal_keeps_its_first_reason():  # R41
    stop = StopSignal()
    stop.set("cancelled", outcome=Outcome.CANCELLED)
    stop.set("its time limit is over", outcome=Outcome.TIMED_OUT)

    assert (stop.reason, stop.outcome) == ("cancelled", Outcome.CANCELLED)


def test_a_stop_signal_wakes_whoever_waits_for_it_before_or_after():  # R41
    before, after = StopSignal(), StopSignal()
    woken: list[bool] = []
    waiting = threading.Thread(target=lambda: woken.append(before.wait(timeout=10)))
    waiting.start()

    before.set("enough")
    after.set("enough")
    waiting.join(timeout=10)

    assert woken == [True]
    assert after.wait(timeout=0) is True
    assert StopSignal().wait(timeout=0) is False


def place(function):
    return run(function).error.place


def innermost():
    json.loads("{")


def test_the_place_of_an_error_is_the_innermost_frame_that_is_the_applications_own():  # R38
    line = innermost.__code__.co_firstlineno + 1

    assert place(innermost) == f"tests.executors.test_call.innermost, line {line}"
    assert place(lambda: msgspec.json.decode(b"{")).startswith("tests.executors.test_call.")


def test_an_error_that_only_libraries_know_has_its_place_there():  # R38
    assert place(partial(json.loads, "{")).startswith("json.decoder.JSONDecoder.")


def test_an_error_of_no_python_code_has_no_place():  # R38
    assert place(partial(int, "x")) == ""


def test_an_error_inside_rota_has_its_place_in_the_job_that_asked():  # R38
    def asks():
        Retry(attempts=0)

    assert place(asks).partition(", line ")[0].endswith("asks")


@pytest.mark.parametrize("padding", [0, MOST_MESSAGE - 8])
def test_an_error_is_recorded_without_secrets_also_where_it_is_cut(padding):  # T51, T53
    keep_secret("hunter2-and-more")

    ending = run(raising(ValueError("x" * padding + " hunter2-and-more")))

    assert "hunter2" not in ending.error.message + ending.error.traceback
    assert "***" in ending.error.message or padding


def test_variables_of_frames_are_no_part_of_an_error():  # T50
    def library(card, depth):
        return library(card, depth - 1) if depth else json.loads("{")

    ending = run(lambda: library("4929-" + "1234", 5))

    assert ending.error.type == "JSONDecodeError"
    assert "4929-1234" not in ending.error.message + ending.error.traceback
