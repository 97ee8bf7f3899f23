"""The examples of the page on Celery, Huey and RQ, with real workers in this process."""

import re
import sys
from contextlib import ExitStack
from types import ModuleType

import pytest
from celery.contrib.testing.worker import start_worker
from celery.signals import worker_shutdown
from rq import SimpleWorker
from rq.timeouts import TimerDeathPenalty

from rota import State
from rota.queries import RunQuery
from tests.house.source import ROOT
from tests.system.processes import wait_until

pytestmark = [
    pytest.mark.xdist_group("celery"),
    pytest.mark.filterwarnings("ignore:Call to deprecated"),
]

PAGE = ROOT / "docs" / "guide" / "celery.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
DATABASE = re.compile(r"redis://localhost:6379/\d")


@pytest.fixture
def page(tmp_path, monkeypatch, redis_server):
    """The page as a module, with the databases of a private Redis."""
    monkeypatch.chdir(tmp_path)
    databases = {}
    text = DATABASE.sub(lambda found: databases.setdefault(found[0], redis_server.create_database()), PAGE.read_text())
    page = ModuleType("celery_page")
    monkeypatch.setitem(sys.modules, "celery_page", page)
    for block in BLOCK.finditer(text):
        exec(compile(block.group(1), str(PAGE), "exec"), page.__dict__)
    return page


def test_the_examples_of_the_page_run(page):
    consumer = page.huey.create_consumer(workers=1, periodic=False, initial_delay=0.01, max_delay=0.05)
    with ExitStack() as held:
        held.callback(page.rota.close)
        # A worker of its own says so when it ends; this one is a thread of the test.
        held.callback(worker_shutdown.send, sender=None)
        held.enter_context(start_worker(page.celery, perform_ping_check=False, shutdown_timeout=20))
        held.callback(consumer.stop, graceful=True)
        consumer.start()
        for name in ("resize", "load"):
            page.rota.start_run(name)
        with page.rota.working():
            wait_until(lambda: page.reports.count, what="a job in the queue of RQ")
            worker = SimpleWorker([page.reports], connection=page.reports.connection)
            worker.death_penalty_class = TimerDeathPenalty
            worker.work(burst=True)
            wait_until(lambda: all(run.state.is_final for run in runs(page)), what="the end of every run")
        results = {run.job: (run.state, run.result) for run in runs(page)}

    assert {name: state for name, (state, _) in results.items()} == dict.fromkeys(
        ("nightly_report", "invoices", "resize", "load"), State.SUCCEEDED
    )
    assert results["invoices"][1] == '{"sent":12}'
    assert results["nightly_report"][1] == '{"rows":500}'


def runs(page):
    return page.rota.store.runs(RunQuery())
