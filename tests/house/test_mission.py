"""Each line of docs/mission.md names tests that are there: a promise that nothing shows is none."""

import re

import pytest

from tests.house.source import ROOT

PAGE = ROOT / "docs/mission.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
ROWS = [
    line
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| What it does")
]


def test_the_page_has_the_five_systems():
    assert len(ROWS) > 50


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:60])
def test_a_line_names_a_test_that_is_there(row):
    named = NAMED.findall(row.split("|")[3])
    assert named, "no test is named"
    for path, function in named:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {function or 'test_'}", text, re.MULTILINE), f"{path} has no {function}"
