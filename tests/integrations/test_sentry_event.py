"""The event of a failure: made of what the store keeps, without secrets, told apart from the next one (R54, R65)."""

import json

import pytest
from msgspec.structs import replace

from rota.core.model import ErrorReport, Outcome, State
from rota.integrations.sentry_event import event_of, frames_of
from rota.redaction import SECRETS
from tests.values import NOON, a_slot_run, given_up

TRACEBACK = """Traceback (most recent call last):
  File "/srv/app/mail.py", line 12, in fetch
    connect(password)
ConnectionError: refused

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/usr/lib/python3.11/threading.py", line 975, in run
    self._target(*self._args, **self._kwargs)
  File "/srv/app/mail.py", line 40, in sync
    raise Unreachable(host)
app.mail.Unreachable: db1
"""
ERROR = ErrorReport(type="app.mail.Unreachable", message="db1", traceback=TRACEBACK, fingerprint="f00d")


def a_failure(**fields):
    run = a_slot_run(job="sync", state=State.RUNNING, attempt=1, token=7, args='{"args":["canary-7f3a91"],"kwargs":{}}')
    return replace(given_up(run, error=ERROR, now=NOON), **fields)


def test_the_frames_are_those_of_the_last_exception():  # R54
    frames = frames_of(TRACEBACK)

    assert [(frame["function"], frame["lineno"], frame["in_app"]) for frame in frames] == [
        ("run", 975, False),
        ("sync", 40, True),
    ]
    assert frames[-1]["context_line"] == "raise Unreachable(host)"
    assert all("vars" not in frame for frame in frames)


@pytest.mark.parametrize(
    "text", ["", "no traceback", "Traceback (most recent call last):\n", '  File "a", line x, in f']
)
def test_what_is_no_traceback_has_no_frames(text):
    assert frames_of(text) == []


def test_a_failure_is_filed_by_class_module_and_slot():  # R54
    event = event_of(a_failure())

    [exception] = event["exception"]["values"]
    assert (exception["type"], exception["module"], exception["value"]) == ("Unreachable", "app.mail", "db1")
    assert event["fingerprint"] == ["rota", "sync", "f00d"]
    assert event["tags"]["slot"] == "2026-06-01T12:00:00+00:00"
    assert event["tags"]["schedule"] == "nightly"


def test_what_ended_without_an_error_says_why():  # R54
    event = event_of(a_failure(error=None, outcome=Outcome.LOST, reason="its worker died 3 times"))

    [exception] = event["exception"]["values"]
    assert (exception["type"], exception["value"]) == ("lost", "its worker died 3 times")
    assert "stacktrace" not in exception


def test_no_argument_is_in_it():  # T51
    assert "canary" not in json.dumps(event_of(a_failure()))


def test_no_secret_is_in_it():  # R65, T52
    SECRETS.keep("hush-hush-7")
    text = "hush-hush-7 and more"
    error = ErrorReport(type="E", message=text, traceback=TRACEBACK.replace("Unreachable(host)", text))

    event = event_of(replace(a_failure(), error=error))

    assert "hush" not in json.dumps(event)


def test_one_ending_is_one_event_and_the_next_of_the_run_is_another():  # R54
    failure = a_failure()
    again = replace(failure, run=replace(failure.run, token=8))

    assert event_of(failure)["event_id"] == event_of(failure)["event_id"]
    assert event_of(failure)["event_id"] != event_of(again)["event_id"]
