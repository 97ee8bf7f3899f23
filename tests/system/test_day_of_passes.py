"""A day that is driven by a crontab-style line only: one POST a minute, and no process of Rota besides (R60)."""

from collections import Counter
from datetime import timedelta

from rota import Rota
from rota.core.policy import Retry
from rota.queries import RoundQuery, RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.values import DAY, MINUTE, NOON
from tests.web.far import InProcess

MINUTES = DAY // MINUTE


def a_site(clock: FakeClock) -> tuple[Rota, list[str]]:
    """An application with work at some of the minutes of a day, and what it has called, in order."""
    app, called = Rota(MemoryStore(clock=clock), tenants=["acme", "globex"], clock=clock), []

    @app.job(schedule="every hour", per_tenant=True)
    def sync(tenant: str = "") -> None:
        called.append("sync")

    @app.job(schedule="daily at 02:30", retry=Retry.fixed("90s", attempts=2))
    def flaky() -> None:
        called.append("flaky")
        if called.count("flaky") == 1:
            raise ValueError("not at the first attempt")

    @app.job(schedule="at 2026-06-01 18:00")
    def once() -> None:
        called.append("once")

    app.schedules.sync()
    return app, called


def test_a_day_of_minutes_needs_no_daemon():  # R60
    clock = FakeClock(NOON)
    app, called = a_site(clock)
    line = InProcess(app)
    sums: Counter[str] = Counter()

    for _ in range(MINUTES):
        clock.advance(MINUTE)
        told = line.client.post("/api/cron/run").json()
        sums.update({name: told[name] for name in ("fired", "ran", "succeeded", "failed", "retrying")})
        assert told["is_over"]

    assert Counter(called) == {"sync": 24 * 2, "flaky": 2, "once": 1}
    assert sums == {"fired": 26, "ran": 51, "succeeded": 50, "failed": 0, "retrying": 1}
    runs = app.store.runs(RunQuery(limit=1000))
    assert all(run.state == "succeeded" and run.ended_at - run.due_at < MINUTE for run in runs)
    slots = [round_.slot for round_ in app.store.rounds(RoundQuery(jobs=("sync",), limit=100))]
    assert slots == [NOON + timedelta(hours=hour) for hour in range(24, 0, -1)]
