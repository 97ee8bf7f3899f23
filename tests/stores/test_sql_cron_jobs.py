"""Rows that applications write with plain SQL: the view and the table of `cron_jobs`, and what becomes of them."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import create_engine, text

from rota.core.cron_jobs import CronJobRow
from rota.core.model import ScheduleState
from rota.queries import ScheduleQuery
from rota.stores.sql.store import SqlStore
from tests.stores.conftest import opened
from tests.values import NOON, SECOND, a_firing, a_schedule

INSERT = "INSERT INTO cron_jobs (name, job_type, user_id, interval_minutes) VALUES ('mail', 'send', '7', 15)"

Sql = Callable[[str], list[Any]]


@pytest.fixture
def sql(store: SqlStore, url: str) -> Sql:
    """What an application does: one statement, committed. Without any of our code."""

    def execute(statement: str) -> list[Any]:
        engine = create_engine(url)
        with engine.begin() as connection:
            found = connection.execute(text(statement))
            rows = [tuple(row) for row in found] if found.returns_rows else []
        engine.dispose()
        return rows

    return execute


def taken(store: SqlStore, row: CronJobRow, **fields: Any) -> bool:
    schedule = a_schedule(name=f"cron_jobs/{row.id}", **fields)
    return store.take_row(row, schedule, expected_version=None, problem=None)


def test_the_view_takes_insert_update_and_delete(store: SqlStore, sql: Sql) -> None:  # R6
    sql(INSERT)
    sql("INSERT INTO cron_jobs (name, run_at, is_active) VALUES ('once', '2026-11-20 03:00:00', true)")
    sql("UPDATE cron_jobs SET interval_minutes = 30, is_active = false WHERE name = 'mail'")
    sql("DELETE FROM cron_jobs WHERE name = 'once'")

    [row] = sql("SELECT id, name, job_type, user_id, interval_minutes, is_active, created_at, problem FROM cron_jobs")

    assert row[1:5] == ("mail", "send", "7", 30)
    assert not row[5]
    assert row[6] is not None
    assert row[7] is None


def test_a_new_row_is_told_with_what_stands_in_it(store: SqlStore, sql: Sql) -> None:  # R6
    sql(INSERT)
    sql(
        "INSERT INTO cron_jobs (name, run_at, cron, timezone, tenant, args, is_active) "
        "VALUES ('once', '2026-11-20 03:00:00', '0 3 * * *', 'Europe/Paris', 'acme', '[1]', false)"
    )

    mail, once = store.changed_rows()

    assert (mail.name, mail.job_type, mail.user_id, mail.interval_minutes) == ("mail", "send", "7", 15)
    assert (mail.run_at, mail.is_active) == (None, True)
    assert (once.run_at, once.cron, once.timezone) == ("2026-11-20 03:00:00", "0 3 * * *", "Europe/Paris")
    assert (once.tenant, once.args, once.is_active) == ("acme", "[1]", False)


def test_names_may_repeat(store: SqlStore, sql: Sql) -> None:  # R6
    sql(INSERT)
    sql(INSERT)

    rows = store.changed_rows()

    assert [row.name for row in rows] == ["mail", "mail"]
    assert rows[0].id < rows[1].id


def test_a_row_that_was_taken_is_told_again_only_when_somebody_changes_it(store: SqlStore, sql: Sql) -> None:  # R6
    sql(INSERT)
    [row] = store.changed_rows()

    assert taken(store, row)
    assert store.changed_rows() == []
    sql("UPDATE cron_jobs SET interval_minutes = 30")

    assert [(one.id, one.interval_minutes) for one in store.changed_rows()] == [(row.id, 30)]


def test_a_row_that_changed_since_it_was_read_is_not_taken(store: SqlStore, sql: Sql) -> None:  # R6
    sql(INSERT)
    [row] = store.changed_rows()
    sql("UPDATE cron_jobs SET interval_minutes = 30")

    assert not taken(store, row)

    assert store.schedules() == []
    assert len(store.changed_rows()) == 1


def test_a_row_is_not_taken_over_a_schedule_that_changed(store: SqlStore, sql: Sql) -> None:  # R6
    sql(INSERT)
    [row] = store.changed_rows()
    store.put_schedule(a_schedule(name=f"cron_jobs/{row.id}", version=4), expected_version=None)

    assert not taken(store, row)
    assert not store.take_row(row, a_schedule(name=f"cron_jobs/{row.id}"), expected_version=3, problem=None)

    assert len(store.changed_rows()) == 1


def test_what_is_wrong_with_a_row_is_shown_in_the_view(store: SqlStore, sql: Sql) -> None:  # R5
    sql("INSERT INTO cron_jobs (name, cron) VALUES ('mail', 'nonsense')")
    [row] = store.changed_rows()

    assert store.take_row(row, None, expected_version=None, problem="cron: 'nonsense' has one field")

    assert sql("SELECT problem FROM cron_jobs") == [("cron: 'nonsense' has one field",)]
    assert store.changed_rows() == []
    assert store.schedules() == []


def test_a_deleted_row_leaves_a_lost_schedule(store: SqlStore, sql: Sql) -> None:  # R6
    sql(INSERT)
    sql(INSERT)
    for row in store.changed_rows():
        taken(store, row)
    store.put_schedule(a_schedule(name="of its own"), expected_version=None)
    assert store.lost_rows() == []

    sql(f"DELETE FROM cron_jobs WHERE id = {row.id}")

    assert [schedule.name for schedule in store.lost_rows()] == [f"cron_jobs/{row.id}"]


def test_a_dropped_schedule_takes_its_row_along(store: SqlStore, sql: Sql) -> None:  # R7
    sql(INSERT)
    sql(INSERT)
    first, second = store.changed_rows()
    taken(store, first)
    taken(store, second)

    assert not store.drop_schedule(f"cron_jobs/{first.id}", expected_version=9)
    assert store.drop_schedule(f"cron_jobs/{first.id}")

    assert sql("SELECT id FROM cron_jobs") == [(second.id,)]


def test_an_id_never_comes_again(store: SqlStore, sql: Sql) -> None:
    sql(INSERT)
    [row] = store.changed_rows()
    taken(store, row)
    store.drop_schedule(f"cron_jobs/{row.id}")

    sql(INSERT)

    assert store.changed_rows()[0].id > row.id


def test_a_firing_is_told_to_its_row(store: SqlStore, sql: Sql) -> None:  # R6
    sql(INSERT)
    sql(INSERT)
    first, second = store.changed_rows()
    taken(store, first)
    taken(store, second)
    schedule = store.schedule(f"cron_jobs/{first.id}")
    assert schedule is not None

    assert store.fire([a_firing(schedule)], now=NOON + SECOND) == [schedule.name]

    told = sql("SELECT last_run_at FROM cron_jobs ORDER BY id")
    assert [str(at) for (at,) in told] == ["2026-06-01 12:00:01", "None"]
    assert store.changed_rows() == []


@pytest.mark.parametrize("state", [ScheduleState.DONE, ScheduleState.FAILED])
def test_a_schedule_that_is_over_makes_its_row_inactive(store: SqlStore, sql: Sql, state: ScheduleState) -> None:  # R7
    sql(INSERT)
    [row] = store.changed_rows()
    taken(store, row)
    schedule = store.schedule(f"cron_jobs/{row.id}")
    assert schedule is not None

    assert store.put_schedule(replace(schedule, state=state, version=2), expected_version=1)

    [(is_active,)] = sql("SELECT is_active FROM cron_jobs")
    assert not is_active
    assert store.changed_rows() == [], "nobody else wrote it"
    sql("UPDATE cron_jobs SET is_active = true")
    assert [one.is_active for one in store.changed_rows()] == [True]


def test_a_change_is_not_lost_when_the_schedule_is_over_at_the_same_time(store: SqlStore, sql: Sql) -> None:  # R6
    sql(INSERT)
    [row] = store.changed_rows()
    taken(store, row)
    sql("UPDATE cron_jobs SET interval_minutes = 30")
    schedule = store.schedule(f"cron_jobs/{row.id}")
    assert schedule is not None

    store.put_schedule(replace(schedule, state=ScheduleState.FAILED, version=2), expected_version=1)

    assert [one.interval_minutes for one in store.changed_rows()] == [30]


def test_a_view_or_table_of_the_application_is_left_alone(empty: SqlStore, bare_url: str) -> None:
    engine = create_engine(bare_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE cron_jobs (mine INTEGER)"))

    empty.setup()

    with engine.begin() as connection:
        connection.execute(text("INSERT INTO cron_jobs (mine) VALUES (1)"))
    engine.dispose()
    assert empty.changed_rows() == []


def test_another_prefix_has_no_view(bare_url: str) -> None:
    store = opened(bare_url, prefix="other_")
    store.setup()
    store.close()
    engine = create_engine(bare_url)

    with pytest.raises(Exception, match="cron_jobs"), engine.begin() as connection:
        connection.execute(text("SELECT 1 FROM cron_jobs"))

    engine.dispose()


def test_a_row_of_anything_on_sqlite_stops_nobody(store: SqlStore, sql: Sql) -> None:  # R5
    if store._database.dialect.name != "sqlite":
        pytest.skip("the other engines check what comes into a column")
    sql("INSERT INTO cron_jobs (name, interval_minutes, run_at, args) VALUES (7, 'often', 'soon', x'ff00')")
    sql(INSERT)

    odd, mail = store.changed_rows()

    assert (odd.name, odd.interval_minutes, odd.run_at) == ("7", 0, "soon")
    assert mail.name == "mail"
    assert taken(store, mail)


PLAIN = "INSERT INTO rota_schedules (name, job, timing) VALUES ('x', 'report', 'every day at 03:00')"


def test_a_schedule_can_be_written_with_plain_sql(store: SqlStore, sql: Sql) -> None:  # R5
    sql(PLAIN)

    [found] = store.schedules(ScheduleQuery(states=(ScheduleState.ACTIVE,), has_next=False))

    assert (found.name, found.job, found.timing, found.origin.value) == ("x", "report", "every day at 03:00", "row")
    assert (found.version, found.cursor.timestamp(), found.tenants, found.exclude) == (1, 0, None, ())
    assert store.due(now=NOON) == []
    assert store.put_schedule(replace(found, cursor=NOON, next_at=NOON, version=2), expected_version=1)
    assert [one.name for one in store.due(now=NOON)] == ["x"]


@pytest.mark.parametrize(
    ("column", "written", "means"),
    [
        ("tenants", "acme, globex", ("acme", "globex")),
        ("tenants", '["acme"]', ("acme",)),
        ("exclude", "acme", ("acme",)),
        ("zones", "Europe/Paris", ("Europe/Paris",)),
    ],
)
def test_names_are_read_as_people_write_them(
    store: SqlStore, sql: Sql, column: str, written: str, means: tuple[str, ...]
) -> None:  # R5
    sql(PLAIN)
    sql(f"UPDATE rota_schedules SET {column} = '{written}'")

    [found] = store.schedules()

    assert getattr(found, column) == means


@pytest.mark.parametrize(
    ("column", "written"),
    [("tenants", '["acme'), ("catch_up", "never"), ("overlap", "maybe"), ("state", "off"), ("origin", "me")],
)
def test_a_row_that_cannot_be_read_is_broken_and_stops_no_other(
    store: SqlStore, sql: Sql, column: str, written: str
) -> None:  # R5
    store.put_schedule(a_schedule(name="good"), expected_version=None)
    sql(PLAIN)
    sql(f"UPDATE rota_schedules SET {column} = '{written}'  WHERE name = 'x'")

    good, bad = store.schedules()

    assert good.state is ScheduleState.ACTIVE
    assert bad.state is ScheduleState.BROKEN
    assert column in (bad.reason or "")
    # Not for everybody, as a row without tenants is.
    assert bad.tenants == (() if column == "tenants" else None)
