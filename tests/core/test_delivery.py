"""A delivery that was not accepted is due again; what is given up says why (R50)."""

import pytest

from rota.core.delivery import LONGEST_ERROR, DeliveryState, failed, given_up, sent
from tests.values import DAY, HOUR, MINUTE, NOON, SECOND, a_delivery


@pytest.mark.parametrize(
    ("attempt", "wait"),
    [(1, 10 * SECOND), (2, 20 * SECOND), (3, 40 * SECOND), (6, 320 * SECOND), (7, 10 * MINUTE), (10_000, 10 * MINUTE)],
)
def test_each_failure_makes_the_next_wait_twice_as_long_up_to_ten_minutes(attempt, wait):  # R50, H1
    assert failed(a_delivery(attempt=attempt), "no", now=NOON).due_at == NOON + wait


@pytest.mark.parametrize(("asked", "wait"), [(5 * SECOND, 10 * SECOND), (30 * MINUTE, 30 * MINUTE), (DAY, HOUR)])
def test_a_channel_that_asks_for_a_pause_gets_it_within_reason(asked, wait):  # R50, H1
    assert failed(a_delivery(attempt=1), "no", now=NOON, retry_after=asked).due_at == NOON + wait


def test_what_fails_for_good_is_tried_rarely_and_not_dropped():  # R50
    again = failed(a_delivery(attempt=1), "no such user", now=NOON, permanent=True)

    assert (again.state, again.due_at, again.error) == (DeliveryState.WAITING, NOON + 10 * MINUTE, "no such user")


def test_a_reason_is_one_line_of_what_can_be_kept():  # R50
    assert failed(a_delivery(attempt=1), "refused \ud800\n550 no", now=NOON).error == "refused ?"
    assert failed(a_delivery(attempt=1), "", now=NOON).error == "no reason was given"
    assert len(failed(a_delivery(attempt=1), "x" * 9_999, now=NOON).error) == LONGEST_ERROR


def test_what_is_given_up_keeps_why_it_failed_last():  # R50
    assert given_up(a_delivery(error="refused"), now=NOON).error == "refused"
    assert "no process" in given_up(a_delivery(), now=NOON).error
    assert given_up(a_delivery(), now=NOON).state is DeliveryState.GIVEN_UP


def test_what_was_sent_says_when():  # R50
    assert (sent(a_delivery(), now=NOON).state, sent(a_delivery(), now=NOON).ended_at) == (DeliveryState.SENT, NOON)
