"""Buckets, percentiles, and what an ended attempt is counted as."""

from datetime import timedelta
from itertools import pairwise

import pytest

from rota.core.model import Outcome
from rota.core.rollup import (
    BEGINNING,
    BUCKETS,
    EDGES_S,
    End,
    Grain,
    bucket_of,
    collapsed,
    end_of,
    grain_for,
    merged,
    percentile,
    spread,
    start_of,
)
from tests.values import DAY, HOUR, MINUTE, NOON, SECOND, a_measure, a_rollup, a_run, a_sheet, ended, failed, given_up


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0.0, 0), (0.001, 0), (0.0011, 1), (1.0, 9), (1.0001, 10), (20000.0, 22), (20000.1, 23), (1e9, 23)],
)
def test_a_duration_at_an_edge_is_within_its_bucket(seconds, bucket):  # R53
    assert bucket_of(seconds) == bucket


def test_there_are_24_buckets_and_none_is_wider_than_two_and_a_half_times_the_one_before():  # R53
    assert BUCKETS == 24
    assert all(1.99 < high / low < 2.51 for low, high in pairwise(EDGES_S))


@pytest.mark.parametrize(
    ("settlement", "end"),
    [
        (ended(a_run(attempt=1)), End.SUCCEEDED),
        (failed(a_run(attempt=1)), End.RETRIED),
        (given_up(a_run(attempt=1)), End.FAILED),
        (failed(a_run(attempt=3)), End.FAILED),
        (ended(a_run(attempt=1), Outcome.TIMED_OUT), End.RETRIED),
        (ended(a_run(attempt=3), Outcome.TIMED_OUT), End.TIMED_OUT),
        (ended(a_run(attempt=1), Outcome.CANCELLED), End.CANCELLED),
        (ended(a_run(attempt=1), Outcome.CANCELLED, is_skipped=True), End.SKIPPED),
        (ended(a_run(attempt=1), Outcome.SNOOZED, delay=MINUTE), End.SNOOZED),
        (ended(a_run(attempt=1), Outcome.INTERRUPTED), End.INTERRUPTED),
        (ended(a_run(attempt=1), Outcome.LOST), End.LOST),
        (ended(a_run(attempt=1, lost_count=2), Outcome.LOST), End.FAILED),
    ],
)
def test_an_attempt_is_counted_as_what_it_made_of_its_run(settlement, end):  # R53
    assert end_of(settlement) is end


def test_only_an_attempt_after_which_the_run_goes_on_does_not_end_it():  # R53
    assert [end for end in End if not end.is_last] == [End.RETRIED, End.SNOOZED, End.INTERRUPTED, End.LOST]


@pytest.mark.parametrize(
    ("grain", "start"),
    [
        (Grain.MINUTE, NOON + 34 * MINUTE),
        (Grain.HOUR, NOON),
        (Grain.DAY, NOON - 12 * HOUR),
        (Grain.EVER, BEGINNING),
    ],
)
def test_a_period_starts_at_its_full_minute_hour_or_day(grain, start):  # R53
    assert start_of(grain, NOON + 34 * MINUTE + 56 * SECOND) == start


def test_sums_of_one_key_are_merged_and_stand_in_the_order_of_their_keys():  # R53
    sums = merged([a_rollup(job="b"), a_rollup(job="a"), a_rollup(job="b", took=HOUR)])

    assert [(one.key.job, one.number, one.duration_most) for one in sums] == [("a", 1, 2 * SECOND), ("b", 2, HOUR)]


def test_a_minute_is_part_of_its_hour_its_day_and_the_whole_time():  # R53
    sheet = a_sheet(a_rollup(start_at=NOON + MINUTE), a_rollup(start_at=NOON + 2 * MINUTE), measures=(a_measure(),))

    whole = spread(sheet, apart=lambda tenant: True)

    numbers = [(one.key.grain, one.number) for one in whole.rollups]
    assert sorted(numbers) == [(Grain.DAY, 2), (Grain.EVER, 2), (Grain.HOUR, 2), (Grain.MINUTE, 1), (Grain.MINUTE, 1)]
    assert {one.key.grain for one in whole.measures} == set(Grain)
    assert (whole.source, whole.number) == (sheet.source, sheet.number)


def test_over_the_whole_time_only_some_tenants_are_kept_apart():  # R53
    sheet = a_sheet(a_rollup(tenant="acme"), a_rollup(tenant="globex"), a_rollup(tenant="initech"))

    whole = spread(sheet, apart=lambda tenant: tenant == "acme")

    ever = [(one.key.tenant, one.number) for one in whole.rollups if one.key.grain is Grain.EVER]
    assert ever == [("", 2), ("acme", 1)]


def test_sums_are_added_up_over_the_fields_that_are_not_named():  # R53
    rollups = [a_rollup(tenant="acme"), a_rollup(tenant="globex", start_at=NOON + MINUTE)]

    [one] = collapsed(rollups, {"job"}, since=NOON)

    assert (one.key.job, one.key.tenant, one.key.start_at, one.number) == ("report", "", NOON, 2)


def of(*seconds):
    buckets = [0] * BUCKETS
    for one in seconds:
        buckets[bucket_of(one)] += 1
    return buckets


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95, 0.99, 1.0])
@pytest.mark.parametrize("longest", [0.0005, 0.7, 3.0, 19_999.0, 90_000.0])
def test_a_percentile_is_in_the_bucket_of_the_true_one(share, longest):  # R53
    durations = sorted(longest * i / 500 for i in range(1, 501))

    read = percentile(of(*durations), share, most=timedelta(seconds=longest)).total_seconds()

    true = durations[max(round(share * 500) - 1, 0)]
    low = ([0.0, *EDGES_S])[bucket_of(true)]
    high = ([*EDGES_S, longest])[bucket_of(true)]
    assert low <= read <= min(high, longest)


def test_the_highest_percentile_is_the_longest_there_was():  # R53
    assert percentile(of(3.0, 3.1, 4.5), 1.0, most=timedelta(seconds=4.5)) == timedelta(seconds=4.5)


def test_nothing_has_no_percentile():  # R53
    assert percentile([0] * BUCKETS, 0.5, most=SECOND) is None


@pytest.mark.parametrize(
    ("span", "grain"), [(HOUR, Grain.MINUTE), (DAY, Grain.HOUR), (7 * DAY, Grain.HOUR), (90 * DAY, Grain.DAY)]
)
def test_the_longer_the_time_the_longer_the_periods_that_are_read(span, grain):  # R53
    assert grain_for(span) is grain
