"""The signature of a function survives the decorator."""

import sys
from pathlib import Path

import pytest
from mypy import api


@pytest.fixture(autouse=True)
def _depth_stays_as_it_was():
    """Take back what mypy does to its process, in which other tests count on how deep a call may go."""
    before = sys.getrecursionlimit()
    yield
    sys.setrecursionlimit(before)


def test_a_type_checker_sees_the_arguments_of_a_job():  # R31
    calls = Path(__file__).parent / "calls.py"

    said, broken, status = api.run(["--strict", "--config-file", "pyproject.toml", str(calls)])

    assert (status, broken) == (0, ""), said
