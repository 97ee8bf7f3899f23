"""What history costs once it is as long as it gets: how fast it is pruned, and whether the store stays as large.

python -m bench.retention sqlite|postgres|mariadb [--kept 1000000] [--days 30] [--more 10]

Fills a store with 30 days of ended runs, then lives on: each further day as many come as go. Days are those of an
invented clock, so that the server sees a month's work in minutes, with its own settings of what clears up behind it.
"""

import argparse
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from statistics import median

from msgspec import Struct
from sqlalchemy import create_engine, make_url, text

from bench.drain import a_store, cpu_of
from rota.clock import Ids, to_micros
from rota.core.lifecycle import Ending, settle
from rota.core.model import Outcome, Run
from rota.ports import Store
from rota.queries import ClaimRequest
from rota.stores import open_store

IDS = Ids()
DAY = timedelta(days=1)
BATCH = 1_000
PRUNED = 500
"""At a time, as the engine does."""

LOOKS = 30

SIZES = {
    "postgresql": (
        "SELECT pg_table_size('rota_runs') / 1e6, pg_indexes_size('rota_runs') / 1e6, n_dead_tup, autovacuum_count "
        "FROM pg_stat_user_tables WHERE relname = 'rota_runs'"
    ),
    "mysql": (
        "SELECT file_size / 1e6, (SELECT index_length / 1e6 FROM information_schema.tables "
        "WHERE table_schema = database() AND table_name = 'rota_runs'), 0, 0 "
        "FROM information_schema.innodb_sys_tablespaces WHERE name = concat(database(), '/rota_runs')"
    ),
    "sqlite": (
        "SELECT (p.page_count - f.freelist_count) * 4096 / 1e6, 0, f.freelist_count, 0 "
        "FROM pragma_page_count AS p, pragma_freelist_count AS f"
    ),
}
"""Megabytes of the table and of its indexes (of MariaDB: of all of it, and of the indexes in it), what is dead or free
in it, and how often it was vacuumed."""


class Day(Struct, frozen=True, kw_only=True):
    """What one day took. Processor time is that of the server and of this process, in microseconds a run."""

    work_us: float
    prune_us: float
    pruned: int
    seconds: float
    """How long it took to prune them, with nothing else going on."""
    claim_ms: float
    sizes: tuple[float, ...]


def work_off(store: Store, number: int, *, now: datetime) -> None:
    """Enqueue, claim and settle so many runs."""
    for _ in range(0, number, BATCH):
        store.enqueue([a_run(now) for _ in range(BATCH)], now=now)
        held = store.claim(a_request(BATCH), now=now)
        ended = Ending(outcome=Outcome.SUCCEEDED, started_at=now)
        store.settle([settle(run, ended, now=now, wait=DAY) for run in held], now=now)


def a_run(now: datetime) -> Run:
    return Run(id=IDS.new(millis=to_micros(now) // 1000), job="bench", due_at=now, created_at=now)


def a_request(limit: int) -> ClaimRequest:
    return ClaimRequest(worker="bench", queues={"default": limit}, limit=limit, lease=timedelta(seconds=20))


def prune(store: Store, *, before: datetime) -> int:
    """Delete what ended before, as the engine does it, and return how many runs."""
    pruned = 0
    while True:
        done = store.prune(
            succeeded_before=before, failed_before=before, slots_before=before, logs_before=before, limit=PRUNED
        )
        pruned += done.runs
        if done.runs < PRUNED:
            return pruned


def claim_ms(store: Store, *, now: datetime) -> float:
    """Return what it takes to claim and settle one run, in the median."""
    times = []
    for _ in range(LOOKS):
        store.enqueue([a_run(now)], now=now)
        began = time.perf_counter()
        [run] = store.claim(a_request(1), now=now)
        store.settle([settle(run, Ending(outcome=Outcome.SUCCEEDED, started_at=now), now=now, wait=DAY)], now=now)
        times.append(time.perf_counter() - began)
    return median(times) * 1e3


def days(store: Store, url: str, server: int, *, kept: int, n_days: int, more: int) -> Iterator[Day]:
    """Fill the store, then yield what each further day takes."""
    start, share = datetime(2026, 1, 1, tzinfo=UTC), kept // n_days
    for day in range(n_days):
        work_off(store, share, now=start + day * DAY)
    engine = create_engine(url)
    for day in range(n_days, n_days + more):
        now = start + day * DAY
        work_us = _cost(server)
        work_off(store, share, now=now)
        prune_us, began = _cost(server), time.monotonic()
        pruned = prune(store, before=now - (n_days - 0.5) * DAY)
        seconds, after = time.monotonic() - began, _cost(server)
        with engine.connect() as connection:
            row = connection.execute(text(SIZES[make_url(url).get_backend_name()])).one()
        yield Day(
            work_us=(prune_us - work_us) / share,
            prune_us=(after - prune_us) / max(pruned, 1),
            pruned=pruned,
            seconds=seconds,
            claim_ms=claim_ms(store, now=now),
            sizes=tuple(float(number) for number in row),
        )
    engine.dispose()


def _cost(server: int) -> float:
    return (cpu_of(server) + time.process_time()) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", nargs="?", choices=("sqlite", "postgres", "mariadb"), default="sqlite")
    parser.add_argument("--kept", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--more", type=int, default=10)
    options = parser.parse_args()
    with a_store(options.store) as (url, server):
        store = open_store(url)
        store.setup()
        for day in days(store, url, server, kept=options.kept, n_days=options.days, more=options.more):
            table, indexes, dead, vacuums = day.sizes
            print(
                f"{options.store}: {options.kept:,} runs kept, {day.pruned:,} pruned at "
                f"{day.pruned / day.seconds:,.0f} a second, {day.prune_us:.1f} us each (enqueue, claim and settle "
                f"{day.work_us:.1f}); table "
                f"{table:,.0f} MB, indexes {indexes:,.0f} MB, dead or free {dead:,.0f}, vacuumed {vacuums:.0f} times; "
                f"claim and settlement of one {day.claim_ms:.1f} ms",
                flush=True,
            )
        store.close()


if __name__ == "__main__":
    main()
