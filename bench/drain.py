"""How fast worker processes drain no-op runs, history kept and fenced, and what a run costs in processor time.

python -m bench.drain sqlite|postgres|mariadb|redis [--processes 2] [--runs 100000]

Runs per second tell how busy the machine is with other things; microseconds of processor time per run, in the workers
and in the server, hold on a machine that is shared.
"""

import argparse
import ctypes
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any

from msgspec import Struct

from rota import Rota
from rota.core.model import OPEN
from rota.queries import RunQuery

PLACES = 8
TICKS = os.sysconf("SC_CLK_TCK")


class Drained(Struct, frozen=True, kw_only=True):
    """What draining took."""

    runs_per_second: float
    worker_us: float
    """Processor time per run, of all worker processes together."""
    server_us: float
    """The same of the database server; 0 where there is none."""


@contextmanager
def a_store_url(kind: str) -> Iterator[str]:
    """Give the URL of a private store of this kind."""
    with a_store(kind) as (url, _):
        yield url


@contextmanager
def a_store(kind: str) -> Iterator[tuple[str, int]]:
    """Give the URL of a private store of this kind, and the process id of its server, 0 if it has none."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'rota.db'}", 0
        return
    from tests import servers

    with getattr(servers, kind)() as server:
        yield server.create_database(), server.pid


def an_app(url: str, called: Any, number: int) -> Rota:
    """Return an application whose one job does nothing but count how often this process has called it."""
    app = Rota(url)
    times = count(1)

    @app.job()
    def nothing() -> None:
        # The job counts itself: asking the store how many are left would take a core of its own.
        called[number] = next(times)

    return app


def work(url: str, called: Any, number: int, ready: Barrier, drained: Event, took: Any) -> None:
    """Be a worker process: start with the others, stop when all runs were called, note the processor time."""
    app = an_app(url, called, number)
    crew = app.crew(places=PLACES)
    ready.wait()
    before = time.process_time()
    crew.start()
    drained.wait()
    while crew.worker.busy:
        time.sleep(0.001)
    took[number] = (time.monotonic(), time.process_time() - before)
    crew.stop()
    app.close()


class Took(ctypes.Structure):
    _fields_ = (("ended_at", ctypes.c_double), ("cpu", ctypes.c_double))


def drain(url: str, *, server: int = 0, runs: int, processes: int) -> Drained:
    """Enqueue runs and have worker processes drain them; measured from the first claim to the last settlement."""
    spawning = multiprocessing.get_context("spawn")
    called = spawning.RawArray(ctypes.c_long, processes)
    took = spawning.RawArray(Took, processes)
    app = an_app(url, called, 0)
    store = app.open_store()
    store.setup()
    for start in range(0, runs, 10_000):
        app.jobs["nothing"].enqueue_many([()] * min(10_000, runs - start))
    ready, drained = spawning.Barrier(processes + 1), spawning.Event()
    workers = [
        spawning.Process(target=work, args=(url, called, number, ready, drained, took)) for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    started, server_before = time.monotonic(), cpu_of(server)
    while sum(called) < runs and all(worker.is_alive() for worker in workers):
        time.sleep(0.002)
    drained.set()
    for worker in workers:
        worker.join()
    server_cpu = cpu_of(server) - server_before
    left = store.runs(RunQuery(states=tuple(OPEN), limit=1))
    store.close()
    app.close()
    if left:
        raise SystemExit(f"{url}: {left[0].id} is {left[0].state}: not everything was drained")
    return Drained(
        runs_per_second=runs / (max(one.ended_at for one in took) - started),
        worker_us=sum(one.cpu for one in took) / runs * 1e6,
        server_us=server_cpu / runs * 1e6,
    )


def cpu_of(server: int) -> float:
    """Return the seconds of processor time that a server has used, with its children, living and dead."""
    if not server:
        return 0.0
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(stat.parent.name) == server:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) == server:
            ticks += sum(map(int, fields[11:13]))
    return ticks / TICKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", nargs="?", choices=("sqlite", "postgres", "mariadb", "redis"), default="sqlite")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--runs", type=int, default=100_000)
    options = parser.parse_args()
    with a_store(options.store) as (url, server):
        drained = drain(url, server=server, runs=options.runs, processes=options.processes)
    print(
        f"{options.store}: {drained.runs_per_second:,.0f} runs/s with {options.processes} worker processes; "
        f"processor time per run: workers {drained.worker_us:.1f} us, server {drained.server_us:.1f} us"
    )


if __name__ == "__main__":
    main()
