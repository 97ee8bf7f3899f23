"""Which slots that were kept for a parked tenant are made up."""

import pytest

from rota.core.model import Trigger
from rota.core.policy import CatchUp
from rota.core.recovery import is_kept_slot, not_made_up
from tests.values import HOUR, MINUTE, NOON, a_run, a_slot_run

KEPT = [a_slot_run(slot=NOON + hours * HOUR) for hours in range(4)]
"""Slots of 12:00 to 15:00."""


@pytest.mark.parametrize(
    ("policy", "made_up"),
    [
        (CatchUp.latest(), [15]),
        (CatchUp.all(), [12, 13, 14, 15]),
        (CatchUp.all(limit=2), [14, 15]),
        (CatchUp.all(within=2 * HOUR), [14, 15]),
        (CatchUp.none(), [15]),
    ],
)
def test_the_policy_of_the_schedule_decides_what_is_made_up(policy, made_up):  # R8, R25
    left_out = not_made_up(KEPT[::-1], policy, now=NOON + 3 * HOUR + MINUTE)

    assert [run.slot.hour for run in KEPT if run not in left_out] == made_up
    assert [run.slot for run in left_out] == sorted(run.slot for run in left_out)


def test_without_catch_up_a_slot_that_is_late_is_not_made_up():  # R8
    assert not_made_up(KEPT, CatchUp.none(), now=NOON + 4 * HOUR) == KEPT


@pytest.mark.parametrize(
    "run",
    [a_run(), a_slot_run(trigger=Trigger.BACKFILL), a_slot_run(attempt=1)],
    ids=["asked for", "backfilled", "begun before"],
)
def test_only_slots_that_never_began_are_decided_on(run):  # R12, R25
    assert not is_kept_slot(run)
