"""100,000 schedules, of which 1,000 are due at once; a minute schedule that slept for a year; a pass over rows.

python -m bench.schedules postgres
"""

import sys
from datetime import datetime, timedelta
from statistics import median
from time import perf_counter

from msgspec.structs import replace

from bench.drain import a_store_url
from rota import CatchUp, Rota
from rota.core.agenda import agenda
from rota.core.catchup import due_slots
from rota.core.definition import Definition
from rota.core.model import Origin, Schedule
from rota.core.words import parse
from rota.queries import RoundQuery, ScheduleQuery
from rota.stores.sql.schedule_rows import SCHEDULE, schedule_row
from rota.stores.sql.store import SqlStore

SCHEDULES = 100_000
DUE = 1_000
TIMES = 5
YEAR = timedelta(days=365)


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "postgres"
    print(f"a minute schedule that slept a year, decided: {decided() * 1000:.2f} ms")
    with a_store_url(kind) as url:
        app = Rota(url, tenants=[])

        @app.job()
        def report() -> None: ...

        fresh = app.open_store()
        fresh.setup()
        fresh.close()
        now = app.clock.now().replace(microsecond=0)
        fill(app, now)
        print(f"{kind}: {DUE:,} of {SCHEDULES:,} due at once, fired: {fired(app, now) * 1000:.0f} ms")
        print(f"{kind}: a minute schedule that slept a year, fired: {slept(app, now) * 1000:.1f} ms")
        for name, took in keeping(app, now).items():
            print(f"{kind}: a pass of {name} over {SCHEDULES:,}: {took * 1000:.1f} ms")
        app.close()


def decided() -> float:
    """Return the median seconds of the decision alone."""
    minutely, now = agenda(parse("* * * * *"), ()), datetime.fromisoformat("2026-06-01T00:00:30+00:00")
    times = []
    for _ in range(21):
        started = perf_counter()
        due_slots(minutely, CatchUp.latest(), after=now - YEAR, now=now)
        times.append(perf_counter() - started)
    return median(times)


def a_row(name: str, now: datetime, *, timing: str = "daily at 02:00 UTC") -> Schedule:
    row = Schedule(
        name=name,
        job="report",
        timing=timing,
        origin=Origin.ROW,
        cursor=now,
        next_at=agenda(parse(timing), ()).next_slot(after=now),
        created_at=now,
    )
    return Definition.of(row).given_to(row)


def fill(app: Rota, now: datetime) -> None:
    store = app.store
    assert isinstance(store, SqlStore)
    rows = [schedule_row(a_row(f"row-{number:06}", now)) for number in range(SCHEDULES)]
    # Past the contract, which writes one at a time: here only their number matters.
    store._database.write(lambda link: link.insert("schedules", SCHEDULE, rows))


def fired(app: Rota, now: datetime) -> float:
    """Return the median seconds in which 1,000 schedules that are due in one second are fired, each with its run."""
    scheduler, times = app.crew(schedules=False).scheduler, []
    for number in range(TIMES):
        # Each time others, so that none is late and nothing but firing is measured.
        at = now + timedelta(seconds=number + 1)
        for schedule in app.store.schedules(ScheduleQuery(after=f"row-{number * DUE:06}", limit=DUE)):
            moved = replace(
                schedule,
                timing=f"every 24 hours from {at:%Y-%m-%dT%H:%M:%S}Z",
                next_at=at,
                version=schedule.version + 1,
            )
            moved = Definition.of(moved).given_to(moved)
            assert app.store.put_schedule(moved, expected_version=schedule.version)
        started = perf_counter()
        firings, _ = scheduler.fire_due(at)
        times.append(perf_counter() - started)
        assert len(firings) == DUE
    return median(times)


def slept(app: Rota, now: datetime) -> float:
    """Return the median seconds from a year of sleep to one run and one skipped range, written."""
    scheduler, times = app.crew(schedules=False).scheduler, []
    for number in range(TIMES):
        row = a_row(f"minutely-{number}", now - YEAR, timing="* * * * * UTC")
        assert app.store.put_schedule(row, expected_version=None)
        started = perf_counter()
        scheduler.fire_due(now)
        times.append(perf_counter() - started)
        assert len(app.store.rounds(RoundQuery(schedule=row.name))) == 2
        assert app.store.drop_schedule(row.name)
    return median(times)


def keeping(app: Rota, now: datetime) -> dict[str, float]:
    """Return the median seconds of a pass of each service that looks after schedules, when all is in order."""
    crew, found = app.crew(), {}
    for name in ("rows", "cron_jobs", "onces", "confirmer", "resumer", "scheduler"):
        times = []
        for _ in range(5):
            started = perf_counter()
            crew.services[name].tick(now)
            times.append(perf_counter() - started)
        found[name] = median(times)
    return found


if __name__ == "__main__":
    main()
