"""What a job in a thread changes for the others is noticed."""

import locale
import os

import pytest

from rota.core.events import ProcessChanged
from rota.engine.bus import Bus
from rota.engine.surroundings import Surroundings
from tests.values import NOON


def change_directory(folder) -> None:
    os.chdir(folder)


def change_environment(folder) -> None:
    os.environ["ANOTHER_JOBS"] = "value"


def change_umask(folder) -> None:
    os.umask(0o007)


def change_locale(folder) -> None:
    locale.setlocale(locale.LC_ALL, "C.UTF-8" if locale.setlocale(locale.LC_ALL) == "C" else "C")


def close_standard_input(folder) -> None:
    os.close(0)


@pytest.fixture
def restored(monkeypatch):
    """Put back what a test changes in its own process."""
    folder, mask, spoken, stdin = os.getcwd(), os.umask(0o022), locale.setlocale(locale.LC_ALL), os.dup(0)
    monkeypatch.setenv("ANOTHER_JOBS", "")
    yield
    os.chdir(folder)
    os.umask(mask)
    locale.setlocale(locale.LC_ALL, spoken)
    os.dup2(stdin, 0)
    os.close(stdin)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (change_directory, "the working directory"),
        (change_environment, "the environment"),
        (change_umask, "the umask"),
        (change_locale, "the locale"),
        (close_standard_input, "a standard stream"),
    ],
)
def test_what_a_job_changes_for_its_whole_process_is_said_once_with_the_jobs_that_ran(
    change, what, tmp_path, restored
):  # F12
    bus, heard = Bus(), []
    bus.on(ProcessChanged, heard.append)
    surroundings = Surroundings(lambda: ["report"], bus=bus)

    surroundings.tick(NOON)
    assert heard == [], "nothing has changed yet"
    change(tmp_path)
    surroundings.tick(NOON)
    surroundings.tick(NOON)

    assert heard == [ProcessChanged(what=(what,), jobs=("report",))]
