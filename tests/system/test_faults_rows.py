"""Schedules that somebody writes with plain SQL while `rota start` is at work (R5, R6, R7)."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, text

from rota.core.model import ScheduleState, State
from rota.queries import RunQuery
from tests.system.faults import KINDS, Ground, events, on
from tests.system.processes import Site, wait_until
from tests.system.scheduling import planned

JOBS = """
ONCE = Retry(attempts=1)


@app.job(retry=ONCE)
def report(ctx: RunContext, code: str = "") -> None:
    note(event="ran", row=code, user=ctx.user_id, slot=ctx.slot.isoformat())


@app.job(name="Invalidate", retry=ONCE)
def invalidate(ctx: RunContext) -> None:
    note(event="ran", row="alias", user=ctx.user_id, slot=ctx.slot.isoformat())


@app.job(per_tenant=True, retry=ONCE)
def visit(ctx: RunContext) -> None:
    note(event="ran", row="tenant", tenant=ctx.tenant.id)


@app.job(retry=ONCE)
def fails() -> None:
    note(event="ran", row="fails")
    raise ValueError("no such pending registration")
"""
WITHIN_S = 8
"""With `scheduler.rows` at a second, on a machine that is busy; without that setting it would be 15 s."""
ROW = "INSERT INTO cron_jobs (name, job_type, user_id, run_at, args) VALUES (:name, :job, :user, :at, :args)"


@pytest.fixture(params=KINDS)
def ground(request, tmp_path) -> Iterator[Ground]:
    with on(request.param, request, tmp_path) as made:
        yield made


class Administrator:
    """Somebody with an SQL prompt."""

    def __init__(self, ground: Ground) -> None:
        self._engine = create_engine(ground.url, poolclass=NullPool)

    def does(self, statement: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(text(statement), values)

    def sees(self, question: str) -> list[Any]:
        with self._engine.connect() as connection:
            return [row[0] if len(row) == 1 else tuple(row) for row in connection.execute(text(question))]


def rows_run(site: Site) -> set[str]:
    return {line["row"] for line in events(site, "ran")}


def test_rows_of_plain_sql_run_within_the_time_that_the_setting_says(ground):  # R5, R6
    site = planned(ground, JOBS)
    admin = Administrator(ground)
    with site.started():
        wait_until(lambda: ground.store.workers(), what="a scheduler")
        ago = (ground.store.now() - timedelta(minutes=2)).strftime("%Y-%m-%d %H:%M:%S")

        wrote = time.monotonic()
        admin.does("INSERT INTO rota_schedules (name, job, timing) VALUES ('plain', 'report', 'every 1 second')")
        # Without a job_type it is the name that says the job.
        admin.does(ROW, name="Invalidate", job=None, user="4711", at=ago, args=None)
        admin.does(ROW, name="named", job="report", user=None, at=ago, args='{"code": "named"}')
        admin.does(ROW, name="named", job="report", user=None, at=ago, args='["twin"]')
        admin.does("INSERT INTO cron_jobs (name, job_type, run_at, tenant) VALUES ('t', 'visit', :at, 'acme')", at=ago)
        # What makes no sense stops no other row.
        admin.does(ROW, name="nonsense", job="report", user=None, at=ago, args="{")
        admin.does("INSERT INTO rota_schedules (name, job, timing) VALUES ('bad', 'report', 'now and then')")
        wait_until(lambda: rows_run(site) >= {"", "alias", "named", "twin", "tenant"}, what="a run of each row")
        took = time.monotonic() - wrote
        wait_until(lambda: admin.sees("SELECT problem FROM cron_jobs") != [None], what="what is wrong")
        admin.does("DELETE FROM rota_schedules WHERE name = 'plain'")
        wait_until(lambda: ground.store.schedule("bad").state is ScheduleState.BROKEN, what="what is wrong")

    assert took < WITHIN_S
    [alias] = events(site, "ran", row="alias")
    assert alias["user"] == "4711"
    assert datetime.fromisoformat(alias["slot"]).strftime("%Y-%m-%d %H:%M:%S") == ago
    assert [line["tenant"] for line in events(site, "ran", row="tenant")] == ["acme"]
    for row in ("alias", "named", "twin"):
        assert len(events(site, "ran", row=row)) == 1


def test_a_one_time_row_goes_after_its_success_and_stays_inactive_after_its_failure(ground):  # R7
    site = planned(ground, JOBS)
    admin = Administrator(ground)
    with site.started():
        wait_until(lambda: ground.store.workers(), what="a scheduler")
        now = ground.store.now()
        soon, later = (f"{now + delay:%Y-%m-%d %H:%M:%S}" for delay in (timedelta(seconds=2), timedelta(hours=1)))

        admin.does(ROW, name="good", job="report", user=None, at=soon, args='["good"]')
        admin.does(ROW, name="bad", job="fails", user=None, at=soon, args=None)
        # Not counted from the full hour on: it could be due at any moment.
        admin.does(
            "INSERT INTO cron_jobs (name, job_type, interval_minutes, run_at) VALUES ('recurs', 'report', 15, :at)",
            at=later,
        )
        wait_until(lambda: "good" not in admin.sees("SELECT name FROM cron_jobs"), what="the end of the good row")
        wait_until(
            lambda: ("bad", 0) in admin.sees("SELECT name, CASE WHEN is_active THEN 1 ELSE 0 END FROM cron_jobs"),
            what="the end of the bad row",
        )

    assert admin.sees("SELECT name FROM cron_jobs ORDER BY name") == ["bad", "recurs"]
    assert admin.sees("SELECT state FROM rota_schedules ORDER BY state") == ["active", "failed"]
    assert {row: len(events(site, "ran", row=row)) for row in ("good", "fails")} == {"good": 1, "fails": 1}
    # Its history stays.
    states = {run.job: run.state for run in ground.store.runs(RunQuery(limit=100))}
    assert states == {"report": State.SUCCEEDED, "fails": State.FAILED}
