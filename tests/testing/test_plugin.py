"""The fixtures as a project of its own meets them, and the page that tells of them."""

import os
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

from tests.house.source import ROOT

BLOCK = re.compile(r"^```python\n# (\w+\.py)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGE = ROOT / "docs" / "guide" / "testing.md"


def run_pytest(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a project in a folder, with no plug-in but ours."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "rota.testing.plugin", "-p", "no:cacheprovider", "-q", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def written(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")


def test_pytest_finds_the_plugin_by_its_entry_point():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert project["entry-points"]["pytest11"] == {"rota": "rota.testing.plugin"}


def test_every_example_of_the_page_runs_as_a_test(tmp_path):
    files: dict[str, list[str]] = defaultdict(list)
    text = PAGE.read_text("utf-8")
    for name, block in BLOCK.findall(text):
        files[name].append(block)
    assert text.count("```python") == sum(len(blocks) for blocks in files.values())
    for name, blocks in files.items():
        (tmp_path / name).write_text("\n".join(blocks), encoding="utf-8")
    [settings] = re.findall(r"^```ini\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    (tmp_path / "pytest.ini").write_text(settings, encoding="utf-8")

    done = run_pytest(tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_a_failing_assertion_ends_at_the_line_of_the_test(tmp_path):
    written(
        tmp_path,
        app__py="from rota import Rota\nrota = Rota('memory://')\n@rota.job()\ndef send(number: int): ...\n",
        pytest__ini="[pytest]\nrota_app = app:rota\n",
        test_app__py="from app import send\ndef test_it(rota_jobs):\n"
        "    send.enqueue(7)\n    rota_jobs.assert_enqueued(send, args=(8,))\n",
    )

    done = run_pytest(tmp_path)

    assert done.returncode == 1
    assert "send with args=(8,) was not enqueued; enqueued were:" in done.stdout
    assert "send(number=7)" in done.stdout
    assert "test_app.py:4: AssertionError" in done.stdout


def test_without_a_setting_it_says_what_is_missing(tmp_path):
    written(tmp_path, test_app__py="def test_it(rota_jobs): ...\ndef test_other(): ...\n")

    done = run_pytest(tmp_path)

    assert "1 passed, 1 error" in done.stdout
    assert "Set rota_app = module:name" in done.stdout


def test_what_the_setting_names_must_be_an_application(tmp_path):
    written(
        tmp_path,
        app__py="rota = 7\n",
        pytest__ini="[pytest]\nrota_app = app:rota\n",
        test_app__py="def test_it(rota_jobs): ...\n",
    )

    assert "that is a int, not a Rota object" in run_pytest(tmp_path).stdout


def test_the_application_is_imported_only_when_a_test_asks(tmp_path):
    written(
        tmp_path,
        app__py="raise RuntimeError('imported')\n",
        pytest__ini="[pytest]\nrota_app = app:rota\n",
        test_app__py="def test_it(): ...\n",
    )

    assert run_pytest(tmp_path).returncode == 0


def test_the_library_is_tested_with_without_pytest():
    code = "import sys, rota.testing; assert 'pytest' not in sys.modules and '_pytest' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
