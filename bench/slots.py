"""One slot fanned out over 10,000 tenants, to the last row queued; a tick over 100,000 schedules with none due.

python -m bench.slots sqlite
"""

import sys
from datetime import timedelta
from statistics import median
from time import perf_counter

from bench.drain import a_store_url
from rota import Rota, RunContext, every
from rota.core.model import Origin, Schedule
from rota.stores.sql.schedule_rows import SCHEDULE, schedule_row
from rota.stores.sql.store import SqlStore

TENANTS = 10_000
SCHEDULES = 100_000
TICKS = 21


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    with a_store_url(kind) as url:
        app = Rota(url, tenants=[f"tenant-{number:05}" for number in range(TENANTS)])

        @app.job(schedule=every(1).hours, per_tenant=True)
        def report(ctx: RunContext) -> None: ...

        fresh = app.open_store()
        fresh.setup()
        fresh.close()
        print(f"{kind}: a slot of {TENANTS:,} tenants queued in {fan_out(app):.2f} s")
        print(f"{kind}: a tick over {SCHEDULES:,} schedules, none due: {tick(app) * 1000:.2f} ms")
        app.close()


def fan_out(app: Rota) -> float:
    """Return the seconds from the start of a round to its last run queued. Nothing is executed meanwhile."""
    worker = app.crew(schedules=False).worker
    started = perf_counter()
    round_ = app.start_run("report")
    worker.tick(app.clock.now())
    # The expansion ends in a thread of the executor, which wakes the worker.
    worker.wake.wait()
    took = perf_counter() - started
    assert sum(app.store.round_counts([round_.id])[round_.id].values()) == TENANTS
    worker.stop_claiming()
    worker.tick(app.clock.now())
    return took


def tick(app: Rota) -> float:
    """Return the median seconds of a scheduler's pass when nothing is due."""
    now = app.clock.now()
    rows = [
        schedule_row(
            Schedule(
                name=f"row-{number:06}",
                job="report",
                timing="daily at 02:00",
                origin=Origin.ROW,
                cursor=now,
                next_at=now + timedelta(days=1),
                created_at=now,
            )
        )
        for number in range(SCHEDULES)
    ]
    store = app.store
    assert isinstance(store, SqlStore)
    # Past the contract, which writes one at a time: here only their number matters.
    store._database.write(lambda link: link.insert("schedules", SCHEDULE, rows))
    scheduler = app.crew(schedules=False).scheduler
    times = []
    for _ in range(TICKS):
        started = perf_counter()
        scheduler.tick(now)
        times.append(perf_counter() - started)
    return median(times)


if __name__ == "__main__":
    main()
