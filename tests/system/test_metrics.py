"""What real processes count is what has run."""

import json
from collections import Counter
from pathlib import Path

import pytest

from rota.core.rollup import Grain, Subject
from rota.queries import MeasureQuery, RollupQuery, RunQuery
from rota.stores import open_store
from tests.ready import Ready
from tests.system.processes import Site, end, kill_tree, wait_until
from tests.values import a_run

COUNTING = """
from rota import metrics

@app.job(retry=Retry(attempts=1))
def threaded(number: int) -> dict[str, int]:
    metrics.record_success("part", "acme")
    if number % 5 == 0:
        raise ValueError("no")
    return {"rows": number}

@app.job(executor="process")
def forked(ctx: RunContext, number: int) -> None:
    for _ in range(number):
        ctx.count("lines", 2)
    metrics.record_failure("part", "globex", ValueError("no"))
    note(event="forked")

@app.job()
def quick(number: int) -> None:
    note(event="quick")
"""


@pytest.fixture(params=["sqlite", "postgres", "mariadb", "redis"])
def url(request: pytest.FixtureRequest, ready: Ready, tmp_path: Path) -> str:
    return ready.url(request.param, tmp_path / "rota.db")


@pytest.fixture
def store(url: str):
    store = open_store(url)
    store.setup()
    yield store
    store.close()


def enqueue(store, job, *numbers):
    """Queue a run for each number; a command for each would take most of the time."""
    runs = [
        a_run(job=job, args=json.dumps({"args": [], "kwargs": {"number": number}}), max_attempts=1)
        for number in numbers
    ]
    store.enqueue(runs, now=store.now())


def sums(store, subject=Subject.RUN):
    query = RollupQuery(grain=Grain.EVER, subject=subject, by=frozenset({"job", "outcome"}))
    return {(one.key.job, one.key.outcome): one.number for one in store.rollups.rollups(query)}


def is_over(store, number):
    """Whether so many runs are final."""
    return sum(run.state.is_final for run in store.runs(RunQuery(limit=1000))) == number


def test_processes_that_end_in_order_have_counted_all_that_ran(url, store, tmp_path):  # R53
    site = Site(tmp_path, url=url, jobs=COUNTING)
    enqueue(store, "threaded", *range(1, 11))
    enqueue(store, "forked", 3, 400)

    with site.started("--processes", "2") as process:
        wait_until(lambda: is_over(store, 12), what="all runs")
        assert end(process) == 0

    assert sums(store) == {("threaded", "succeeded"): 8, ("threaded", "failed"): 2, ("forked", "succeeded"): 2}
    assert sums(store, Subject.PART) == {("part", "succeeded"): 10, ("part", "failed"): 2}
    told = {one.key.name: (one.number, one.total) for one in store.rollups.measures(MeasureQuery(grain=Grain.EVER))}
    assert told == {"rows": (8, 40.0), "lines": (403, 806.0)}
    shown = json.loads(site.rota("stats", "--json").stdout)["data"]
    assert {row["name"]: (row["runs"], row["failed"]) for row in shown} == {"threaded": (10, 2), "forked": (2, 0)}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_process_that_is_killed_takes_at_most_what_it_had_not_sent(url, store, tmp_path):  # R53
    site = Site(tmp_path, url=url, jobs=COUNTING, settings='[metrics]\nflush = "1h"\n')
    enqueue(store, "quick", *range(5))
    with site.started("--processes", "1") as process:
        wait_until(lambda: is_over(store, 5), what="the first runs")
        kill_tree(process)
    lost = 5 - sums(store).get(("quick", "succeeded"), 0)

    enqueue(store, "quick", *range(3))
    with site.started("--processes", "1") as process:
        wait_until(lambda: is_over(store, 8), what="the other runs")
        assert end(process) == 0

    # The first pass of the loop that sends may have come before or after they ended.
    assert 0 <= lost <= 5
    assert sums(store) == {("quick", "succeeded"): 8 - lost}
    assert Counter(line["event"] for line in site.journal()) == {"quick": 8}
