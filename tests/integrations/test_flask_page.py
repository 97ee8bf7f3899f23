"""The page on Flask and the start in the README: applications that are made of their blocks, driven as they show."""

import json
import os
import re
import shlex
import subprocess
import sys

from tests.house.source import ROOT

PARTS = re.compile(r"^```py\n# (\S+)\n(.*?)^```$|^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)

# One process for both: to load Flask and SQLAlchemy costs more than most commands.
COMMANDS = """
import json, sys
from flask.cli import cli
for words in json.loads(sys.argv[1]):
    try:
        cli.main(args=words, prog_name="flask")
    except SystemExit as ended:
        if ended.code:
            sys.exit(f"{words} ended with {ended.code}")
"""

VISIT = (
    """
from shop import create_app, db, rota
app = create_app()
with app.app_context():
    db.create_all("shop")
""",
    """
from shop.doors import viewer
from rota.queries import RunQuery
rota.mount("/rota", user=viewer)
browser = rota.application.test_client()
said = browser.post("/login").json
assert said["context"] == {"tenant": None, "user_id": "ana", "attributes": {"language": "fr"}}, said
ordered = browser.post("/orders").json["run"]
assert browser.post("/paris/stock").status_code == 200
assert [job["name"] for job in browser.get("/rota/api/v1/jobs").json["data"]] == ["confirm", "nightly"]
rota.start_run("nightly")
rota.tick()
print({run.job: run.result for run in rota.store.runs(RunQuery())}, rota.run(ordered).result())
""",
)


def done_in(folder, code, *words):
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def written(text, folder):
    """Write the files of a page, and return what it calls `flask` with."""
    commands = []
    for place, block, lines in PARTS.findall(text):
        if place:
            file = folder / place
            file.parent.mkdir(exist_ok=True)
            file.write_text((file.read_text("utf-8") if file.exists() else "") + block, "utf-8")
        commands += [shlex.split(line)[2:] for line in lines.splitlines() if line.startswith("$ flask ")]
    return commands


def test_what_is_made_of_the_page_and_of_the_start_in_the_readme_does_what_they_show(tmp_path):
    readme = (ROOT / "README.md").read_text("utf-8")
    [start] = re.findall(r"^## In Flask$(.*?)^## ", readme, re.DOTALL | re.MULTILINE)
    of_page = written((ROOT / "docs/guide/flask.md").read_text("utf-8"), tmp_path)
    of_start = written(start, tmp_path)
    (tmp_path / "cities").mkdir()
    (tmp_path / "cities" / "paris.db").touch()
    made, visited = VISIT

    shown = done_in(tmp_path, made + COMMANDS + visited, json.dumps([*of_page, *of_start]))

    assert (len(of_page), len(of_start)) == (4, 1)
    assert "order 7 is confirmed" in shown
    assert shown.count("daily at 02:00") == 2, "each lists its own job"
    assert shown.splitlines()[-1] == (
        """{'nightly': '["tea of paris"]', 'confirm': '"order 7 is confirmed"'} order 7 is confirmed"""
    )
