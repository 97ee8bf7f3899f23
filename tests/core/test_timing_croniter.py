"""croniter beside ours: a second opinion on when crons are due, with each known difference named.

Two implementations that agree prove more than one. Where they differ, R2 and R3 say who is right, and the set of
differences is held, so that a new one is looked at.
"""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from rota.core.kind import Cron
from rota.core.timing import slots
from tests.core import oracle

EXPRESSIONS = [
    "30 2 * * *",
    "15 1 * * *",
    "0 0 * * *",
    "*/15 * * * *",
    "17 * * * *",
    "0 9 * * 1-5",
    "0 0 13 * 5",
    "0 0 L * *",
    "0 0 * * 5#2",
    "5,35 */6 1-7 * *",
    "0 3 31 * *",
    "0 0 29 2 *",
]
WHOLE_YEAR = {"since": datetime(2026, 1, 1, tzinfo=UTC), "until": datetime(2027, 1, 1, tzinfo=UTC)}
SHIFTING = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Antarctica/Troll"]

# Where croniter 7.0.0 keeps a fixed time in both passes of a repeated hour, which R3 forbids.
KEPT_TWICE = {
    ("Europe/Berlin", "30 2 * * *"),
    ("America/New_York", "15 1 * * *"),
    ("America/Havana", "0 0 * * *"),
    ("Antarctica/Troll", "30 2 * * *"),
    ("Antarctica/Troll", "15 1 * * *"),
}


def theirs(expression: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    found = []
    for local in croniter(expression, after.astimezone(ZoneInfo(zone)), ret_type=datetime):
        slot = local.astimezone(UTC)
        if slot > until:
            break
        found.append(slot)
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_both_agree_where_the_clocks_do_not_change(expression):
    # R2: the calendar alone, in UTC.
    after = datetime(2026, 5, 1, 0, 0, 30, tzinfo=UTC)
    ours = list(islice(slots(Cron(expression=expression), after=after, until=after + timedelta(days=9000)), 40))

    assert theirs(expression, "UTC", after, ours[-1]) == ours


def test_the_differences_where_the_clocks_change_are_the_known_ones():
    # R3: in each of them the oracle is on our side.
    differences = set()
    for zone in SHIFTING:
        for change in oracle.shifts(ZoneInfo(zone), **WHOLE_YEAR):
            after, until = change - timedelta(hours=20), change + timedelta(hours=27)
            for expression in EXPRESSIONS[:5]:
                ours = list(slots(Cron(expression=expression, tz=zone), after=after, until=until))
                other = theirs(expression, zone, after, until)
                if ours != other:
                    print(f"{zone}, {expression}: ours {ours}, croniter's {other}")
                    differences.add((zone, expression))
                    assert ours == oracle.slots(expression, ZoneInfo(zone), after=after, until=until)
                    assert len(other) == len(ours) + 1

    assert differences == KEPT_TWICE
