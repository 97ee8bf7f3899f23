"""Limits hold in real processes of which some are killed; what decides is a lock of the kernel, not Rota's tables."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rota import Retry, Rota
from rota.core.model import State
from rota.ports import Store
from rota.queries import RunQuery
from rota.stores import open_store
from tests.system.processes import Site, children_of, frozen_at_work, has_locked, kill_tree, wait_until

RUNS = 60
FEW = 12
"""Fewer than so many left to send are too few for a test that wants to find somebody at work."""
KILLS = 3
TENANTS = ["acme", "globex", "initech"]

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
def send(ctx: RunContext) -> int:
    note(event="begun", run=ctx.run_id, token=ctx.token)
    with place("send", 3), place(ctx.tenant.id, 2), place("smtp", 3):
        # By turns, not by the time: one that was frozen has still to do what it had to.
        if any(ctx.stop.wait(0.03) for _ in range(8)):
            raise InterruptedError
    note(event="sent", run=ctx.run_id, token=ctx.token)
    return ctx.token


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
LONG = SETTINGS.replace('"1s"', '"6s"')
"""Where no lease is to end: long enough for a machine that is busy. Whoever dies on its host is found without."""
FREEZES = 3


def a_site(kind: str, folder: Path, request: Any, *, settings: str = SETTINGS) -> tuple[Site, str]:
    """Return an application on an empty store of this kind, and its URL."""
    url = f"sqlite:///{folder / 'rota.db'}" if kind == "sqlite" else request.getfixturevalue(f"{kind}_database")
    text = f"folder = {str(folder)!r}\n" + JOBS.replace("{{", "{").replace("}}", "}")
    site = Site(folder / "site", url=url, jobs=text, settings=settings)
    site.rota("db", "upgrade")
    return site, url


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb", "redis"])
def test_processes_that_are_killed_are_never_above_a_limit_and_all_is_done(kind, tmp_path, request):  # R35, G2
    site, url = a_site(kind, tmp_path, request, settings=LONG)
    with closing(open_store(url)) as store, feeding(site, url) as feed, ExitStack() as stack:
        feed.ask(RUNS)
        start_and_kill(site, stack, feed, random=Random(35))
        wait_until(lambda: not unfinished(store), what="all runs are done")
        ended = store.runs(RunQuery(limit=1000))

    assert site.journal(event="above") == []
    assert {run.state for run in ended} == {State.SUCCEEDED}
    assert {line["run"] for line in site.journal(event="sent")} == {run.id for run in ended}
    assert len(ended) == feed.asked >= RUNS
    # The places were used: a limit that lets one through at a time would pass the test as well.
    assert site.journal(event="place", name="send", number=2)
    assert sum(run.lost_count for run in ended) > 0, "no kill hit a run: the test proves nothing"


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "redis"])
def test_processes_that_are_frozen_and_thawed_are_never_above_a_limit(kind, tmp_path, request):  # R35, B2
    site, url = a_site(kind, tmp_path, request, settings=LONG)
    with closing(open_store(url)) as store, feeding(site, url) as feed, ExitStack() as stack:
        two = two_that_work(site, stack, store, feed)
        for _ in range(FREEZES):
            with one_frozen(site, two, feed):
                # Its heartbeats are missed, its lease is not over, and the places that it has stay taken.
                began = time.monotonic()
                wait_until(lambda: time.monotonic() - began > 1.2, what="four heartbeats")  # noqa: B023
        wait_until(lambda: not unfinished(store), what="all runs are done")
        ended = store.runs(RunQuery(limit=1000))

    assert site.journal(event="above") == []
    assert {run.state for run in ended} == {State.SUCCEEDED}
    assert len(site.journal(event="sent")) == len(ended) == feed.asked
    assert {run.lost_count for run in ended} == {0}


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "redis"])
def test_a_process_that_is_frozen_for_longer_than_its_lease_holds_no_place_and_thawed_takes_none(
    kind, tmp_path, request
):  # R35, B1, G5
    site, url = a_site(kind, tmp_path, request)
    with closing(open_store(url)) as store, feeding(site, url) as feed, ExitStack() as stack:
        two = two_that_work(site, stack, store, feed)
        with one_frozen(site, two, feed) as held:
            wait_until(
                lambda: all(store.run(run).run.token > token for run, token in held), what="others have its runs"
            )
            seen = len(site.journal(event="sent"))
            wait_until(lambda: feed.has_sent(seen + 6), what="runs are executed")
        most = 0
        while unfinished(store):
            most = max(most, len(store.runs(RunQuery(states=(State.RUNNING,)))))
        ended = store.runs(RunQuery(limit=1000))

    assert most <= 3
    assert {run.state for run in ended} == {State.SUCCEEDED}
    assert {line["run"] for line in site.journal(event="sent")} == {run.id for run in ended}
    # What it had in hand was another's when it woke: whatever its code made of it in that moment was not recorded.
    assert not held & {(run.id, int(run.result)) for run in ended}


class Feed:
    """Asks for runs, and for more where a machine is quicker than the test that looks on."""

    def __init__(self, site: Site, app: Rota) -> None:
        self.asked = 0
        self._site = site
        self._send = app.job(name="send", retry=Retry(attempts=3))(_sends)

    def ask(self, number: int) -> None:
        """Ask for some runs, of each tenant the same."""
        for tenant in TENANTS:
            self._send.using(tenant=tenant, key="smtp").enqueue_many([()] * (number // len(TENANTS)))
        self.asked += number

    def has_sent(self, number: int) -> bool:
        """Return whether more than so many were sent, and see to it that there is something to send."""
        sent = len(self._site.journal(event="sent"))
        if self.asked - sent < FEW:
            self.ask(FEW)
        return sent > number


def _sends() -> None: ...


@contextmanager
def feeding(site: Site, url: str) -> Iterator[Feed]:
    """Yield what asks this application for runs, from this process."""
    app = Rota(url, tenants=TENANTS)
    try:
        yield Feed(site, app)
    finally:
        app.close()


@contextmanager
def one_frozen(site: Site, processes: list[subprocess.Popen[str]], feed: Feed) -> Iterator[set[tuple[str, int]]]:
    """Freeze a worker of these processes that executes something, and yield what it has in hand, as `in_hand` does."""
    worker = frozen_one(site, processes, feed)
    try:
        yield in_hand(site, worker)
    finally:
        os.kill(worker, signal.SIGCONT)


def frozen_one(site: Site, processes: list[subprocess.Popen[str]], feed: Feed) -> int:
    """Freeze a worker of these processes that executes something, and return it."""
    frozen: list[int] = []

    def is_at_it(pid: int) -> bool:
        # With the file for itself it would hold up everybody.
        return bool(in_hand(site, pid)) and not has_locked(pid, site.folder.parent / "rota.db-shm")

    def is_frozen() -> bool:
        feed.has_sent(0)
        for pid in [child for one in processes for child in children_of(one.pid)]:
            # Only who seems to be at work: frozen again and again, a worker would come to nothing.
            if not frozen and in_hand(site, pid) and frozen_at_work(pid, lambda: is_at_it(pid)):  # noqa: B023
                frozen.append(pid)
        return bool(frozen)

    wait_until(is_frozen, what="a worker at work")
    return frozen[0]


def in_hand(site: Site, pid: int) -> set[tuple[str, int]]:
    """Return the attempts, as run and token, that a process has begun and not finished."""
    begun, sent = (
        {(line["run"], line["token"]) for line in site.journal(event=event, pid=pid)} for event in ("begun", "sent")
    )
    return begun - sent


def two_that_work(site: Site, stack: ExitStack, store: Store, feed: Feed) -> list[subprocess.Popen[str]]:
    """Start two processes, and give them work once both are there."""
    two = [stack.enter_context(site.started("--processes", "1")) for _ in range(2)]
    wait_until(lambda: len(store.workers()) == 2, what="two workers")
    feed.ask(RUNS)
    return two


def start_and_kill(site: Site, stack: ExitStack, feed: Feed, *, random: Random) -> None:
    """Have two processes work, and kill one of their workers or one of them while it is at work, again and again."""
    two = [stack.enter_context(site.started("--processes", "1")) for _ in range(2)]
    for kill in range(KILLS):
        seen = len(site.journal(event="sent"))
        wait_until(lambda seen=seen: feed.has_sent(seen + 5), what="runs are executed")
        # Whichever is at work: of two, one may have taken all that the limits let through.
        worker = frozen_one(site, random.sample(two, 2), feed)
        if kill % 2:
            [killed] = [one for one in two if worker in children_of(one.pid)]
            kill_tree(killed)
            two[two.index(killed)] = stack.enter_context(site.started("--processes", "1"))
        else:
            os.kill(worker, signal.SIGKILL)


def unfinished(store) -> list[object]:
    return store.runs(RunQuery(states=(State.QUEUED, State.SCHEDULED, State.RUNNING), limit=1))
