from datetime import UTC, datetime, timedelta

import pytest

from rota.core.agenda import agenda
from rota.core.catchup import MOST_AT_ONCE, due_slots
from rota.core.policy import CatchUp
from rota.core.words import parse

START = datetime(2026, 6, 1, tzinfo=UTC)
HOURLY = agenda(parse("0 * * * *"), ())


def hours(*numbers: float) -> list[datetime]:
    return [START + timedelta(hours=number) for number in numbers]


def test_nothing_is_due_before_the_next_slot():
    due = due_slots(HOURLY, CatchUp.all(), after=START, now=START + timedelta(minutes=59))

    assert (due.slots, due.cursor, due.next_at) == ((), START, START + timedelta(hours=1))


@pytest.mark.parametrize("policy", [CatchUp.none(), CatchUp.latest(), CatchUp.all()])
def test_a_slot_on_time_runs_under_every_policy(policy):
    due = due_slots(HOURLY, policy, after=START, now=START + timedelta(hours=1, seconds=20))

    assert list(due.slots) == hours(1)
    assert due.skipped_until is None
    assert (due.cursor, due.next_at) == tuple(hours(1, 2))


@pytest.mark.parametrize(
    ("policy", "run", "skipped"),
    [
        (CatchUp.none(), [], (1, 5)),
        (CatchUp.latest(), [5], (1, 4)),
        (CatchUp.all(), [1, 2, 3, 4, 5], None),
        (CatchUp.all(limit=2), [4, 5], (1, 3)),
        (CatchUp.all(limit=9), [1, 2, 3, 4, 5], None),
        (CatchUp.all(within=timedelta(hours=3)), [3, 4, 5], (1, 2)),
        (CatchUp.all(limit=1, within=timedelta(hours=3)), [5], (1, 4)),
        (CatchUp.all(within=timedelta(minutes=10)), [], (1, 5)),
    ],
)
def test_what_was_missed_runs_or_is_recorded_as_one_range(policy, run, skipped):  # R8
    due = due_slots(HOURLY, policy, after=START, now=START + timedelta(hours=5, minutes=30))

    assert list(due.slots) == hours(*run)
    assert [due.skipped_from, due.skipped_until] == (hours(*skipped) if skipped else [None, None])
    assert (due.cursor, due.next_at) == tuple(hours(5, 6))


def test_every_slot_of_a_long_pause_runs_in_steps_and_none_is_left_out():  # R8
    now = START + timedelta(hours=2 * MOST_AT_ONCE + 7)
    cursor, run = START, []

    while (due := due_slots(HOURLY, CatchUp.all(), after=cursor, now=now)).slots:
        assert due.skipped_until is None
        run += due.slots
        cursor = due.cursor

    assert run == list(HOURLY.slots(after=START, until=now))


def test_a_single_slot_that_is_late_is_missed_for_the_policy_none():  # R8
    due = due_slots(HOURLY, CatchUp.none(), after=START, now=START + timedelta(hours=1, minutes=5))

    assert due.slots == ()
    assert [due.skipped_from, due.skipped_until] == hours(1, 1)


def test_a_one_time_schedule_has_nothing_after_it():
    once = agenda(parse("at 2026-06-01T05:00"), ())

    due = due_slots(once, CatchUp.latest(), after=START, now=START + timedelta(hours=9))

    assert (list(due.slots), due.next_at) == (hours(5), None)


def test_a_missed_night_across_a_clock_change_is_made_up_slot_by_slot():  # R3, R8
    nightly = agenda(parse("daily at 02:30 Europe/Berlin"), ())
    after = datetime(2026, 3, 27, 12, tzinfo=UTC)

    due = due_slots(nightly, CatchUp.all(), after=after, now=datetime(2026, 3, 31, tzinfo=UTC))

    assert [slot.strftime("%d %H:%M") for slot in due.slots] == ["28 01:30", "29 01:00", "30 00:30"]
