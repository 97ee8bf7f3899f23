"""The real command: what it costs to start, how it finds the app, how it runs and drains."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from tests.surfaces.test_cli_exits import ROOT, subprocess_of

APP = """
from datetime import timedelta
from rota.app import Rota
from rota.core.builder import every
rota = Rota("sqlite:///rota.db")
@rota.job(schedule=every(1).seconds)
def beat() -> int:
    '''Beat.'''
    return 1
"""


def app_in(directory, text=APP, name="app.py"):
    (directory / name).write_text(textwrap.dedent(text))


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["jobs", "--help"], ["explain", "--help"]])
def test_help_loads_neither_sqlalchemy_nor_rich_nor_the_application(tmp_path, args):
    app_in(tmp_path, "raise SystemExit('the application was imported')")
    code = (
        "import sys\nfrom rota.cli import main\n"
        f"sys.argv = ['rota', *{args!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'sqlalchemy', 'alembic', 'rich', 'asyncio', 'app'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr


def test_what_is_loaded_is_not_looked_through_for_garbage(tmp_path):
    # A seventh of the time that a start takes, and a worker process lives for days with what it has loaded.
    code = (
        "import atexit, gc, sys\nfrom rota.cli import main\n"
        "def told(): print(gc.get_freeze_count() > 10_000, gc.get_threshold()[0] >= 10_000, gc.isenabled())\n"
        "atexit.register(told)\n"
        "sys.argv = ['rota', '--version']\nmain()\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60
    )

    assert done.stdout.splitlines()[-1] == "True True True", done.stderr


def environment():
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def test_the_only_app_is_found_in_the_usual_files_without_a_path_being_set(tmp_path):
    app_in(tmp_path, name="jobs.py")

    done = subprocess_of("jobs", "--json", cwd=tmp_path)

    assert [row["name"] for row in json.loads(done.stdout)["data"]] == ["beat"]


def test_an_app_is_found_by_its_name_and_a_wrong_name_lists_what_there_is(tmp_path):
    app_in(tmp_path, name="shop.py")

    assert subprocess_of("jobs", "--app", "shop:rota", cwd=tmp_path).returncode == 0
    assert subprocess_of("jobs", cwd=tmp_path, ROTA_APP="shop").returncode == 0
    wrong = subprocess_of("jobs", "--app", "shop:rotta", cwd=tmp_path)
    assert (wrong.returncode, "Rota objects in it: shop:rota" in wrong.stderr) == (2, True)


BROKEN = [
    ("import nonsense", "app.py:1: ModuleNotFoundError: No module named 'nonsense'"),
    ("x = 1\n\ndef f():\n    raise KeyError('tenant')\nf()\n", "app.py:4: KeyError: 'tenant'"),
    ("def f(:\n", "app.py:1: SyntaxError"),
    ("import sys\nsys.exit(3)\n", "app.py:2: SystemExit: 3"),
    ("raise ValueError('mysql://a:hunter2@db')", "app.py:1: ValueError: mysql://a:***@db"),
]


@pytest.mark.parametrize(("text", "words"), BROKEN)
def test_an_app_that_cannot_be_imported_is_named_with_the_line_of_its_own_code(tmp_path, text, words):  # R64
    app_in(tmp_path, text)

    done = subprocess_of("jobs", cwd=tmp_path)

    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_no_app_at_all_is_said_with_the_ways_to_name_one(tmp_path):
    (tmp_path / "manage.py").touch()

    done = subprocess_of("jobs", "--json", cwd=tmp_path)

    told = json.loads(done.stderr)["error"]
    assert (done.returncode, told["code"]) == (2, "app_not_found")
    assert "--app module:name, ROTA_APP" in told["hint"]
    assert "python manage.py rota" in told["message"]


def test_a_flag_of_start_is_a_setting_and_is_refused_like_one(tmp_path):
    app_in(tmp_path)

    done = subprocess_of("start", "--drain", "soon", cwd=tmp_path)

    assert done.returncode == 2
    assert "worker.drain (flag): 'soon' is no duration" in done.stderr


def test_start_fires_executes_and_ends_with_0_after_a_drain(tmp_path):  # R63
    app_in(tmp_path)
    started = subprocess.Popen(
        [sys.executable, "-m", "rota", "start"],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        done: list[object] = []
        for _ in range(60):
            found = subprocess_of("runs", "--state", "succeeded", "--json", cwd=tmp_path)
            done = json.loads(found.stdout)["data"] if found.returncode == 0 else []
            if done:
                break
    finally:
        started.send_signal(signal.SIGTERM)
        _, told = started.communicate(timeout=60)

    assert done, told
    assert started.returncode == 0, told
    assert "Traceback" not in told
