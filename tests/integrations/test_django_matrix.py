"""The other versions of Django, each in an environment that scripts/matrix has made, and Django's own tests."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SKIP_REASON
from tests.house.source import ROOT

FOLDER = ROOT / ".venv" / "matrix"
TESTS = Path("tests/integrations/django")
# Where nothing is there yet, the first of them waits for it.
pytestmark = pytest.mark.timeout(300)

VERSIONS = {"3.12": "6.0", "3.13": "6.1"}
OURS = ("test_tasks.py", "test_checks.py", "test_databases.py")
"""What is tested there of ours: what depends on Django's version."""


@pytest.fixture(scope="module", autouse=True)
def made():
    """Wait for scripts/matrix, which `make test` runs meanwhile."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)


def python_of(version):
    """Return the interpreter of an environment; skip, and be named at the end, where there is none."""
    if not (FOLDER / version / "made").exists():
        pytest.skip(f"{SKIP_REASON}: Python {version} with Django {VERSIONS[version]}: see scripts/matrix")
    return str(FOLDER / version / "bin" / "python")


def django_tests(version):
    folder = FOLDER / version / "source" / "tests" / "tasks"
    if not folder.exists():
        pytest.skip(f"{SKIP_REASON}: Django's own tests: see scripts/matrix")
    return folder


def run(*command):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


@pytest.mark.parametrize("version", VERSIONS)
def test_our_tests_pass_with_another_django(version):
    python, tests = python_of(version), [str(TESTS / name) for name in OURS]

    # No server is met there, and no driver installed.
    run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not postgres", *tests)


@pytest.mark.parametrize("version", VERSIONS)
def test_django_s_own_tests_pass(version):
    run(python_of(version), "-m", "tests.integrations.django.django_own", str(django_tests(version)))


def test_django_s_own_tests_pass_on_the_back_port():
    run(sys.executable, "-m", "tests.integrations.django.django_own", str(django_tests("3.12")))
