"""A schedule in the shadow of another system: which of the two did what."""

from datetime import timedelta

import pytest

from rota.core.shadow import Fired, Verdict, compared, ran_there
from rota.core.watched import Ping, PingKind
from tests.values import HOUR, MINUTE, NOON, SECOND

BOTH, HERE, THERE = Verdict.BOTH, Verdict.ONLY_HERE, Verdict.ONLY_THERE


def fired(*hours: int):
    return [Fired(slot=NOON + hour * HOUR, at=NOON + hour * HOUR + SECOND) for hour in hours]


def verdicts(slots, there, *, within=15 * MINUTE, now=NOON + 24 * HOUR):
    times = [NOON + timedelta(hours=hours) for hours in there]
    return [
        (row.slot and (row.slot - NOON) // HOUR, row.verdict) for row in compared(slots, times, within=within, now=now)
    ]


@pytest.mark.parametrize(
    ("slots", "there", "found"),
    [
        ((0, 1), (0.01, 1.2), [(0, BOTH), (1, BOTH)]),
        ((0, 1), (0.01,), [(0, BOTH), (1, HERE)]),
        ((0,), (0.01, 1.0), [(0, BOTH), (None, THERE)]),
        # An hour off, as with a wrong zone: neither of the two is what was meant.
        ((0,), (1.0,), [(0, HERE), (None, THERE)]),
        # The clock of the other system is a little ahead, but not by a quarter of an hour.
        ((1,), (0.99,), [(1, BOTH)]),
        ((1,), (0.75,), [(None, THERE), (1, HERE)]),
        # One slot is for one run.
        ((0,), (0.01, 0.02), [(0, BOTH), (None, THERE)]),
        ((), (), []),
    ],
)
def test_a_run_there_belongs_to_the_slot_it_is_near(slots, there, found):
    assert verdicts(fired(*slots), there) == found


def test_of_two_slots_that_are_near_the_newer_one_is_meant():
    slots = [Fired(slot=NOON + number * 5 * MINUTE, at=NOON) for number in range(3)]

    rows = compared(slots, [NOON + 6 * MINUTE], within=15 * MINUTE, now=NOON + HOUR)

    assert {row.slot: row.verdict for row in rows} == {
        NOON: HERE, NOON + 5 * MINUTE: BOTH, NOON + 10 * MINUTE: HERE
    }  # fmt: skip


def test_a_run_of_each_minute_belongs_to_its_own():
    slots = [Fired(slot=NOON + number * MINUTE, at=NOON) for number in range(3)]

    # On the second: it is also just as much before the next one as a clock may be ahead.
    rows = compared(slots, [NOON, NOON + 2 * MINUTE], within=15 * MINUTE, now=NOON + HOUR)

    assert [row.verdict for row in rows] == [BOTH, HERE, BOTH]


def test_a_slot_for_which_there_is_still_time_is_left_out():
    assert verdicts(fired(0, 1), (0,), now=NOON + HOUR + 15 * MINUTE) == [(0, BOTH)]
    assert verdicts(fired(0, 1), (0,), now=NOON + HOUR + 16 * MINUTE) == [(0, BOTH), (1, HERE)]


def test_a_start_and_its_end_are_one_run():
    said = [
        (0, PingKind.START), (1, PingKind.LOG), (2, PingKind.SUCCESS), (3, PingKind.SUCCESS), (4, PingKind.FAIL),
        (5, PingKind.START), (6, PingKind.START), (7, PingKind.FAIL),
    ]  # fmt: skip
    pings = [Ping(id=str(at), name="nightly", at=NOON + at * MINUTE, kind=kind) for at, kind in reversed(said)]

    assert [(at - NOON) // MINUTE for at in ran_there(pings)] == [0, 3, 4, 5, 6]
