"""The table of cases in the guide is what the code does."""

import re
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from rota.core.timing import slots, zone_of
from rota.core.words import parse

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "daylight-saving.md"
ROW = re.compile(r"\| `([^`]+)` \| (\d{4}-\d{2}-\d{2})(?: in ([A-Za-z/_]+))? \| (.*?) \|")


def rows() -> list[tuple[str, str, str, str]]:
    return [match.groups() for line in PAGE.read_text(encoding="utf-8").splitlines() if (match := ROW.match(line))]


def computed(text: str, day: str, zone: str | None) -> str:
    """Return the slots on a local day, as the table shows them."""
    timing = parse(text)
    here = ZoneInfo(zone) if zone else zone_of(timing)
    first = datetime.combine(datetime.fromisoformat(day), time(), tzinfo=here)
    last = datetime.combine(first.date() + timedelta(days=1), time(), tzinfo=here)
    tick = timedelta.resolution
    found = slots(timing, after=first.astimezone(UTC) - tick, until=last.astimezone(UTC) - tick)
    return ", ".join(f"{slot:%H:%M}" for slot in found) or "not on this day"


def test_the_table_has_the_cases_that_matter():  # R3
    text = PAGE.read_text(encoding="utf-8")

    assert len(rows()) >= 16
    for place in ("Lord_Howe", "Troll", "Havana", "Beirut", "Berlin", "New_York"):
        assert place in text


@pytest.mark.parametrize(("text", "day", "zone", "said"), rows())
def test_each_case_of_the_page_is_what_the_code_does(text, day, zone, said):  # R3
    assert computed(text, day, zone) == said
