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
from rota.ports import Store
from rota.queries import ClaimRequest
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


def p95_ms(store: Store, clock: SystemClock) -> dict[str, float]:
    """Return how long it takes to enqueue, claim and settle a few runs, in 19 of 20 cases."""
    times: dict[str, list[float]] = {"claim": [], "enqueue": [], "settle": []}
    for _ in range(LOOKS):
        now = clock.now()
        runs = [Run(id=clock.new_id(), job="nothing", due_at=now, created_at=now) for _ in range(8)]
        began = perf_counter()
        store.enqueue(runs, now=now)
        enqueued = perf_counter()
        held = store.claim(REQUEST, now=now)
        claimed = perf_counter()
        store.settle(
            [settle(run, Ending(outcome=Outcome.SUCCEEDED), now=now, wait=timedelta(0)) for run in held], now=now
        )
        ended = perf_counter()
        times["enqueue"].append(enqueued - began)
        times["claim"].append(claimed - enqueued)
        times["settle"].append(ended - claimed)
    return {what: quantiles(taken, n=20)[-1] * 1000 for what, taken in times.items()}


def main() -> None:
    clock = SystemClock()
    with a_store_url("postgres") as url:
        store = open_store(url)
        store.setup()
        work_off(store, clock, RUNS)
        clean = p95_ms(store, clock)
        with an_old_snapshot(url):
            work_off(store, clock, RUNS)
            behind = p95_ms(store, clock)
        store.close()
    for what, before in clean.items():
        after = behind[what]
        print(f"{what} p95: clean {before:.2f} ms, behind an old snapshot {after:.2f} ms, {after / before:.1f} times")


if __name__ == "__main__":
    main()
