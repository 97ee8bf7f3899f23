"""The example of a job that breaks: everything is told, once."""

import subprocess
import sys

import pytest

from tests.house.source import ROOT


@pytest.mark.timeout(240)
def test_a_job_breaks_and_whoever_is_on_call_is_told_of_it_and_of_its_end():  # R50, R51
    told = subprocess.run(
        [sys.executable, "-m", "examples.oncall.demo"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert told.returncode == 0, told.stdout + told.stderr
    subjects = [line.strip() for line in told.stdout.splitlines() if "a mail:" in line]
    assert sorted(subjects) == [
        "a mail: [Rota] Recovered: count_orders fails for carla",
        "a mail: [Rota] Recovered: count_orders has not succeeded in time for carla",
        "a mail: [Rota] count_orders fails for carla",
        "a mail: [Rota] count_orders has not succeeded in time for carla",
    ]
    assert "the status page: {'fresh': 4, 'stale': 1}" in told.stdout
