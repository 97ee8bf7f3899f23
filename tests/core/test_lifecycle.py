"""What an ended attempt makes of its run, and a round of its runs."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rota.core.exceptions import class_names
from rota.core.fingerprint import fingerprint
from rota.core.lifecycle import LOST_WAIT, MAX_LOST, Ending, rescue, round_state, settle
from rota.core.model import ErrorReport, Outcome, RoundState, State
from rota.core.policy import Retry
from rota.errors import RetryLater
from tests.values import LEASE, MINUTE, NOON, SECOND, a_round, a_run

WAIT = timedelta(seconds=40)
FAILURES = (Outcome.FAILED, Outcome.TIMED_OUT)


def running(**fields):
    """Return a run in a worker's hands."""
    defaults = {"state": State.RUNNING, "attempt": 1, "token": 7, "owner": "w1", "lease_until": NOON + LEASE}
    return a_run(**defaults | fields)


def failing(error, **fields):
    """Return the ending of an attempt that raised this."""
    return Ending(**{"outcome": Outcome.FAILED, "classes": class_names(error)} | fields)


@pytest.mark.parametrize(
    ("outcome", "attempt", "of", "state", "attempts_used", "waits"),
    [
        (Outcome.SUCCEEDED, 1, 1, State.SUCCEEDED, 1, None),
        (Outcome.SUCCEEDED, 3, 3, State.SUCCEEDED, 3, None),
        (Outcome.CANCELLED, 1, 3, State.CANCELLED, 1, None),
        (Outcome.FAILED, 1, 3, State.SCHEDULED, 1, WAIT),
        (Outcome.FAILED, 2, 3, State.SCHEDULED, 2, WAIT),
        (Outcome.FAILED, 3, 3, State.FAILED, 3, None),
        (Outcome.FAILED, 1, 1, State.FAILED, 1, None),
        (Outcome.TIMED_OUT, 1, 3, State.SCHEDULED, 1, WAIT),
        (Outcome.TIMED_OUT, 3, 3, State.FAILED, 3, None),
        (Outcome.SNOOZED, 3, 3, State.SCHEDULED, 2, WAIT),
        (Outcome.INTERRUPTED, 1, 1, State.QUEUED, 0, timedelta(0)),
        (Outcome.INTERRUPTED, 3, 3, State.QUEUED, 2, timedelta(0)),
        (Outcome.LOST, 1, 1, State.QUEUED, 0, timedelta(0)),
    ],
)
def test_an_ended_attempt_decides_the_state(outcome, attempt, of, state, attempts_used, waits):  # R30, R43, R45
    run = running(attempt=attempt, max_attempts=of)

    settlement = settle(run, Ending(outcome=outcome), now=NOON, wait=WAIT)

    assert settlement.state is state
    assert settlement.attempt == attempts_used
    assert settlement.outcome is outcome
    if waits is not None:
        assert settlement.due_at == NOON + waits


@pytest.mark.parametrize("outcome", FAILURES)
def test_a_failure_that_is_final_is_not_tried_again(outcome):
    settlement = settle(running(max_attempts=9), Ending(outcome=outcome, retry=False), now=NOON, wait=WAIT)

    assert settlement.state is State.FAILED


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.TIMED_OUT, Outcome.SNOOZED])
def test_a_job_may_say_itself_how_long_to_wait(outcome):
    settlement = settle(running(max_attempts=3), Ending(outcome=outcome, delay=MINUTE), now=NOON, wait=WAIT)

    assert (settlement.state, settlement.due_at) == (State.SCHEDULED, NOON + MINUTE)


def test_a_wait_of_nothing_is_a_wait_too():  # R32
    settlement = settle(running(), Ending(outcome=Outcome.FAILED, delay=timedelta(0)), now=NOON, wait=WAIT)

    assert settlement.due_at == NOON


@pytest.mark.parametrize(
    ("ending", "retry", "state"),
    [
        (failing(ValueError()), Retry(on=ValueError), State.SCHEDULED),
        (failing(ValueError()), Retry(on=KeyError), State.FAILED),
        (failing(ValueError()), Retry(not_on=ValueError), State.FAILED),
        (failing(ValueError()), None, State.SCHEDULED),
        # The death of a child is no exception, and its job's code cannot be blamed for it by name.
        (Ending(outcome=Outcome.FAILED), Retry(on=KeyError), State.SCHEDULED),
        # Who raises it asks for another try.
        (failing(RetryLater(30)), Retry(on=KeyError, not_on=Exception), State.SCHEDULED),
        (failing(RetryLater(30), retry=False), Retry(), State.FAILED),
        (Ending(outcome=Outcome.TIMED_OUT), Retry(on=TimeoutError), State.SCHEDULED),
        (Ending(outcome=Outcome.TIMED_OUT), Retry(not_on="TimeoutError"), State.FAILED),
        (Ending(outcome=Outcome.TIMED_OUT, classes=class_names(KeyError())), Retry(on=KeyError), State.FAILED),
        (Ending(outcome=Outcome.LOST), Retry(on=KeyError), State.QUEUED),
        (Ending(outcome=Outcome.SNOOZED), Retry(on=KeyError), State.SCHEDULED),
    ],
)
def test_a_policy_says_after_which_exceptions_there_is_another_attempt(ending, retry, state):  # R32
    assert settle(running(), ending, now=NOON, wait=WAIT, retry=retry).state is state


@pytest.mark.parametrize("outcome", [*FAILURES, Outcome.CANCELLED, Outcome.LOST])
def test_a_run_that_was_asked_to_stop_is_cancelled_however_it_stops(outcome):
    settlement = settle(running(cancel_requested=True, max_attempts=9), Ending(outcome=outcome), now=NOON, wait=WAIT)

    assert settlement.state is State.CANCELLED


def test_a_run_that_succeeds_before_it_stops_has_succeeded():
    settlement = settle(running(cancel_requested=True), Ending(outcome=Outcome.SUCCEEDED), now=NOON, wait=WAIT)

    assert settlement.state is State.SUCCEEDED


def test_a_deploy_is_no_failure_and_costs_no_attempt():  # R45
    run = running(attempt=3, max_attempts=3, lost_count=2)

    settlement = settle(run, Ending(outcome=Outcome.INTERRUPTED), now=NOON, wait=WAIT)

    assert (settlement.state, settlement.attempt, settlement.lost_count) == (State.QUEUED, 2, 2)
    assert settlement.due_at == NOON


@pytest.mark.parametrize(
    ("lost_before", "state", "due_at"),
    [
        (0, State.QUEUED, NOON),
        (1, State.SCHEDULED, NOON + LOST_WAIT),
        (MAX_LOST - 1, State.FAILED, None),
        (MAX_LOST, State.FAILED, None),
    ],
)
def test_lost_attempts_are_given_back_until_the_run_is_poison(lost_before, state, due_at):  # R30
    run = running(attempt=2, max_attempts=2, lost_count=lost_before)

    settlement = settle(run, Ending(outcome=Outcome.LOST), now=NOON, wait=WAIT)

    assert settlement.state is state
    assert settlement.attempt == 1
    assert settlement.lost_count == lost_before + 1
    if due_at is not None:
        assert settlement.due_at == due_at


def test_the_settlement_carries_what_the_attempt_was():
    error = ErrorReport(type="ValueError", message="no")
    ending = Ending(
        outcome=Outcome.FAILED, started_at=NOON - SECOND, error=error, result="5", reason="said so", expanded=3
    )

    settlement = settle(running(max_attempts=1), ending, now=NOON, wait=WAIT)

    assert (settlement.started_at, settlement.ended_at) == (NOON - SECOND, NOON)
    assert settlement.error == replace(error, fingerprint=fingerprint("ValueError", "no", ""))  # R38
    assert (settlement.result, settlement.reason) == ("5", "said so")
    assert settlement.expanded == 3
    assert settlement.lease_until is None


def test_a_rescue_is_void_once_the_lease_has_moved():  # R30
    run = running()

    settlement = rescue(run, now=NOON + MINUTE)

    assert settlement.outcome is Outcome.LOST
    assert settlement.lease_until == run.lease_until
    assert settlement.error is not None
    assert "w1" in settlement.error.message


@pytest.mark.parametrize(
    ("counts", "expected", "state"),
    [
        ({State.SUCCEEDED: 3}, 3, RoundState.SUCCEEDED),
        ({}, 0, RoundState.SUCCEEDED),
        ({State.SUCCEEDED: 2, State.FAILED: 1}, 3, RoundState.PARTIAL),
        ({State.SUCCEEDED: 2, State.CANCELLED: 1}, 3, RoundState.PARTIAL),
        ({State.SUCCEEDED: 2, State.SKIPPED: 1}, 3, RoundState.PARTIAL),
        ({State.SUCCEEDED: 2}, 3, RoundState.PARTIAL),
        ({State.FAILED: 3}, 3, RoundState.FAILED),
        ({State.CANCELLED: 3}, 3, RoundState.FAILED),
        ({State.SKIPPED: 3}, 3, RoundState.SKIPPED),
        ({State.SKIPPED: 2, State.FAILED: 1}, 3, RoundState.FAILED),
        ({}, 3, RoundState.FAILED),
    ],
)
def test_a_round_succeeds_only_if_every_tenant_does(counts, expected, state):  # R23
    assert round_state(a_round(expanded=True, expected=expected), counts) is state


@pytest.mark.parametrize("counts", [{}, {State.SUCCEEDED: 3}])
def test_a_round_whose_tenants_were_not_listed_has_failed(counts):  # R20
    assert round_state(a_round(expanded=False), counts) is RoundState.FAILED


def test_a_round_counts_no_tenant_twice_when_nobody_knows_how_many_there_are():
    assert round_state(a_round(expanded=True, expected=None), {State.SUCCEEDED: 1}) is RoundState.SUCCEEDED


def test_a_snooze_of_nothing_comes_back_at_once_and_does_not_count():
    ending = Ending(outcome=Outcome.SNOOZED, delay=timedelta(0))

    settlement = settle(a_run(attempt=1), ending, now=NOON, wait=MINUTE)

    assert (settlement.due_at, settlement.attempt) == (NOON, 0)
