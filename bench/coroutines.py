"""How long 300 coroutine jobs that sleep for a second take: `python -m bench.coroutines [sqlite|postgres|mariadb]`."""

import asyncio
import sys
import threading
from itertools import count
from time import perf_counter, sleep

from bench.drain import a_store_url
from rota import Rota
from rota.core.model import State
from rota.queries import RunQuery

RUNS = 300


def waits(url: str) -> float:
    """Return the seconds from the start of the worker to the last settlement."""
    app = Rota(url)
    ended = count(1)
    last = threading.Event()

    @app.job()
    async def wait() -> None:
        await asyncio.sleep(1)
        if next(ended) == RUNS:
            last.set()

    fresh = app.open_store()
    fresh.setup()
    fresh.close()
    wait.enqueue_many([()] * RUNS)
    crew = app.crew(places=8)
    started = perf_counter()
    crew.start()
    last.wait()
    while crew.worker.busy:
        sleep(0.001)
    took = perf_counter() - started
    crew.stop()
    done = app.store.runs(RunQuery(states=(State.SUCCEEDED,), limit=RUNS + 1))
    app.close()
    if len(done) != RUNS:
        raise SystemExit(f"{url}: {len(done)} of {RUNS} succeeded")
    return took


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    with a_store_url(kind) as url:
        print(f"{kind}: {RUNS} coroutines of 1 s took {waits(url):.2f} s")


if __name__ == "__main__":
    main()
