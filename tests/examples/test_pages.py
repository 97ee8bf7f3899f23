"""Every example in the pages works: each page is a module, and the jobs that it queues run."""

import re
import sqlite3
import sys
from contextlib import suppress
from datetime import timedelta
from types import ModuleType

import pytest

from rota import State
from rota.errors import BadArguments
from rota.queries import RunQuery
from tests.house.source import ROOT, files, shown

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = [
    path
    for path in files(".md")
    if shown(path).startswith(("README.md", "docs/guide/", "docs/operate/"))
    and BLOCK.search(path.read_text("utf-8"))
    # Its examples are tests themselves: tests/testing/test_plugin.py runs them as such.
    and shown(path) != "docs/guide/testing.md"
    # They want brokers and workers: tests/integrations/celery/test_celery_page.py has those.
    and shown(path) != "docs/guide/celery.md"
]

OTHERWISE = {
    "wait_for_file": {State.SCHEDULED},
    "import_file": {State.SUCCEEDED, State.FAILED, State.CANCELLED},
    "invite": {State.FAILED},
    "say_hello": {State.SCHEDULED},
    "greet": {State.SUCCEEDED, State.SCHEDULED},
    "reindex": {State.SUCCEEDED, State.CANCELLED},
    "scrape_meetings": {State.SCHEDULED},
}
"""What the pages say of jobs that do not simply succeed."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, with the database of the tenant that the pages have."""
    monkeypatch.chdir(tmp_path)
    acme = sqlite3.connect("acme.db")
    with acme:
        acme.execute("CREATE TABLE account (balance INTEGER)")
        acme.execute("INSERT INTO account VALUES (100)")
    acme.close()
    return tmp_path


def module_of(path, monkeypatch):
    """Run a page as a module, each block where it stands, so that a traceback shows the line of the page."""
    text = path.read_text(encoding="utf-8")
    page = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", page)
    for block in BLOCK.finditer(text):
        above = "\n" * (text.count("\n", 0, block.start()) + 1)
        exec(compile(above + block.group(1), str(path), "exec"), page.__dict__)
    return page


def worked_off(app):
    """Start each job that the page has not queued and that needs no arguments; return all runs at their end."""
    queued = {run.job for run in app.store.runs(RunQuery())}
    for name in app.jobs.keys() - queued:
        with suppress(BadArguments):
            app.start_run(name)
    crew = app.crew(schedules=False, inline=True)
    before = None
    while (now := app.store.counts()) != before:
        before = now
        while crew.worker.tick(app.clock.now()) == timedelta(0) or crew.worker.busy:
            pass
        crew.flows.tick(app.clock.now())
    runs = app.store.runs(RunQuery())
    app.close()
    return runs


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_the_examples_of_a_page_run(path, folder, monkeypatch):
    runs = worked_off(module_of(path, monkeypatch).rota)

    states = {name: {run.state for run in runs if run.job == name} for name in {run.job for run in runs}}
    assert states
    assert states == {name: OTHERWISE.get(name, {State.SUCCEEDED}) for name in states}, runs


def test_the_effect_of_the_example_happens_once(folder, monkeypatch):
    worked_off(module_of(ROOT / "docs" / "guide" / "stopping.md", monkeypatch).rota)

    kept = sqlite3.connect("acme.db")
    assert kept.execute("SELECT balance FROM account").fetchall() == [(90,)]
    assert kept.execute("SELECT count(*) FROM rota_once").fetchall() == [(1,)]
    kept.close()
