"""Daylight saving, R3, against the oracle and against the vectors of the reliability document."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from rota.core.kind import Calendar, Cron, Interval, Once, Unit
from rota.core.timing import newest_slots, next_slot, slot_before, slots
from rota.core.words import parse
from tests.core import oracle

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # shifts by 30 minutes
    "Antarctica/Troll",  # by two hours
    "America/Havana",  # a gap at midnight
    "Asia/Beirut",
    "America/Santiago",
    "Africa/Cairo",
    "Africa/Casablanca",  # goes back for Ramadan
    "Pacific/Chatham",  # 45 minutes off the hour
    "America/St_Johns",
]
EXPRESSIONS = [
    "30 2 * * *",
    "0 0 * * *",
    "15 1 * * *",
    "45 1 * * SUN",
    "0,30 1-3 * * *",
    "0-30/10 2 * * *",
    "*/15 * * * *",
    "*/20 2 * * *",
    "17 * * * *",
    "5 */2 * * *",
    "59 23,0 * * *",
    "30 0-4 1-7 * */2",
    "15 2,3 L * 5",
    "0 3 * * 1-5",
]
SHORT = timedelta(hours=4)
"""How far to look back in zones that were set back by less than that: second by second, a day is slow."""
WHOLE_YEAR = {"since": datetime(2026, 1, 1, tzinfo=UTC), "until": datetime(2027, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize("zone", ZONES)
def test_every_expression_agrees_with_the_oracle_around_every_shift(zone):
    # R3, D5: 11 zones, 2 shifts each (Casablanca and Cairo too), 14 expressions: 308 cases.
    changes = oracle.shifts(ZoneInfo(zone), **WHOLE_YEAR)
    assert len(changes) == 2

    for change in changes:
        after, until = change - timedelta(hours=20), change + timedelta(hours=27)
        for expression in EXPRESSIONS:
            expected = oracle.slots(expression, ZoneInfo(zone), after=after, until=until, look_back=SHORT)
            timing = Cron(expression=expression, tz=zone)

            assert list(slots(timing, after=after, until=until)) == expected, expression
            assert newest_slots(timing, after=after, until=until, limit=10_000) == expected, expression


@pytest.mark.parametrize(
    ("zone", "local", "expected"),
    [
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29T01:00Z"),
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25T00:30Z"),
        ("America/New_York", "2026-03-08 02:30", "2026-03-08T07:00Z"),
        ("America/New_York", "2026-11-01 01:30", "2026-11-01T05:30Z"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03T15:30Z"),
        ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04T14:45Z"),
        ("America/Havana", "2026-03-08 00:00", "2026-03-08T05:00Z"),
        ("America/Santiago", "2026-09-06 00:00", "2026-09-06T04:00Z"),
        ("Africa/Cairo", "2026-04-24 00:00", "2026-04-23T22:00Z"),
        ("Asia/Beirut", "2026-03-29 00:00", "2026-03-28T22:00Z"),
        ("Antarctica/Troll", "2026-03-29 01:30", "2026-03-29T01:00Z"),
        ("Africa/Casablanca", "2026-02-15 02:30", "2026-02-15T01:30Z"),
        ("Pacific/Apia", "2011-12-30 12:00", "2011-12-30T10:00Z"),
        ("America/Sao_Paulo", "2026-10-18 00:00", "2026-10-18T03:00Z"),
    ],
)
def test_a_fixed_time_is_kept_exactly_once_whatever_the_clocks_do(zone, local, expected):
    # R3, D5: the table of the reliability document. The day's own slot, and no other until the next day's.
    at = datetime.fromisoformat(local)
    slot = datetime.fromisoformat(expected)
    daily = Cron(expression=f"{at.minute} {at.hour} * * *", tz=zone)
    said = Calendar(unit=Unit.DAY, at=at.time(), tz=zone)
    once = Once(at=at, tz=zone)

    for timing in (daily, said):
        # The days before and after a slot are hardly ever 24 hours away; those of Apia are 12.
        assert slot_before(timing, slot) <= slot - timedelta(hours=12)
        assert next_slot(timing, after=slot - timedelta(hours=11)) == slot
        assert next_slot(timing, after=slot) >= slot + timedelta(hours=12)
    assert list(slots(once, after=slot - timedelta(days=900), until=slot + timedelta(days=900))) == [slot]


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Africa/Monrovia", datetime(1972, 1, 7, 0, 44, 30, tzinfo=UTC)),  # from -00:44:30 to 0
        (
            "Europe/Amsterdam",
            datetime(1937, 6, 30, 23, 40, 28, tzinfo=UTC),
        ),  # once +00:19:32, if the zone is kept apart
        ("America/New_York", datetime(1883, 11, 18, 17, 0, tzinfo=UTC)),  # from local mean time, -4:56:02
        ("Asia/Kolkata", datetime(1941, 9, 30, 18, 7, 20, tzinfo=UTC)),
    ],
)
@pytest.mark.parametrize("expression", ["30 0 * * *", "*/10 * * * *", "15,45 0 0 * * *"])
def test_offsets_with_odd_seconds_are_exact(zone, change, expression):
    # R3
    after, until = change - timedelta(hours=2), change + timedelta(hours=2)

    expected = oracle.slots(expression, ZoneInfo(zone), after=after, until=until, step=oracle.SECOND, look_back=SHORT)

    timing = Cron(expression=expression, tz=zone)
    assert list(slots(timing, after=after, until=until)) == expected
    assert newest_slots(timing, after=after, until=until, limit=1000) == expected


@pytest.mark.parametrize("expression", ["10,40 30 2 * * *", "*/20 * 2 * * *", "0 59 1 * * *", "*/30 */30 * * * *"])
def test_seconds_follow_the_same_rules(expression):
    # R2, R3: cronsim alone lets six-field expressions off the rules for fixed times.
    for change in oracle.shifts(ZoneInfo("Europe/Berlin"), **WHOLE_YEAR):
        after, until = change - timedelta(hours=2), change + timedelta(hours=3)

        expected = oracle.slots(
            expression, ZoneInfo("Europe/Berlin"), after=after, until=until, step=oracle.SECOND, look_back=SHORT
        )

        assert list(slots(Cron(expression=expression, tz="Europe/Berlin"), after=after, until=until)) == expected


def test_a_start_inside_the_second_pass_moves_on():
    # R3: the wall clock shows 02:10 for the second time; 02:30 was kept in the first pass.
    second_pass = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)

    assert next_slot(parse("30 2 * * * Europe/Berlin"), after=second_pass) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
    assert next_slot(parse("*/30 * * * * Europe/Berlin"), after=second_pass) == datetime(
        2026, 10, 25, 1, 30, tzinfo=UTC
    )
    assert slot_before(parse("30 2 * * * Europe/Berlin"), second_pass) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_each_step_is_strictly_later_through_a_repeated_hour():
    # R3
    timing = parse("*/10 * * * * Europe/Berlin")
    at = datetime(2026, 10, 24, 23, 55, tzinfo=UTC)
    stepped = []
    for _ in range(20):
        at = next_slot(timing, after=at)
        stepped.append(at)

    assert all(later - earlier == timedelta(minutes=10) for earlier, later in pairwise(stepped))


def test_a_start_one_microsecond_before_the_gap_ends_finds_the_slot_of_the_gap():
    # R3
    gap_ends = datetime(2026, 3, 29, 1, tzinfo=UTC)
    timing = parse("daily at 02:30 Europe/Berlin")

    assert next_slot(timing, after=gap_ends - timedelta(microseconds=1)) == gap_ends
    assert next_slot(timing, after=gap_ends) == datetime(2026, 3, 30, 0, 30, tzinfo=UTC)
    assert slot_before(timing, gap_ends + timedelta(microseconds=1)) == gap_ends
    assert slot_before(timing, gap_ends) == datetime(2026, 3, 28, 1, 30, tzinfo=UTC)


def test_times_that_fall_into_one_gap_are_kept_once():
    # R3: 02:00, 02:30 and 03:00 are one instant that night.
    timing = parse("0,30 2,3 * * * Europe/Berlin")

    found = list(slots(timing, after=datetime(2026, 3, 29, tzinfo=UTC), until=datetime(2026, 3, 29, 12, tzinfo=UTC)))

    assert [slot.strftime("%H:%M") for slot in found] == ["01:00", "01:30"]


def test_an_interval_is_elapsed_time():
    # R3: 25 hours of a Berlin day, 25 slots.
    hourly = Interval(every=timedelta(hours=1))
    day = {"after": datetime(2026, 10, 24, 22, tzinfo=UTC), "until": datetime(2026, 10, 25, 23, tzinfo=UTC)}

    assert len(list(slots(hourly, **day))) == 25


def test_weeks_and_days_of_the_calendar_follow_the_rule_too():
    # R3
    every_other_day = parse("every 2 days at 02:30 from 2026-03-27 Europe/Berlin")
    every_other_week = parse("every 2 weeks on sunday at 02:30 from 2026-03-15 Europe/Berlin")
    start, end = datetime(2026, 3, 26, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)

    assert [f"{slot:%d %H:%M}" for slot in slots(every_other_day, after=start, until=end)] == [
        "27 01:30",
        "29 01:00",
        "31 00:30",
    ]
    assert [f"{slot:%d %H:%M}" for slot in slots(every_other_week, after=start, until=end)] == ["29 01:00"]
