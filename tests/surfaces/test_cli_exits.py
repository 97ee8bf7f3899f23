"""Every exit code is reached, and every error is a message: the thing, the reason, the way out."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rota.app import Rota
from rota.cli.root import COMMANDS, root
from rota.errors import RotaError, SchemaMismatch, StoreUnavailable
from rota.exits import Exit, exit_of
from tests.surfaces.conftest import error, run

ROOT = Path(__file__).parents[2]


def subprocess_of(*args: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the real command in a directory of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ROTA_")}
    return subprocess.run(
        [sys.executable, "-m", "rota", *args],
        cwd=cwd,
        env=clean | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])} | env,
        capture_output=True,
        text=True,
        timeout=60,
    )


EXITS = [
    (Exit.OK, ["jobs"]),
    (Exit.OK, ["run", "sync", "--here"]),
    (Exit.FAILED, ["run", "broken", "--here"]),
    (Exit.FAILED, ["run", "report", "--tenant", "hooli", "--here"]),
    (Exit.USAGE, ["runs", "--limit", "many"]),
    (Exit.USAGE, ["runs", "--since", "sometime"]),
    (Exit.USAGE, ["nonsense"]),
    (Exit.USAGE, ["jobs", "nonsense"]),
    (Exit.USAGE, ["jobs", "--tz", "Mars/Base"]),
    (Exit.USAGE, ["enqueue", "report", "--tenant", "acme", "--arg", "yaer=2025"]),
    (Exit.USAGE, ["enqueue", "report"]),
    (Exit.USAGE, ["explain", "every fullmoon"]),
    (Exit.USAGE, ["backfill", "sync", "--since", "3h", "--until", "now"]),
    (Exit.NOT_FOUND, ["run", "sycn"]),
    (Exit.NOT_FOUND, ["run", "sync", "--tenant", "acne"]),
    (Exit.NOT_FOUND, ["run", "sync", "--exclude", "acne"]),
    (Exit.NOT_FOUND, ["run", "sync", "--tenant", "@silver"]),
    (Exit.NOT_FOUND, ["show", "0123456789"]),
    (Exit.NOT_FOUND, ["runs", "--fail-empty"]),
    (Exit.PARTIAL, ["run", "report", "--here"]),
]


@pytest.mark.parametrize(("code", "args"), EXITS, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_a_command_ends_with_the_code_of_what_happened(rota, code, args):  # R63
    result = rota(*args)

    assert result.exit_code == code, result.output


@pytest.mark.parametrize(
    ("raised", "code", "name", "hint"),
    [
        (StoreUnavailable("no answer from the store"), Exit.UNREACHABLE, "store_unavailable", "rota doctor"),
        (SchemaMismatch("schema 1, this code needs 2"), Exit.REFUSED, "schema_mismatch", "rota db upgrade"),
        (KeyError("tenant"), Exit.BUG, "internal_error", "run it again with -v and report what it prints"),
        (KeyboardInterrupt(), Exit.INTERRUPTED, "interrupted", None),
    ],
)
def test_an_error_is_a_document_in_json_mode(raised, code, name, hint):  # R63
    class Away(Rota):
        @property
        def store(self):
            raise raised

    result = run(Away(), "runs", "--json")

    assert result.exit_code == code
    assert result.stdout == ""
    assert error(result) | {"message": ""} == {"code": name, "message": "", "hint": hint, "exit": code}


def test_every_error_of_the_tree_has_a_code_that_is_documented():  # R63
    def below(kind):
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    found = {kind.__name__: exit_of(kind.__new__(kind)) for kind in below(RotaError)}

    assert Exit.BUG not in found.values()


def test_nothing_to_do_is_refused(rota, app):
    run_id = rota("enqueue", "broken").stdout.strip()
    rota("cancel", run_id)

    result = rota("cancel", run_id)

    assert result.exit_code == Exit.REFUSED
    assert "they are over already" in result.stderr


def test_a_real_store_that_is_away_ends_with_4_and_no_password(tmp_path):  # R63, R65
    (tmp_path / "app.py").write_text("from rota.app import Rota\nrota = Rota()\n")

    result = subprocess_of("runs", cwd=tmp_path, ROTA_STORE="postgresql://ops:hunter2@127.0.0.1:1/rota")

    assert result.returncode == Exit.UNREACHABLE, result.stderr
    assert "hunter2" not in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, Exit.TERMINATED), (signal.SIGINT, Exit.INTERRUPTED)])
def test_a_signal_ends_a_waiting_command_with_its_code(tmp_path, number, code):  # R63
    (tmp_path / "app.py").write_text(
        "from rota.app import Rota\nrota = Rota('sqlite:///rota.db')\n@rota.job()\ndef add() -> int:\n    return 1\n"
    )
    assert subprocess_of("db", "upgrade", cwd=tmp_path).returncode == 0
    waiting = subprocess.Popen(
        [sys.executable, "-m", "rota", "run", "add", "--follow"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "no worker is alive" in waiting.stderr.readline()
    # The first line of progress says that it waits now.
    assert "0/1" in waiting.stderr.readline()

    waiting.send_signal(number)
    _, errors = waiting.communicate(timeout=30)

    assert waiting.returncode == code, errors
    assert "Traceback" not in errors


FINALIZED = """
import signal, sys, time
from rota import cli

class Told:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)

signal.signal(signal.SIGTERM, cli._terminated)
sys.unraisablehook = cli._swallowed
Told()
time.sleep(60)
"""


def test_a_signal_that_comes_within_a_finalizer_is_not_lost():  # R63
    # What is raised there is printed and forgotten: a command went on to its end.
    done = subprocess.run([sys.executable, "-c", FINALIZED], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stderr) == (Exit.TERMINATED, "")


REFUSED_LINES = [
    (["run", "sycn"], "no job 'sycn'; did you mean 'sync'?"),
    (["run", "report", "--tenant", "acne"], "no tenant 'acne'; did you mean 'acme'?"),
    (["run", "report", "--arg", "year"], "--arg 'year': write name=value"),
    (["run", "report", "--args-json", "{"], "--args-json is not JSON"),
    (["run", "report", "--args-json", "3"], "must be a list of arguments, or an object"),
    (["runs", "--since", "sometime"], "--since: 'sometime' is no time; write 2026-11-20T02:00+01:00"),
    (["wait", "abc", "--timeout", "soon"], "--timeout: 'soon' is no duration"),
    (["tick", "--max", "soon"], "--max: 'soon' is no duration"),
    (["start", "--only", "wroker"], "'wroker' is no role; there are scheduler, worker"),
    (["backfill", "sync", "--since", "3h", "--until", "now"], "There is no terminal to ask at: say --yes"),
    (["slots", "broken"], "job 'broken' has no schedule, so it has no slots"),
]


@pytest.mark.parametrize(
    ("args", "words"), REFUSED_LINES, ids=lambda value: value[0] if isinstance(value, list) else ""
)
def test_bad_input_gets_a_message_that_names_it_and_the_way_out(rota, args, words):  # R64
    result = rota(*args)

    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_refused_input_changes_nothing(rota, app):  # R64
    for args, _ in REFUSED_LINES:
        rota(*args)

    assert rota("runs", "-o", "plain", "--expansions").stdout == ""


@pytest.mark.parametrize("name", [name for group in COMMANDS.values() for name in group])
def test_every_command_says_in_its_help_what_it_ends_with_and_what_the_list_says(name):  # R63
    listed = {command: text for group in COMMANDS.values() for command, text in group.items()}
    command = root.get_command(None, name)

    shown = run(None, name, "--help").stdout

    assert command.get_short_help_str(200) == listed[name]
    assert "Exit codes:" in shown or hasattr(command, "commands")
