"""Limits hold in real processes of which some are killed; what decides is a lock of the kernel, not Rota's tables."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack, closing
from random import Random

import pytest

from rota.core.model import State
from rota.queries import RunQuery
from rota.stores import open_store
from tests.system.processes import Site, children_of, kill_tree, wait_until

RUNS = 120
KILLS = 3

JOBS = """
@contextmanager
def place(name, places):
    # Whoever is killed lets go of its lock at that moment, as it stops counting.
    handles = []
    try:
        for number in range(places):
            handle = open(f"{{folder}}/place-{{name}}-{{number}}", "w")
            handles.append(handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                note(event="place", name=name, number=number)
                break
            except BlockingIOError:
                continue
        else:
            note(event="above", name=name)
        yield
    finally:
        for handle in handles:
            handle.close()


@app.job(retry=Retry(attempts=3))
def send(ctx: RunContext) -> None:
    with place("send", 3), place(ctx.tenant.id, 2), place("smtp", 3):
        time.sleep(0.03)
    note(event="sent", run=ctx.run_id)


app.limit(job="send", running=3)
app.limit(tenant="*", running=2)
app.limit(key="smtp", running=3)
"""
SETTINGS = """
[store]
migrate = "auto"
[worker]
lease = "1s"
heartbeat = "300ms"
margin = "500ms"
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
def test_processes_that_are_killed_are_never_above_a_limit_and_all_is_done(kind, tmp_path, request):  # R35, G2
    url = f"sqlite:///{tmp_path / 'rota.db'}" if kind == "sqlite" else request.getfixturevalue(f"{kind}_database")
    jobs = f"folder = {str(tmp_path)!r}\n" + JOBS.replace("{{", "{").replace("}}", "}")
    site = Site(tmp_path / "site", url=url, jobs=jobs, settings=SETTINGS)
    site.rota("db", "upgrade")
    with closing(open_store(url)) as store, ExitStack() as stack:
        for tenant in ("acme", "globex", "initech"):
            enqueue(site, tenant, RUNS // 3)
        start_and_kill(site, stack, store, random=Random(35))
        wait_until(lambda: not unfinished(store), what="all runs are done")
        ended = store.runs(RunQuery(limit=RUNS + 1))

    assert site.journal(event="above") == []
    assert {run.state for run in ended} == {State.SUCCEEDED}
    assert len({line["run"] for line in site.journal(event="sent")}) == RUNS
    # The places were used: a limit that lets one through at a time would pass the test as well.
    assert site.journal(event="place", name="send", number=2)
    assert sum(run.lost_count for run in ended) > 0, "no kill hit a run: the test proves nothing"


def enqueue(site: Site, tenant: str, number: int) -> None:
    code = f"from app import send; send.using(tenant={tenant!r}, key='smtp').enqueue_many([()] * {number})"
    subprocess.run([sys.executable, "-c", code], cwd=site.folder, env=site.environment(), check=True, timeout=60)


def start_and_kill(site: Site, stack: ExitStack, store, *, random: Random) -> None:
    """Have two processes work, and kill one of their workers or one of them while it is at work, again and again."""
    two = [stack.enter_context(site.started("--processes", "1")) for _ in range(2)]
    for kill in range(KILLS):
        seen = len(site.journal(event="sent"))
        wait_until(lambda seen=seen: len(site.journal(event="sent")) > seen + 5, what="runs are executed")
        which = random.randrange(2)
        if kill % 2:
            kill_tree(two[which])
            two[which] = stack.enter_context(site.started("--processes", "1"))
        else:
            for child in children_of(two[which].pid):
                os.kill(child, signal.SIGKILL)


def unfinished(store) -> list[object]:
    return store.runs(RunQuery(states=(State.QUEUED, State.SCHEDULED, State.RUNNING), limit=1))
