"""What a snapshot that stays open costs the claims on PostgreSQL: 30,000 runs behind it, as an hour brings (C9).

python -m bench.snapshot
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from statistics import quantiles
from time import perf_counter

from sqlalchemy import create_engine, text

from bench.drain import a_store_url
from rota.clock import SystemClock
from rota.core.lifecycle import Ending, settle
from rota.core.model import Outcome, Run
from rota.ports import ClaimRequest, Store
from rota.stores import open_store

RUNS = 30_000
LOOKS = 200
REQUEST = ClaimRequest(worker="w", queues={"default": 8}, limit=8, lease=timedelta(seconds=20))


@contextmanager
def an_old_snapshot(url: str) -> Iterator[None]:
    """Keep a transaction open that has seen something: what is changed from now on cannot be cleared away."""
    engine = create_engine(url, isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        connection.execute(text("SELECT count(*) FROM rota_runs"))
        yield
    engine.dispose()


def work_off(store: Store, clock: SystemClock, number: int) -> None:
    for start in range(0, number, 1000):
        now = clock.now()
        runs = [
            Run(id=clock.new_id(), job="nothing", due_at=now, created_at=now) for _ in range(min(1000, number - start))
        ]
        store.enqueue(runs, now=now)
        held: list[Run] = []
        while True:
            ended = [settle(run, Ending(outcome=Outcome.SUCCEEDED), now=now, wait=timedelta(0)) for run in held]
            request = ClaimRequest(worker="w", queues={"default": 500}, limit=500, lease=timedelta(seconds=20))
            held = store.settle(ended, now=now, claim=request).claimed
            if not held:
                break


def claim_p95_ms(store: Store, clock: SystemClock) -> float:
    """Return how long a claim of a few runs takes, in 19 of 20 cases."""
    times = []
    for _ in range(LOOKS):
        now = clock.now()
        store.enqueue([Run(id=clock.new_id(), job="nothing", due_at=now, created_at=now) for _ in range(8)], now=now)
        began = perf_counter()
        held = store.claim(REQUEST, now=now)
        times.append((perf_counter() - began) * 1000)
        store.settle(
            [settle(run, Ending(outcome=Outcome.SUCCEEDED), now=now, wait=timedelta(0)) for run in held], now=now
        )
    return quantiles(times, n=20)[-1]


def main() -> None:
    clock = SystemClock()
    with a_store_url("postgres") as url:
        store = open_store(url)
        store.setup()
        work_off(store, clock, RUNS)
        clean = claim_p95_ms(store, clock)
        with an_old_snapshot(url):
            work_off(store, clock, RUNS)
            behind = claim_p95_ms(store, clock)
        store.close()
    print(f"claim p95: clean {clean:.2f} ms, behind an old snapshot {behind:.2f} ms, {behind / clean:.1f} times")


if __name__ == "__main__":
    main()
