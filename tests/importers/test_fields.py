"""Fields of other systems: the expression that is written has the slots that were meant."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.timing import slots
from rota.core.words import parse
from rota.errors import NoEqual
from rota.importers.apscheduler_times import DIALECT as APSCHEDULER
from rota.importers.celery_times import DIALECT as CELERY
from rota.importers.fields import DAY, HOUR, MINUTE, MONTH, WEEKDAY, Chosen, any_of, expression, values

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("dialect", "span", "text", "numbers"),
    [
        (CELERY, MINUTE, "*/15", {0, 15, 30, 45}),
        (CELERY, MINUTE, "1,13,30-33,50-59/4", {1, 13, 30, 31, 32, 33, 50, 54, 58}),
        (CELERY, WEEKDAY, "mon-fri", {1, 2, 3, 4, 5}),
        (CELERY, WEEKDAY, "fri-mon", {5, 6, 0, 1}),
        (CELERY, WEEKDAY, "Sunday", {0}),
        (CELERY, WEEKDAY, "*/2", {0, 2, 4, 6}),
        (CELERY, HOUR, "22-2", {22, 23, 0, 1, 2}),
        (CELERY, DAY, "2-30/7", {2, 9, 16, 23, 30}),
        (APSCHEDULER, WEEKDAY, "0", {1}),
        (APSCHEDULER, WEEKDAY, "6", {0}),
        (APSCHEDULER, WEEKDAY, "mon-fri", {1, 2, 3, 4, 5}),
        (APSCHEDULER, WEEKDAY, "*/2", {1, 3, 5, 0}),
        (APSCHEDULER, MINUTE, "50/5", {50, 55}),
        (APSCHEDULER, MONTH, "jan-mar", {1, 2, 3}),
    ],
)
def test_a_field_is_read_as_its_own_system_reads_it(dialect, span, text, numbers):
    assert values(text, span, dialect).numbers == numbers


@pytest.mark.parametrize(
    ("dialect", "span", "text"),
    [
        (CELERY, MINUTE, "60"),
        (CELERY, WEEKDAY, "7"),
        (CELERY, MONTH, "jan"),
        (CELERY, MINUTE, "*/0"),
        (CELERY, MINUTE, "5/10"),
        (CELERY, MINUTE, ""),
        (CELERY, MINUTE, "1,,2"),
        (CELERY, MINUTE, "-1"),
        (CELERY, DAY, "0"),
        (CELERY, MINUTE, "9" * 5000),
        (APSCHEDULER, HOUR, "22-2"),
        (APSCHEDULER, WEEKDAY, "monday"),
    ],
)
def test_what_its_own_system_refuses_is_refused(dialect, span, text):
    with pytest.raises(NoEqual):
        values(text, span, dialect)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "* * * * *"),
        ({"minute": "0", "hour": "*/3"}, "0 */3 * * *"),
        # A list that happens to be every twelfth hour stays fixed times: daylight saving treats them so (R3).
        ({"minute": "0", "hour": "0,12"}, "0 0,12 * * *"),
        ({"minute": "0", "hour": "8-17"}, "0 8-17 * * *"),
        ({"minute": "0", "hour": "0", "weekday": "0-6", "day": "5"}, "0 0 5 * *"),
        ({"minute": "0", "hour": "0", "weekday": "1", "day": "1-7"}, "0 0 * * 1#1"),
        ({"minute": "0", "hour": "0", "weekday": "1,3", "day": "1-7,15-21"}, "0 0 * * 1#1,3#1,1#3,3#3"),
        ({"minute": "0", "hour": "0", "weekday": "1", "day": "*/2"}, "0 0 */2 * 1"),
        ({"minute": "0", "hour": "0", "weekday": "*/2", "day": "1-3"}, "0 0 1-3 * */2"),
    ],
)
def test_the_expression_is_as_short_as_it_can_be(fields, text):  # R2
    spans = {"minute": MINUTE, "hour": HOUR, "day": DAY, "month": MONTH, "weekday": WEEKDAY}

    read = {name: values(fields.get(name, "*"), span, CELERY) for name, span in spans.items()}

    assert expression(**read) == text


def some(span):
    return st.sets(st.integers(span.low, span.high), min_size=1).map(lambda found: Chosen(numbers=frozenset(found)))


WEEKS = st.sets(st.integers(1, 5), min_size=1).map(
    lambda weeks: Chosen(numbers=frozenset(day for week in weeks for day in range(7 * week - 6, min(7 * week, 31) + 1)))
)
STEPS = st.integers(2, 15).map(lambda step: Chosen(numbers=frozenset(range(1, 32, step)), has_star=True))


@given(day=some(DAY) | WEEKS | STEPS | st.just(any_of(DAY)), weekday=some(WEEKDAY) | st.just(any_of(WEEKDAY)))
def test_a_day_is_due_when_it_matches_both_fields_or_the_two_are_refused(day, weekday):  # R2
    noon = Chosen(numbers=frozenset({12}))
    zero = Chosen(numbers=frozenset({0}))
    try:
        text = expression(minute=zero, hour=noon, day=day, month=any_of(MONTH), weekday=weekday)
    except NoEqual:
        assert DAY.all != day.numbers and WEEKDAY.all != weekday.numbers
        return

    due = {slot.date() for slot in islice(slots(parse(text), after=START, until=START + timedelta(days=120)), 200)}

    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(120)]
    assert due == {one for one in days if one.day in day.numbers and one.isoweekday() % 7 in weekday.numbers}
