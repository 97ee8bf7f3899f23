"""How fast one worker process drains no-op runs, history kept and fenced, beside the plain driver's own work.

python -m bench.drain sqlite
python -m bench.drain postgres
python -m bench.drain mariadb
"""

import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from rota import Rota


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

    @app.job()
    def nothing() -> None:
        pass

    fresh = app.open_store()
    fresh.setup()
    fresh.close()
    for start in range(0, runs, 10_000):
        nothing.enqueue_many([()] * min(10_000, runs - start))
    crew = app.crew(places=places)
    started = perf_counter()
    crew.start()
    while True:
        left = sum(sum(states.values()) for states in app.store.counts().by_queue.values())
        if not left:
            break
        crew.worker.wake.wait(0.01)
    took = perf_counter() - started
    crew.stop()
    app.close()
    return runs / took


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000
    with a_store_url(kind) as url:
        print(f"{kind}: {drain(url, runs=runs, places=8):,.0f} runs/s with one worker process")


if __name__ == "__main__":
    main()
