"""How long the exposition of metrics takes, and what is read for it.

python -m bench.metrics [sqlite|postgres|mariadb|redis] [--jobs 200]

Each job has runs that succeeded and that failed for several tenants, rounds and a number of its own.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import timedelta

from bench.drain import a_store_url
from rota import Rota
from rota.core.model import RoundState
from rota.core.rollup import (
    BUCKETS,
    End,
    Grain,
    Measure,
    MeasureKey,
    Rollup,
    RollupKey,
    Sheet,
    Subject,
    spread,
    start_of,
)
from rota.metrics import prometheus
from rota.metrics.reading import read

TIMES = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", nargs="?", default="sqlite", choices=["sqlite", "postgres", "mariadb", "redis"])
    parser.add_argument("--jobs", type=int, default=200)
    given = parser.parse_args()
    with a_store_url(given.store) as url:
        app = Rota(url)
        app.open_store().setup()
        app.store.rollups.add(a_sheet(app, jobs=given.jobs), now=app.clock.now())
        text = prometheus(app)
        whole, reading = (
            timed(lambda: prometheus(app)),
            timed(lambda: read(app.store, now=app.clock.now(), settings=app.settings)),
        )
        app.close()
    print(
        f"{given.store}: {given.jobs} jobs, {len(text.splitlines()):,} lines, {len(text) // 1024:,} kB: "
        f"{whole[0]:.1f} ms of processor time ({whole[1]:.1f} ms by the clock); reading is {reading[0]:.1f} ms of it"
    )


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return milliseconds, medians: of processor time, and by the clock."""
    used, passed = [], []
    for _ in range(TIMES):
        began, began_at = time.process_time(), time.perf_counter()
        work()
        used.append(1000 * (time.process_time() - began))
        passed.append(1000 * (time.perf_counter() - began_at))
    return statistics.median(used), statistics.median(passed)


def a_sheet(app: Rota, *, jobs: int) -> Sheet:
    """Return what so many jobs have done."""
    minute = start_of(Grain.MINUTE, app.clock.now())

    def key(subject: Subject, job: str, tenant: str, outcome: str) -> RollupKey:
        return RollupKey(subject, Grain.MINUTE, minute, job, tenant, "default", outcome)

    rollups = [
        Rollup(
            key=key(Subject.RUN, f"job_{i:03}", f"tenant_{tenant}", end.value),
            number=BUCKETS,
            duration_sum=timedelta(seconds=90),
            duration_most=timedelta(seconds=30),
            buckets=(1,) * BUCKETS,
        )
        for i in range(jobs)
        for tenant in range(5)
        for end in (End.SUCCEEDED, End.FAILED, End.RETRIED)
    ] + [
        Rollup(key=key(Subject.ROUND, f"job_{i:03}", "", state.value), number=1)
        for i in range(jobs)
        for state in (RoundState.SUCCEEDED, RoundState.PARTIAL)
    ]
    measures = [
        Measure(
            key=MeasureKey(Grain.MINUTE, minute, f"job_{i:03}", "acme", "rows"),
            number=1,
            total=5.0,
            least=5.0,
            most=5.0,
        )
        for i in range(jobs)
    ]
    sheet = Sheet(source="bench", number=1, rollups=tuple(rollups), measures=tuple(measures))
    return spread(sheet, apart=lambda tenant: False)


if __name__ == "__main__":
    main()
