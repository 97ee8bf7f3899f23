"""Redis under real worker processes: what dies, is cut off, forgets or is full. Rows A, C17 and C19."""

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from rota.core.model import Outcome, Run
from rota.errors import StoreUnavailable
from rota.stores.redis.scripts import script
from tests import servers
from tests.proxy import proxy
from tests.server_kinds import free_port
from tests.system.crashing import VARIABLE
from tests.system.faults import Ground, events, no_overlap, on, worker_pid
from tests.system.processes import wait_until


@pytest.fixture
def ground(request, tmp_path) -> Iterator[Ground]:
    with on("redis", request, tmp_path) as made:
        yield made


# A script has no inside that a client could die in: the server does all of it, or none.
POINTS = [
    pytest.param("claim:after:1", 1, 1, id="A5-between-claim-and-start"),
    pytest.param("settle:before:1", 2, 1, id="A9-after-the-effect-before-the-end"),
    pytest.param("settle:after:1", 1, 0, id="A11-after-the-settlement"),
    pytest.param("renew:after:1", 2, 1, id="A12-after-a-heartbeat"),
]


@pytest.mark.parametrize(("point", "starts", "lost"), POINTS)
def test_a_worker_process_that_dies_at_a_step_loses_nothing(ground, point, starts, lost):  # R30, G1-G3, G9
    site = ground.site()
    [run] = ground.enqueue(beats=20 if "renew" in point else 2)

    with site.started(env={**site.environment(), VARIABLE: point}):
        wait_until(lambda: (site.folder / "crashed").exists(), what=f"the death at {point}")
        ground.wait_for_success(run)

    assert len(events(site, "start")) == starts
    no_overlap(site)
    assert (ground.run(run).attempt, ground.run(run).lost_count) == (1, lost)
    assert ground.outcomes(run) == [Outcome.LOST] * lost + [Outcome.SUCCEEDED]


def through(ground: Ground, port: int) -> str:
    """Return the URL of the store by way of a proxy at this port."""
    head, _, rest = ground.url.rpartition(":")
    return f"{head}:{port}/{rest.partition('/')[2]}"


def port_of(ground: Ground) -> int:
    return int(ground.url.rpartition(":")[2].partition("/")[0])


def test_an_enqueue_whose_answer_is_lost_is_repeated_with_the_same_id(ground):  # A2
    with proxy(port_of(ground)) as line:
        far = Ground(through(ground, line.port), ground.folder)
        # Known to the server from now on: the answer that is lost is that of the call itself.
        [run] = far.enqueue()
        trap = line.lose_one_answer(script("enqueue").sha.encode())
        again = Run(id=f"{1:032x}", job="work", due_at=run.due_at, created_at=run.due_at)

        with pytest.raises(StoreUnavailable):
            far.store.enqueue([again], now=run.due_at)

        assert trap.sprung.is_set()
        assert far.store.enqueue([again], now=run.due_at) == []
        far.close()
    assert sorted(found.id for found in ground.everything()) == sorted([run.id, again.id])


@pytest.mark.parametrize("words", [b"except_jobs", b"outcome"], ids=["A4-of-a-claim", "A10-of-a-settlement"])
def test_a_worker_that_misses_an_answer_starts_nothing_twice(ground, words):  # A4, A10, G7
    runs = ground.enqueue(beats=2, number=3)
    with proxy(port_of(ground)) as line:
        site = ground.site(url=through(ground, line.port))
        trap = line.lose_one_answer(words)

        with site.started():
            wait_until(trap.sprung.is_set, what="the loss of the answer")
            ground.wait_for_success(*runs)

    assert Counter(line["run"] for line in events(site, "start")) == {run.id: 1 for run in runs}
    assert [(ground.run(run).attempt, ground.run(run).lost_count) for run in runs] == [(1, 0)] * 3
    assert [ground.outcomes(run) for run in runs] == [[Outcome.SUCCEEDED]] * 3


class Own:
    """A Redis that a test may stop and start again over its files."""

    def __init__(self, home: Path) -> None:
        self._home = home
        (home / "data").mkdir(parents=True)
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = servers.KINDS["redis"].programs()["redis-server"]
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", f"{self._home}/data", "--save", ""]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, *options, "--appendonly", "yes"], stdout=log, preexec_fn=servers._die_with_parent
            )
        wait_until(lambda: self._answers(), what="the server")

    def _answers(self) -> bool:
        from redis import Redis
        from redis.exceptions import RedisError

        try:
            with Redis.from_url(self.url) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def own(tmp_path) -> Iterator[Own]:
    server = Own(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


def test_a_server_that_is_killed_and_started_again_has_everything_and_every_loop_goes_on(own, tmp_path):  # C3, C19, G1
    ground = Ground(own.url, tmp_path)
    site = ground.site(lease="8s")
    [first] = ground.enqueue(beats=60)
    waiting = ground.enqueue(number=3)

    with site.started():
        worker_pid(site, first)
        own.kill()
        own.start()
        later = ground.enqueue(number=3)
        ground.wait_for_success(first, *waiting, *later)

    # The lease outlived the restart: what ran went on, and nothing began twice.
    assert Counter(line["run"] for line in events(site, "start")) == {run.id: 1 for run in [first, *waiting, *later]}
    no_overlap(site)
    ground.close()


def test_a_full_server_takes_no_new_work_and_the_work_that_is_there_is_done(own, tmp_path):  # C17, G1, G2
    ground = Ground(own.url, tmp_path)
    site = ground.site()
    runs = ground.enqueue(number=8, beats=3)
    ground.store._server.ask("CONFIG", "SET", "maxmemory", "1mb")

    with site.started():
        ground.wait_for_success(*runs)
        done = site.rota("enqueue", "work", "1", check=False)

    assert done.returncode == 4
    assert "nothing was written" in done.stderr
    assert len(ground.everything()) == 8
    ground.close()
