"""The signature of a function survives the decorator."""

from pathlib import Path

from mypy import api


def test_a_type_checker_sees_the_arguments_of_a_job():  # R31
    calls = Path(__file__).parent / "calls.py"

    said, broken, status = api.run(["--strict", "--config-file", "pyproject.toml", str(calls)])

    assert (status, broken) == (0, ""), said
