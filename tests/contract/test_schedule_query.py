"""Schedules are found by what is asked of them, by name, page by page."""

import pytest

from rota.core.model import Origin, ScheduleState
from rota.queries import ScheduleQuery
from tests.values import DAY, HOUR, NOON, a_schedule

SCHEDULES = [
    a_schedule(name="a", job="report"),
    a_schedule(name="b", job="mail", origin=Origin.ROW, next_at=None),
    a_schedule(name="c", job="report", state=ScheduleState.PAUSED, paused_until=NOON),
    a_schedule(name="d", job="mail", state=ScheduleState.PAUSED, paused_until=NOON + DAY),
    a_schedule(name="e", job="count", state=ScheduleState.PAUSED),
    a_schedule(name="f", job="count", state=ScheduleState.FAILED, next_at=None, origin=Origin.ROW),
]


@pytest.fixture
def full(store):
    for schedule in SCHEDULES:
        assert store.put_schedule(schedule, expected_version=None)
    return store


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "abcdef"),
        ({"states": (ScheduleState.ACTIVE,)}, "ab"),
        ({"states": (ScheduleState.PAUSED, ScheduleState.FAILED)}, "cdef"),
        ({"states": (ScheduleState.DONE,)}, ""),
        ({"jobs": ("report",)}, "ac"),
        ({"jobs": ("report", "count")}, "acef"),
        ({"jobs": ("REPORT",)}, ""),
        ({"origin": Origin.ROW}, "bf"),
        ({"origin": Origin.CODE}, "acde"),
        ({"has_next": True}, "acde"),
        ({"has_next": False}, "bf"),
        ({"has_next": False, "states": (ScheduleState.ACTIVE,)}, "b"),
        ({"pause_over": NOON - HOUR}, ""),
        ({"pause_over": NOON}, "c"),
        ({"pause_over": NOON + DAY}, "cd"),
        ({"pause_over": NOON + DAY, "jobs": ("mail",)}, "d"),
        ({"after": "c"}, "def"),
        ({"after": "c", "states": (ScheduleState.PAUSED,)}, "de"),
        ({"limit": 2}, "ab"),
        ({"limit": 2, "after": "b"}, "cd"),
        ({"limit": 2, "origin": Origin.CODE, "after": "a"}, "cd"),
        ({"after": "f"}, ""),
    ],
)
def test_every_field_narrows_the_answer(full, query, expected):
    assert [schedule.name for schedule in full.schedules(ScheduleQuery(**query))] == list(expected)


def test_names_are_in_the_same_order_page_by_page_on_every_store(store):
    names = ["B", "a", "Z-1", "_x", "é", "z", "日"]
    for name in names:
        store.put_schedule(a_schedule(name=name), expected_version=None)

    pages, after = [], None
    while page := store.schedules(ScheduleQuery(after=after, limit=2)):
        pages += [schedule.name for schedule in page]
        after = page[-1].name

    assert pages == sorted(names)


def test_what_a_schedule_declares_comes_back_as_it_was_given(store):  # R5, R7, R12, R15, R24
    schedule = a_schedule(
        exclude=("acme", "globex"),
        zones=("Europe/Berlin", "America/New_York"),
        jitter=HOUR / 3,
        keep=True,
        declared='{"timing":"every day at 03:00"}',
        confirmed_at=NOON - HOUR,
        state=ScheduleState.FAILED,
        reason="attempts are used up",
        paused_by="ana",
        paused_until=NOON + DAY,
    )

    store.put_schedule(schedule, expected_version=None)

    assert store.schedules() == [schedule]
    assert store.schedule("nightly") == schedule


def test_a_schedule_is_dropped_by_who_names_its_version(store):
    store.put_schedule(a_schedule(version=2), expected_version=None)

    assert not store.drop_schedule("nightly", expected_version=1)
    assert store.schedule("nightly") is not None
    assert store.drop_schedule("nightly", expected_version=2)
    assert not store.drop_schedule("nightly", expected_version=2)


def test_a_schedule_is_dropped_whatever_its_version_when_none_is_named(store):
    store.put_schedule(a_schedule(version=7), expected_version=None)

    assert store.drop_schedule("nightly")
    assert store.schedules() == []
