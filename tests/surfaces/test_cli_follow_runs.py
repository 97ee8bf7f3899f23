"""`rota runs --follow`: the newest runs, and each change of one."""

import json

import pytest

from rota.cli.commands import runs as command
from rota.core.model import ErrorReport
from tests.surfaces.conftest import HOSTILE, run
from tests.values import NOON, a_run, claim, failed, settle_all
from tests.web.far import InProcess, run_far


@pytest.fixture
def store(noon_app):
    return noon_app.store


@pytest.fixture
def meanwhile(monkeypatch):
    """Return what has these done between one look and the next; then the person ends it."""

    def between(*steps):
        left = list(steps)

        def sleep(_duration):
            if not left:
                raise KeyboardInterrupt
            left.pop(0)()

        monkeypatch.setattr(command, "sleep", sleep)

    return between


def queued(store, **fields):
    store.enqueue([a_run(**{"job": "report", "tenant": "acme", "max_attempts": 1} | fields)], now=NOON)


def fails(store):
    [found] = claim(store, limit=1)
    settle_all(store, failed(found, retry=False, error=ErrorReport(type="OSError", message=f"away {HOSTILE}")))


def nothing() -> None: ...


def test_each_new_run_and_each_change_is_a_line(noon_app, noon_rota, store, meanwhile):
    queued(store)
    meanwhile(nothing, lambda: fails(store), lambda: queued(store, tenant="globex"))

    result = noon_rota("runs", "--follow", "--json")

    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["tenant"], row["state"]) for row in rows] == [
        ("acme", "queued"), ("acme", "failed"), ("globex", "queued"),
    ]  # fmt: skip
    assert result.exit_code == 130


def test_lines_are_for_people_and_harmless(noon_rota, store, meanwhile):  # R65
    queued(store)
    fails(store)
    meanwhile()

    [line] = noon_rota("runs", "-f", "--state", "failed").stdout.splitlines()

    assert line.startswith("2026-06-01 12:00:00  failed       1/1  report acme  0197")
    assert "OSError: away" in line
    assert line.isprintable()


def test_a_server_is_followed_as_what_is_here(noon_app, store, meanwhile):  # R63
    queued(store)
    meanwhile()
    here = run(noon_app, "runs", "-f")
    meanwhile()

    there = run_far(noon_app, InProcess(noon_app), "runs", "-f")

    assert (there.stdout, there.exit_code) == (here.stdout, here.exit_code)


@pytest.mark.parametrize("more", [["--cursor", "0197"], ["--fail-empty"]])
def test_what_has_no_end_is_not_begun_in_the_middle(noon_rota, more):  # R64
    result = noon_rota("runs", "--follow", *more)

    assert result.exit_code == 2
    assert "leave --cursor and --fail-empty out" in result.stderr
