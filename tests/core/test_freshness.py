from datetime import UTC, datetime, timedelta

import pytest

from rota.core.freshness import Freshness, fresh_within, freshness, late_at
from rota.core.words import parse

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_without_a_word_a_success_may_be_two_intervals_and_a_quarter_hour_old():  # R51
    assert fresh_within(parse("every 30 minutes"), at=NOON) == 75 * MINUTE
    assert fresh_within(parse("every 30 minutes"), at=NOON, said=5 * MINUTE) == 5 * MINUTE
    assert fresh_within(parse("at 2020-01-01T00:00"), at=NOON) is None


def test_a_success_is_late_when_the_next_slot_had_time_to_run():  # R51
    hourly = parse("0 * * * *")

    assert late_at(hourly, since=NOON, timeout=5 * MINUTE) == NOON + 65 * MINUTE
    assert late_at(hourly, since=NOON, timeout=None) == NOON + 75 * MINUTE
    assert late_at(parse("at 2020-01-01T00:00"), since=NOON, timeout=None) is None


def test_the_night_of_the_change_counts_as_it_really_is():  # R51, fault row D5
    nightly = parse("daily at 02:30 Europe/Berlin")
    before = datetime(2026, 10, 24, 0, 30, tzinfo=UTC)

    # The night of 25 October has 25 hours, and 02:30 is its first pass.
    assert late_at(nightly, since=before, timeout=MINUTE) == datetime(2026, 10, 25, 0, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "has_succeeded", "is_paused", "state"),
    [
        (0, True, False, Freshness.FRESH),
        (0, False, False, Freshness.NEW),
        (10, True, False, Freshness.LATE),
        (10, False, False, Freshness.LATE),
        (20, True, False, Freshness.STALE),
        (20, False, False, Freshness.STALE),
        (20, True, True, Freshness.PAUSED),
    ],
)
def test_missing_proof_is_late_and_then_stale(minutes, has_succeeded, is_paused, state):  # R51
    answer = freshness(
        now=NOON + minutes * MINUTE,
        late_at=NOON + 10 * MINUTE,
        stale_at=NOON + 20 * MINUTE,
        has_succeeded=has_succeeded,
        is_paused=is_paused,
    )

    assert answer is state
