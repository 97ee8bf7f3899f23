"""How fast one worker process drains no-op runs, history kept and fenced, beside the plain driver's own work.

python -m bench.drain sqlite
python -m bench.drain postgres
python -m bench.drain mariadb
"""

import sys
import tempfile
import threading
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import perf_counter, sleep

from rota import Rota
from rota.core.model import OPEN
from rota.queries import RunQuery


@contextmanager
def a_store_url(kind: str):
    """Give the URL of a private store of this kind."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'rota.db'}"
        return
    from tests import servers

    with getattr(servers, kind)() as server:
        yield server.create_database()


def drain(url: str, *, runs: int, places: int) -> float:
    """Return runs per second from the first claim to the last settlement."""
    app = Rota(url)
    called = count(1)
    last = threading.Event()

    @app.job()
    def nothing() -> None:
        # The job counts itself: asking the store how many are left would take a core of its own.
        if next(called) == runs:
            last.set()

    fresh = app.open_store()
    fresh.setup()
    fresh.close()
    for start in range(0, runs, 10_000):
        nothing.enqueue_many([()] * min(10_000, runs - start))
    crew = app.crew(places=places)
    started = perf_counter()
    crew.start()
    last.wait()
    while crew.worker.busy:
        sleep(0.001)
    took = perf_counter() - started
    crew.stop()
    left = app.store.runs(RunQuery(states=tuple(OPEN), limit=1))
    app.close()
    if left:
        raise SystemExit(f"{url}: {left[0].id} is {left[0].state}: not everything was drained")
    return runs / took


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    with a_store_url(kind) as url:
        print(f"{kind}: {drain(url, runs=runs, places=8):,.0f} runs/s with one worker process")


if __name__ == "__main__":
    main()
