"""A server that comes back as an older copy of itself, with work under way: row C4 of the fault matrix."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from bench.havoc import Server
from rota.core.model import Outcome, Run, State
from rota.engine.loop import LONGEST_PAUSE
from tests import servers
from tests.system.faults import SERVERS, WORK, Ground, events
from tests.system.processes import Site, wait_until
from tests.values import succeeded

WAITING = (
    WORK
    + """

@app.job(retry=Retry(attempts=1))
def hold(ctx: RunContext, beats: int) -> str:
    note(event="start", run=ctx.run_id, token=ctx.token)
    while not ctx.stop.wait(0.05):
        if os.path.exists("go"):
            return str(ctx.token)
    note(event="stopped", run=ctx.run_id, token=ctx.token)
    return "stopped"
"""
)


class Restorable:
    """A server of a test's own, its files, and a copy of them."""

    def __init__(self, kind: str, folder: Path, running: servers.Server) -> None:
        self.running = running
        self._server = Server(kind, folder, running)
        self._files = folder / kind / "data"
        self._copy = folder / kind / "copy"

    def copy(self) -> None:
        self._server.stop()
        _copy(self._files, self._copy)
        self._start()

    def put_back(self) -> None:
        self._server.stop(self._server.crash_signal)
        shutil.rmtree(self._files)
        self._copy.rename(self._files)
        self._start()

    def _start(self) -> None:
        self._server.start()
        wait_until(self._answers, what="the server")

    def _answers(self) -> bool:
        try:
            self.running.execute("SELECT 1")
        except OperationalError:
            return False
        return True

    def close(self) -> None:
        self._server.close()


def _copy(source: Path, target: Path) -> None:
    # With owners and holes.
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


@pytest.fixture(params=SERVERS)
def server(request, tmp_path) -> Iterator[Restorable]:
    # Skips, or fails, where it is not installed.
    request.getfixturevalue(f"{request.param}_server")
    with ExitStack() as held:
        folder = held.enter_context(servers.session())
        made = Restorable(request.param, folder, servers.running(folder, request.param))
        held.callback(made.close)
        yield made


def tokens(site: Site, run: Run) -> list[int]:
    return [line["token"] for line in events(site, "start", run=run.id)]


def test_a_server_that_comes_back_as_an_older_copy_loses_only_what_came_after_it(server, tmp_path):  # C4, G2, G3
    ground = Ground(server.running.create_database(), tmp_path)
    site = ground.site(jobs=WAITING, lease="30s", heartbeat="500ms", margin="2s")
    done = ground.enqueue(number=3)
    with site.started():
        ground.wait_for_success(*done)
    again = ground.enqueue(number=3)
    [held] = ground.enqueue(job="hold")
    server.copy()

    with site.started() as process:
        ground.wait_for_success(*again)
        after = ground.enqueue(number=2)
        ground.wait_for_success(*after)
        wait_until(lambda: tokens(site, held), what="the start of the one that is held")
        old = ground.run(held)
        server.put_back()
        back = time.monotonic()
        [fresh] = ground.enqueue()
        ground.wait_for_success(fresh)
        took = time.monotonic() - back
        ground.wait_for_success(*again)
        wait_until(lambda: events(site, "stopped", run=held.id), what="the end of what the store knows nothing of")
        wait_until(lambda: len(tokens(site, held)) == 2, what="its next attempt")
        refused = ground.store.settle([succeeded(old)], now=ground.store.now())
        (site.folder / "go").touch()
        ground.wait_for_success(held)
        assert process.poll() is None

    # What came before the copy is as it was; what came after it is gone, and begins again where it had been asked for.
    assert [len(tokens(site, run)) for run in done] == [1] * 3
    assert {ground.run(run).state for run in done} == {State.SUCCEEDED}
    assert [ground.store.run(run.id) for run in after] == [None] * 2
    for run in (*again, held):
        first, second = tokens(site, run)
        assert first < second
        assert ground.run(run).result == f'"{second}"'
        assert ground.outcomes(run) == [Outcome.SUCCEEDED]
    assert refused.applied == []
    assert [line["token"] for line in events(site, "stopped")] == [old.token]
    # The longest pause after an error, which it may have come to meanwhile, and the way to the store.
    assert took < LONGEST_PAUSE.total_seconds() + 5
    ground.close()
