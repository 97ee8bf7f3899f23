"""`rota init`: what it writes works as it is, and is all that it touches."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from rota import Rota
from rota.cli.root import root
from rota.cli.session import Session
from rota.hosts.starts import STARTS
from tests.house.source import ROOT

BIN = Path(sys.executable).parent

PYTEST = "python -m pytest -q -p no:cacheprovider"
COMMANDS = {
    "none": ("rota jobs", "rota config check", PYTEST),
    "fastapi": ("rota jobs", PYTEST),
    "flask": ("flask rota jobs", PYTEST),
    "django": ("python manage.py rota jobs", "python manage.py rota config check", "python manage.py test"),
}
"""What a person types next: jobs, settings, and the test that came along."""


def init(*words, directory):
    session = Session(app=Rota("memory://"), directory=directory)
    return CliRunner().invoke(root, ["init", *words], obj=session)


def run(words, folder):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ROTA_", "DJANGO_", "PYTEST_"))}
    # No plugin is needed, and ours has many.
    ours = {"PATH": f"{BIN}{os.pathsep}{clean['PATH']}", "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        words, cwd=folder, env=clean | ours,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("framework", STARTS)
def test_a_start_works_and_its_own_test_passes(framework, tmp_path):
    made = init("shop", "--framework", framework, directory=tmp_path)
    assert made.exit_code == 0, made.output

    jobs, *config, test = (run(line.split(), tmp_path / "shop") for line in COMMANDS[framework])

    assert "nightly_report" in jobs.stdout and "daily at 02:00 UTC" in jobs.stdout, jobs.stderr
    assert all("all fit together" in done.stdout and "warning" not in done.stderr for done in config), config
    assert test.returncode == 0, test.stdout + test.stderr
    assert "2 passed" in test.stdout or "Ran 2 tests" in test.stderr


@pytest.mark.parametrize("framework", STARTS)
def test_what_is_written_is_as_a_linter_wants_it(framework, tmp_path):
    init("--framework", framework, directory=tmp_path)

    check = run(
        ["ruff", "check", "--isolated", "--no-cache", "--select=E,F,I,UP,B", "--line-length=120", "."], tmp_path
    )
    form = run(["ruff", "format", "--isolated", "--no-cache", "--check", "--line-length=120", "."], tmp_path)

    assert (check.returncode, form.returncode) == (0, 0), check.stdout + form.stderr


def test_the_next_lines_are_said_and_the_files_named(tmp_path):
    done = init("shop", "--framework", "fastapi", directory=tmp_path)

    assert done.stdout.splitlines() == [
        str(tmp_path / "shop" / name) for name in ("rota.toml", ".env.example", "main.py", "test_main.py")
    ]
    assert done.stderr.splitlines() == [
        "next: cd shop",
        "next: rota jobs",
        "next: rota start, and beside it: uvicorn main:app",
        "next: pip install pytest httpx2, and then: python -m pytest",
    ]


def test_nothing_is_written_where_a_file_is_there_already(tmp_path):
    (tmp_path / "app.py").write_text("mine")

    done = init(directory=tmp_path)

    assert (done.exit_code, "has app.py already: nothing was written" in done.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["app.py"]
    assert (tmp_path / "app.py").read_text() == "mine"


def test_a_store_is_set_and_a_password_is_not(tmp_path):  # R65
    refused = init("a", "--store", "mysql+pymysql://ops:canary-7f3a@db/rota", directory=tmp_path)
    init("b", "--store", "postgresql+psycopg://db/rota", directory=tmp_path)

    assert (refused.exit_code, "set ROTA_STORE" in refused.stderr) == (2, True)
    assert "canary" not in refused.output
    assert not (tmp_path / "a").exists()
    assert 'url = "postgresql+psycopg://db/rota"\n' in (tmp_path / "b" / "rota.toml").read_text()
