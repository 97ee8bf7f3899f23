"""The fuzzer, `fuzz.py`, in a process of its own; it says there why."""

import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).parent / "fuzz.py"


@pytest.mark.timeout(600)
def test_whatever_a_fuzzer_asks_is_answered_as_the_document_says():  # R64
    words = ["-m", "pytest", "-q", "-p", "schemathesis.pytest.plugin", str(FUZZ)]

    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
