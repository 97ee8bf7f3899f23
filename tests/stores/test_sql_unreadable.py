"""Rows of schedules in which somebody wrote with plain SQL what cannot be read: told once, left alone, in no way."""

import pytest
from sqlalchemy import create_engine, text

from rota import Rota, RunContext
from rota.core.events import ScheduleBroken
from rota.core.model import ScheduleState
from rota.stores.sql.store import SqlStore
from tests.clocks import FakeClock
from tests.engine.house import Driven, an_app, runs_of
from tests.values import HOUR, MINUTE

BEYOND = 9 * 10**18
COLUMNS = {
    "tenants": "'[1,'",
    "catch_up": "'sometimes'",
    "cursor_at": BEYOND,
    "next_at": BEYOND,
    "created_at": -BEYOND,
    "last_run_at": BEYOND,
    "paused_until": BEYOND,
    "fresh_within": BEYOND,
}


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    engine = create_engine(url)
    with engine.begin() as connection:
        found = connection.execute(text(statement))
        rows = [tuple(row) for row in found] if found.returns_rows else []
    engine.dispose()
    return rows


def declared(app: Rota) -> None:
    @app.job(per_tenant=True)
    def report(ctx: RunContext) -> None: ...


@pytest.mark.parametrize("column", COLUMNS)
def test_a_row_that_cannot_be_read_is_told_once_and_stops_no_other(store: SqlStore, url: str, column: str):  # R5, R64
    clock = FakeClock(store.now())
    app = an_app(store=store, clock=clock)
    declared(app)
    told: list[ScheduleBroken] = []
    app.on(ScheduleBroken)(told.append)
    for name in ("bad", "good"):
        app.schedules.put(name, job="report", when="every 5 minutes")
    process = Driven(app, clock)
    execute(url, f"UPDATE rota_schedules SET {column} = {COLUMNS[column]} WHERE name = 'bad'")
    written = execute(url, f"SELECT {column} FROM rota_schedules WHERE name = 'bad'")

    for _ in range(3):
        clock.tick(20 * MINUTE)
        process.crew.services["rows"].tick(clock.now())
        process.settle_down()

    assert runs_of(app, schedule="good")
    assert not runs_of(app, schedule="bad")
    assert [(one.schedule, column in one.reason) for one in told] == [("bad", True)]
    assert app.schedules.get("bad").state is ScheduleState.BROKEN
    assert execute(url, f"SELECT {column} FROM rota_schedules WHERE name = 'bad'") == written


def test_a_new_row_that_cannot_be_read_is_not_taken_for_one_that_is_for_nobody(store: SqlStore, url: str):  # R5
    clock = FakeClock(store.now())
    app = an_app(store=store, clock=clock)
    declared(app)
    process = Driven(app, clock)
    execute(url, "INSERT INTO rota_schedules (name, job, timing, tenants) VALUES ('n', 'report', 'every hour', '[1,')")

    process.crew.services["rows"].tick(clock.now())
    assert app.schedules.get("n").state is ScheduleState.BROKEN
    execute(url, "UPDATE rota_schedules SET tenants = '[\"acme\"]' WHERE name = 'n'")
    process.crew.services["rows"].tick(clock.now())
    clock.tick(HOUR)
    process.settle_down()

    assert [run.tenant for run in runs_of(app)] == ["acme"]


def test_a_text_in_a_column_of_numbers_stops_no_other_row(store: SqlStore, url: str):  # R5
    if not url.startswith("sqlite"):
        pytest.skip("only SQLite lets it in")
    clock = FakeClock(store.now())
    app = an_app(store=store, clock=clock)
    declared(app)
    for name in ("bad", "good"):
        app.schedules.put(name, job="report", when="every 5 minutes")
    process = Driven(app, clock)
    execute(url, "UPDATE rota_schedules SET cursor_at = 'x', jitter = 'y', last_run_at = 'z' WHERE name = 'bad'")

    clock.tick(20 * MINUTE)
    process.crew.services["rows"].tick(clock.now())
    process.settle_down()

    assert runs_of(app, schedule="good")
    assert not runs_of(app, schedule="bad")
