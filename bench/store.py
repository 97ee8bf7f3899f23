"""Measure a store: `python -m bench.store --store sqlite|postgres|mariadb|redis [--future 1000000]`.

Each figure that has a plain counterpart is shown with its ratio to the same rows moved by the driver alone, on the
same server, in the same run.
"""

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import redis
from sqlalchemy import make_url

from rota.clock import SystemClock
from rota.core.lifecycle import Ending, settle
from rota.core.model import Firing, Outcome, Round, Run, RunKind, Schedule, Settlement
from rota.ports import Store
from rota.queries import ClaimRequest
from rota.stores import open_store
from tests import servers

CLOCK = SystemClock()
HOUR = timedelta(hours=1)
BATCH = 500


def now() -> datetime:
    """Return the time, to the microsecond."""
    return datetime.now(UTC)


def a_run(number: int = 0, **fields: Any) -> Run:
    """Return a run of one of fifty tenants."""
    instant = now()
    values = {"job": "bench", "tenant": f"tenant{number % 50}", "due_at": instant, "created_at": instant}
    return Run(**{"id": CLOCK.new_id()} | values | fields)


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds the work took."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median(work: Callable[[], object], times: int) -> float:
    """Return the median of so many calls, in seconds."""
    return statistics.median(timed(work) for _ in range(times))


def request(limit: int) -> ClaimRequest:
    """Return a request for so many runs of the default queue."""
    return ClaimRequest(worker="bench", queues={"default": limit}, limit=limit, lease=timedelta(seconds=20))


def drain(store: Store, batch: int = BATCH) -> int:
    """Claim and settle all that is queued, in batches; return how many runs."""
    done, settlements = 0, list[Settlement]()
    while True:
        instant = now()
        claimed = store.settle(settlements, now=instant, claim=request(batch)).claimed
        if not claimed:
            return done
        done += len(claimed)
        ending = Ending(outcome=Outcome.SUCCEEDED, started_at=instant)
        settlements = [settle(run, ending, now=instant, wait=HOUR) for run in claimed]


def queue_figures(store: Store) -> Iterator[tuple[str, float, str]]:
    """Yield name, value and unit of what enqueue, claim and settle do."""
    yield "enqueue of 1", median(lambda: store.enqueue([a_run()], now=now()), 300) * 1e6, "us"
    drain(store)
    runs = [a_run(number) for number in range(10_000)]
    yield "enqueue of 10,000", timed(lambda: store.enqueue(runs, now=now())) * 1e3, "ms"
    keyed = [a_run(number, concurrency_key=f"key{number}", dedupe_key=f"once{number}") for number in range(10_000)]
    yield "enqueue of 10,000 with keys", timed(lambda: store.enqueue(keyed, now=now())) * 1e3, "ms"
    drain(store)
    store.enqueue([a_run(number) for number in range(20_000)], now=now())
    yield "claim and settle 500", 20_000 / timed(lambda: drain(store)), "runs/s"
    store.enqueue([a_run(number, schedule="s", slot=now()) for number in range(20_000)], now=now())
    yield "the same, of a schedule", 20_000 / timed(lambda: drain(store)), "runs/s"
    store.enqueue([a_run(number) for number in range(1_000)], now=now())
    yield "claim and settle 1", 1_000 / timed(lambda: drain(store, 1)), "runs/s"


def depth_figures(store: Store, future: int) -> Iterator[tuple[str, float, str]]:
    """Yield how a claim fares in front of many runs that are not due."""
    later = now() + 24 * HOUR
    for start in range(0, future, 10_000):
        store.enqueue([a_run(start + number, due_at=later) for number in range(10_000)], now=now())
    store.enqueue([a_run(number) for number in range(10_000)], now=now())
    yield f"claim of 20 before {future:,} future", median(lambda: store.claim(request(20), now=now()), 50) * 1e3, "ms"
    yield "promote, none due", median(lambda: store.promote(now=now()), 50) * 1e3, "ms"
    yield "unblock, none waiting", median(lambda: store.unblock(now=now()), 50) * 1e3, "ms"
    yield "expired, none", median(lambda: store.expired(now=now()), 50) * 1e3, "ms"


def schedule_figures(store: Store) -> Iterator[tuple[str, float, str]]:
    """Yield what a scheduler's tick costs."""
    instant = now()
    for number in range(2_000):
        due_at = instant - HOUR if number < 1_000 else instant + HOUR
        schedule = Schedule(
            name=f"s{number:06}", job="bench", timing="every(1).hours", cursor=instant - 2 * HOUR, next_at=due_at,
            created_at=instant,
        )  # fmt: skip
        store.put_schedule(schedule, expected_version=None)
    yield "due, 1,000 due", timed(lambda: store.due(now=instant)) * 1e3, "ms"
    firings = [a_firing(schedule) for schedule in store.due(now=instant)]
    yield "fire of 1,000", timed(lambda: store.fire(firings, now=instant)) * 1e3, "ms"
    yield "due, none due", median(lambda: store.due(now=instant), 50) * 1e3, "ms"


def a_firing(schedule: Schedule) -> Firing:
    """Return the firing of a schedule's next slot."""
    slot = schedule.next_at
    assert slot is not None
    round_ = Round(id=CLOCK.new_id(), job="bench", schedule=schedule.name, slot=slot, created_at=slot)
    expansion = a_run(
        kind=RunKind.EXPANSION, tenant=None, schedule=schedule.name, slot=slot, round_id=round_.id,
        dedupe_key=f"{schedule.name}|{slot.isoformat()}",
    )  # fmt: skip
    return Firing(
        schedule=schedule.name, version=1, after=schedule.cursor, cursor=slot, next_at=slot + HOUR * 9,
        rounds=(round_,), runs=(expansion,),
    )  # fmt: skip


def plain_figures(url: str) -> dict[str, float]:
    """Return what the driver alone takes: rows of four columns, in and marked as done."""
    address = make_url(url)
    rows = [(CLOCK.new_id(), "bench", "queued", "{}") for _ in range(10_000)]
    table = "plain_runs (id VARCHAR(32) PRIMARY KEY, job VARCHAR(50), state VARCHAR(16), args TEXT)"
    if address.get_backend_name() == "sqlite":
        driver: Any = sqlite3.connect(str(address.database), isolation_level=None)
        driver.execute("PRAGMA synchronous = FULL")
        mark, begin = "?", "BEGIN IMMEDIATE"
    elif address.get_backend_name() == "postgresql":
        driver = psycopg.connect(address.set(drivername="postgresql").render_as_string(hide_password=False))
        mark, begin = "%s", ""
    else:
        driver = pymysql.connect(
            host=address.host, port=address.port or 3306, user=address.username, password=address.password or "",
            database=address.database,
        )  # fmt: skip
        mark, begin = "%s", ""
    insert = f"INSERT INTO plain_runs VALUES ({', '.join([mark] * 4)})"
    cursor = driver.cursor()
    cursor.execute(f"CREATE TABLE {table}")
    driver.commit()

    def transaction(*statements: tuple[str, Any], many: bool = False) -> None:
        if begin:
            cursor.execute(begin)
        for text, parameters in statements:
            (cursor.executemany if many else cursor.execute)(text, parameters)
        driver.commit()

    ones = iter([(CLOCK.new_id(), "bench", "queued", "{}") for _ in range(300)])
    figures = {"enqueue of 1": median(lambda: transaction((insert, next(ones))), 300) * 1e6}
    figures["enqueue of 10,000"] = timed(lambda: transaction((insert, rows), many=True)) * 1e3
    update = f"UPDATE plain_runs SET state = {mark} WHERE id = {mark}"

    def passes() -> None:
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            for state in ("running", "done"):
                transaction((update, [(state, row[0]) for row in part]), many=True)

    figures["claim and settle 500"] = len(rows) / timed(passes)
    driver.close()
    return figures


def plain_redis_figures(url: str) -> dict[str, float]:
    """Return what the client alone takes: hashes of three fields, in and marked as done."""
    client = redis.Redis.from_url(url)
    rows = [CLOCK.new_id() for _ in range(10_000)]
    fields = {"job": "bench", "state": "queued", "args": "{}"}

    def put(ids: Sequence[str], values: Mapping[str, str]) -> None:
        with client.pipeline() as pipeline:
            for run_id in ids:
                pipeline.hset(f"plain:{run_id}", mapping=dict(values))
            pipeline.execute()

    figures = {"enqueue of 1": median(lambda: client.hset(f"plain:{CLOCK.new_id()}", mapping=fields), 300) * 1e6}
    figures["enqueue of 10,000"] = timed(lambda: put(rows, fields)) * 1e3

    def passes() -> None:
        for start in range(0, len(rows), BATCH):
            for state in ("running", "done"):
                put(rows[start : start + BATCH], {"state": state})

    figures["claim and settle 500"] = len(rows) / timed(passes)
    client.close()
    return figures


@contextmanager
def database(kind: str) -> Iterator[str]:
    """Yield the URL of a fresh database."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as directory:
            yield f"sqlite:///{Path(directory) / 'rota.db'}"
        return
    start = {"postgres": servers.postgres, "mariadb": servers.mariadb, "redis": servers.redis}[kind]
    with start() as server, server.database() as url:
        yield url


def main() -> None:
    """Measure, and print a line per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "postgres", "mariadb", "redis"), default="sqlite")
    parser.add_argument("--future", type=int, default=100_000)
    options = parser.parse_args()
    with database(options.store) as url:
        store = open_store(url)
        store.setup()
        plain = plain_redis_figures(url) if options.store == "redis" else plain_figures(url)
        for figures in (queue_figures(store), schedule_figures(store), depth_figures(store, options.future)):
            for name, value, unit in figures:
                beside = ""
                if name in plain:
                    beside = f"  plain driver {plain[name]:>10,.1f}  ratio {value / plain[name]:.2f}"
                print(f"{options.store:9} {name:36} {value:>12,.1f} {unit:7}{beside}", flush=True)
        store.close()


if __name__ == "__main__":
    main()
