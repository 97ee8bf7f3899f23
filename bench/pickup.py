"""How long one run waits on an idle system, and what an idle worker process costs.

python -m bench.pickup sqlite|postgres|mariadb|redis [--runs 200] [--idle 20]

The worker is a process of its own; the run notes when it began, by the clock of the machine. In turn with each run the
driver alone makes the two commits that stand between enqueue and start, so that a slow moment is in both.
"""

import argparse
import multiprocessing
import resource
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import median, quantiles

from bench.drain import a_store_url
from rota import Rota

PAUSE = 0.03
"""Between two runs, so that the worker is at rest again."""


def work(url: str, noted: Connection, over: Event, idle: float) -> None:
    """Be a worker process: tell when each run began; at the end what this process costs while it has nothing to do."""
    app = an_app(url, noted)
    crew = app.crew()
    crew.start()
    noted.send(0.0)
    over.wait()
    time.sleep(1)
    before = time.process_time()
    time.sleep(idle)
    used = (time.process_time() - before) / idle
    noted.send((used, _resident()))
    crew.stop()
    app.close()


def an_app(url: str, noted: Connection | None) -> Rota:
    """Return an application whose one job tells when it begins."""
    app = Rota(url)

    @app.job()
    def note() -> None:
        if noted is not None:
            noted.send(time.monotonic())

    return app


def _resident() -> float:
    """Return the memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", nargs="?", choices=("sqlite", "postgres", "mariadb", "redis"), default="sqlite")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--idle", type=float, default=20.0)
    options = parser.parse_args()
    # Not above: the worker process reads this file too, and is not to hold the drivers of all stores.
    from bench.floor import two_commits

    with a_store_url(options.store) as url:
        spawning = multiprocessing.get_context("spawn")
        here, there = spawning.Pipe()
        over = spawning.Event()
        app = an_app(url, None)
        store = app.open_store()
        store.setup()
        worker = spawning.Process(target=work, args=(url, there, over, options.idle))
        worker.start()
        here.recv()
        waits, floors, commit_both = [], [], two_commits(url)
        for _ in range(options.runs):
            time.sleep(PAUSE)
            began = time.monotonic()
            commit_both()
            floors.append((time.monotonic() - began) * 1e3)
            time.sleep(PAUSE)
            asked = time.monotonic()
            app.jobs["note"].enqueue()
            waits.append((here.recv() - asked) * 1e3)
        over.set()
        used, resident = here.recv()
        worker.join()
        store.close()
        app.close()
    print(
        f"{options.store}: from enqueue to start, "
        f"p50 {median(waits):.2f} ms, p99 {quantiles(waits, n=100)[-1]:.2f} ms; "
        f"the driver's two commits p50 {median(floors):.2f} ms, p99 {quantiles(floors, n=100)[-1]:.2f} ms; "
        f"an idle worker process uses {used:.2%} of a core and {resident:.0f} MB"
    )


if __name__ == "__main__":
    main()
