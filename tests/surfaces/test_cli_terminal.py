"""On a terminal: bars and colours. The command gets a real pseudo-terminal."""

import os
import pty
import select
import subprocess
import sys

import pytest

from tests.surfaces.test_cli_start import app_in, environment

PATIENCE_S = 20
APP = """
from rota.app import Rota
rota = Rota("memory://")
@rota.job()
def sync() -> int:
    return 1
"""


def on_a_terminal(*args, cwd, **env):
    """Run the real command with a terminal as its output and errors; return what the terminal was sent."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "rota", *args],
        cwd=cwd,
        env=environment() | {"TERM": "xterm-256color", "COLUMNS": "120"} | env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as running:
        os.close(theirs)
        shown = b""
        try:
            while chunk := _read(ours):
                shown += chunk
        except AssertionError:
            running.kill()
            raise
        finally:
            os.close(ours)
        assert running.wait(timeout=20) == 0, shown.decode()
    return shown.decode()


def _read(terminal):
    readable, _, _ = select.select([terminal], [], [], PATIENCE_S)
    assert readable, "the command is silent"
    try:
        return os.read(terminal, 65536)
    except OSError:
        # Linux says so that nobody has the other end open any more.
        return b""


def test_a_bar_is_drawn_on_a_terminal_and_taken_to_its_end(tmp_path):  # R63
    app_in(tmp_path, APP)

    shown = on_a_terminal("run", "sync", "--here", cwd=tmp_path)

    assert "━" in shown
    assert "1/1  100 %  1 ok  0 failed" in shown
    assert "sync finished in" in shown


@pytest.mark.parametrize(
    ("args", "env"), [(["--no-progress"], {}), (["--json"], {}), (["-q"], {})], ids=["no-progress", "json", "quiet"]
)
def test_no_bar_is_drawn_where_none_is_wanted(tmp_path, args, env):  # R63
    app_in(tmp_path, APP)

    assert "━" not in on_a_terminal("run", "sync", "--here", *args, cwd=tmp_path, **env)


@pytest.mark.parametrize(("env", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_tables_are_coloured_on_a_terminal_unless_it_or_its_user_minds(tmp_path, env, colored):
    app_in(tmp_path, APP)

    assert ("\x1b[" in on_a_terminal("jobs", cwd=tmp_path, **env)) is colored
