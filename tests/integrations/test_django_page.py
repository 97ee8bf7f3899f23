"""The page on Django and the start in the README: a project that is made of their blocks, and their commands in it."""

import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from django.core.management import call_command

from tests.house.source import ROOT

PARTS = re.compile(r"^```py\n# (\S+)\n(.*?)^```$|^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)

# One process for all: to start Django costs more than most commands.
RUN = """
import json, os, sys
from django.core.management import execute_from_command_line
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
for words in json.loads(sys.argv[1]):
    try:
        execute_from_command_line(words)
    except SystemExit as ended:
        if ended.code:
            sys.exit(f"{words} ended with {ended.code}")
"""


@pytest.fixture
def folder(tmp_path):
    """A fresh project with an app, as Django makes them."""
    call_command("startproject", "project", str(tmp_path))
    (tmp_path / "shop").mkdir()
    call_command("startapp", "shop", str(tmp_path / "shop"))
    return tmp_path


@pytest.mark.parametrize("page", ["docs/guide/django.md", "README.md"])
def test_a_project_made_of_a_page_does_what_the_page_shows(page, folder):
    commands = []
    for place, block, lines in PARTS.findall((ROOT / page).read_text("utf-8")):
        if place:
            file = folder / ("project/settings.py" if place == "settings.py" else place)
            file.write_text((file.read_text("utf-8") if file.exists() else "") + block, "utf-8")
        # The whole page is one project: what stands below belongs to it as well.
        commands += [shlex.split(line)[2:] for line in lines.splitlines() if line.startswith("$ python manage.py ")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}

    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(commands)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert len(commands) > 1 and "nightly" in done.stdout
