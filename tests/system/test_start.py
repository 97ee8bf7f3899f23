"""`rota start`: real processes, real signals."""

import signal
import subprocess
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from rota.core.model import State
from rota.ports import Store
from rota.queries import RoundQuery, RunQuery
from rota.stores import open_store
from tests.ready import Ready
from tests.system.processes import Site, end, enqueue, kill_tree, wait_until

SLOW = """
@app.job(retry=Retry(attempts=1))
def slow(seconds: float) -> str:
    note(event="start")
    time.sleep(seconds)
    note(event="end")
    return "done"
"""

# Scheduled, where a thread that does not stop may go on for a moment after its run was given back.
GIVEN_BACK = (State.QUEUED, State.SCHEDULED)

EACH_SECOND = """
@app.job(schedule=every(1).seconds, per_tenant=True)
def tick(ctx: RunContext) -> None:
    note(slot=ctx.slot.isoformat(), tenant=ctx.tenant.id, run=ctx.run_id)
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


def only_run(store: Store):
    [run] = store.runs(RunQuery())
    return run


# Of the store it takes what the contract shows of each (settle, release): a file and a server stand for all.
@pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
def test_a_stop_lets_what_runs_finish_and_ends_with_zero(url, store, tmp_path):  # R45, R63
    site = Site(tmp_path, url=url, jobs=SLOW)
    enqueue(store, "slow", 1.0)
    with site.started("--processes", "1") as process:
        wait_until(lambda: site.journal(event="start"), what="the start of the job")

        assert end(process) == 0

    assert len(site.journal(event="end")) == 1
    assert only_run(store).state is State.SUCCEEDED


def test_a_stop_gives_back_what_does_not_end_in_time_and_counts_no_attempt(url, store, tmp_path):  # R45
    site = Site(tmp_path, url=url, jobs=SLOW)
    enqueue(store, "slow", 25)
    with site.started("--processes", "1", "--drain", "200ms") as process:
        wait_until(lambda: site.journal(event="start"), what="the start of the job")
        end(process)

    run = only_run(store)
    assert (run.attempt, run.outcome) == (0, None)
    assert run.state in GIVEN_BACK


# Of the store it takes what the contract shows of each (settle, release): a file and a server stand for all.
@pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
def test_a_second_signal_does_not_wait(url, store, tmp_path):  # R45
    site = Site(tmp_path, url=url, jobs=SLOW)
    enqueue(store, "slow", 25)
    with site.started("--processes", "1", "--drain", "20s") as process:
        wait_until(lambda: site.journal(event="start"), what="the start of the job")
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in site.logs(), what="the word that it drains")
        began = time.monotonic()

        end(process)

    assert time.monotonic() - began < 10
    assert only_run(store).state in GIVEN_BACK


SLOW_AT_FIRST = """
@app.job(retry=Retry(attempts=1))
def slow(seconds: float) -> str:
    is_first = not os.path.exists({journal!r})
    note(event="start")
    if is_first:
        time.sleep(seconds)
    note(event="end")
    return "done"
"""


def test_what_a_killed_worker_held_is_done_by_the_next_one_on_this_host_at_once(url, store, tmp_path):  # R30, G9
    site = Site(tmp_path, url=url, jobs=SLOW_AT_FIRST.format(journal=str(tmp_path / "journal")))
    enqueue(store, "slow", 60)
    with site.started("--processes", "1") as process:
        wait_until(lambda: site.journal(event="start"), what="the start of the job")
        kill_tree(process)
    with site.started("--processes", "1") as process:
        # Without waiting for the lease of 20 s: the next worker sees that its neighbour is dead.
        wait_until(lambda: only_run(store).state is State.SUCCEEDED, what="the success of the run")
        assert end(process) == 0

    assert (len(site.journal(event="start")), len(site.journal(event="end"))) == (2, 1)
    assert (only_run(store).attempt, only_run(store).lost_count) == (1, 1)


@pytest.mark.parametrize("number", [2, 5])
def test_each_slot_is_fired_once_by_any_number_of_processes(number, postgres_ready, tmp_path):  # G4, fault row E1
    store = open_store(postgres_ready)
    site = Site(tmp_path, url=postgres_ready, jobs=EACH_SECOND)
    # Two of which each has as many as there are cores, or five with one each.
    words = [] if number == 2 else ["--processes", "1"]

    with ExitStack() as held:
        processes: list[subprocess.Popen[str]] = [held.enter_context(site.started(*words)) for _ in range(number)]
        wait_until(lambda: len({line["pid"] for line in site.journal()}) >= 2, what="work in two processes")
        seen = len(site.journal())
        wait_until(lambda: len(site.journal()) >= seen + 12, what="four more rounds")
        assert [end(process) for process in processes] == [0] * number

    times = Counter((line["slot"], line["tenant"]) for line in site.journal())
    assert set(times.values()) == {1}
    slots = [round_.slot for round_ in store.rounds(RoundQuery(limit=1000))]
    assert len(slots) == len(set(slots)) >= 4
    assert "duplicate" not in site.logs().lower()
    store.close()


def test_a_memory_store_that_an_application_would_feed_is_refused_with_the_way_out(tmp_path):  # R33
    site = Site(tmp_path, url="memory://", jobs=SLOW)

    done = site.rota("start", check=False)

    assert done.returncode == 2
    assert "no schedule starts 'slow'" in done.stderr
    assert "rota.start_background()" in done.stderr
