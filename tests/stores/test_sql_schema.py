"""The schema: built in steps, compared with what the code expects, checked at start."""

import multiprocessing
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, inspect, text

from rota.core.model import Note, Run, Schedule
from rota.errors import ConfigurationError, SchemaMismatch
from rota.queries import RunQuery
from rota.stores import open_store
from rota.stores.sql import rows, schedule_rows, schema, tables
from rota.stores.sql.database import Link
from rota.stores.sql.store import SqlStore
from tests.stores.conftest import opened
from tests.values import NOON, a_run, a_schedule, claim

MARKED = ("rota_meta", "rota_schema")


def described(url: str, prefix: str) -> dict[str, Any]:
    """Return all that the database tells about the tables under a prefix, without the prefix."""
    engine = create_engine(url)
    inspector = inspect(engine)
    found = {}
    for table in inspector.get_table_names():
        if not table.startswith(prefix) or table == f"{prefix}schema":
            continue
        found[table.removeprefix(prefix)] = {
            "columns": [
                (column["name"], repr(column["type"]), column["nullable"]) for column in inspector.get_columns(table)
            ],
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "indexes": sorted(
                (
                    str(index["name"]).removeprefix(prefix),
                    index["column_names"],
                    bool(index["unique"]),
                    str({k: str(v) for k, v in index.get("dialect_options", {}).items() if "where" in k}),
                )
                for index in inspector.get_indexes(table)
            ),
            "options": str(inspector.get_table_options(table)),
        }
    engine.dispose()
    return found


def at_once(metadata: MetaData, url: str) -> None:
    """Create the tables as `tables.py` has them."""
    engine = create_engine(url)
    metadata.create_all(engine)
    engine.dispose()


def test_migrations_build_what_the_tables_say(empty: SqlStore, bare_url: str) -> None:  # R71
    empty.setup()
    at_once(tables.build("once_", collation=empty._database.dialect.collation), bare_url)

    stepwise, once = described(bare_url, "rota_"), described(bare_url, "once_")

    assert stepwise == once
    assert set(once) == set(tables.TABLES)


def test_alembic_finds_nothing_to_change(empty: SqlStore, bare_url: str) -> None:  # R71
    empty.setup()
    engine = create_engine(bare_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, kind, _: kind != "table" or name != "rota_schema"}
        )
        differences = compare_metadata(context, tables.build("rota_", collation=empty._database.dialect.collation))
    engine.dispose()

    # It cannot see which of the conditional indexes are meant for this engine.
    assert [one for one in differences if "index" not in str(one[0])] == []


def test_a_database_that_is_made_ready_is_as_migrations_leave_it(empty: SqlStore, bare_url: str, url: str) -> None:
    empty.setup()

    assert described(url, "rota_") == described(bare_url, "rota_")
    assert kept(url) == kept(bare_url)


def kept(url: str) -> dict[str, list[str]]:
    """Return what stands in the tables that migrations write, and the names of the views."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {name: sorted(map(str, connection.execute(text(f"SELECT * FROM {name}")))) for name in MARKED}
    views = inspect(engine).get_view_names()
    engine.dispose()
    return found | {"views": sorted(views)}


def test_a_schema_that_is_not_there_is_refused(empty: SqlStore) -> None:  # R70
    with pytest.raises(SchemaMismatch, match="rota db upgrade"):
        empty.check()


def write_meta(url: str, name: str, value: int) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE rota_meta SET value = :value WHERE name = :name"), {"name": name, "value": str(value)}
        )
    engine.dispose()


def test_an_older_schema_is_refused(store: SqlStore, url: str) -> None:  # R70
    write_meta(url, "schema", schema.SCHEMA - 1)

    with pytest.raises(SchemaMismatch, match="rota db upgrade"):
        store.check()


def test_a_newer_schema_that_still_works_is_accepted(store: SqlStore, url: str) -> None:  # R70, R71
    write_meta(url, "schema", schema.SCHEMA + 1)

    store.check()
    store.setup()


def test_a_schema_too_new_is_refused(store: SqlStore, url: str) -> None:  # R70
    write_meta(url, "schema", schema.SCHEMA + 2)
    write_meta(url, "works_from", schema.SCHEMA + 1)

    with pytest.raises(SchemaMismatch, match="upgrade rota"):
        store.check()


def _set_up(url: str) -> None:
    store = opened(url)
    store.setup()
    store.check()
    store.close()


def test_many_processes_set_up_at_once(bare_url: str) -> None:  # R71
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_set_up, args=(bare_url,)) for _ in range(3)]

    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0, 0]


def test_a_setup_that_was_cut_off_is_taken_up(empty: SqlStore, bare_url: str) -> None:
    if empty._database.dialect.name != "mysql":
        pytest.skip("one transaction here: it is there whole or not at all")
    empty.now()
    metadata = tables.build("rota_", collation=empty._database.dialect.collation)
    half = [table for table in metadata.sorted_tables if table.name in ("rota_runs", "rota_rounds")]
    engine = create_engine(bare_url)
    metadata.create_all(engine, tables=half)
    engine.dispose()

    empty.setup()

    empty.check()


def test_the_statements_for_an_administrator_build_the_schema(empty: SqlStore, bare_url: str) -> None:
    statements = schema.upgrade_sql(empty._database)

    execute(bare_url, statements)

    empty.check()
    empty.enqueue([a_run()], now=NOON)
    assert len(claim(empty)) == 1


def execute(url: str, statements: str) -> None:
    """Execute statements as an administrator would."""
    if url.startswith("sqlite"):
        # By the program's own rules for where one ends: those of a trigger have semicolons in them.
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.executescript(statements)
        connection.close()
        return
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements.split(";"):
            if statement.strip() and not statement.strip().startswith(("BEGIN", "COMMIT")):
                connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture
def older(empty: SqlStore, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], SqlStore]:
    """Return the store with an older schema in the database."""

    def opened_with(number: int) -> SqlStore:
        with monkeypatch.context() as then:
            then.setattr(ScriptDirectory, "get_current_head", lambda _: f"{number:04d}")
            empty.setup()
        return empty

    return opened_with


NEW = (
    "done", "total", "held_by", "batch", "weight", "retry", "carried", "limit_key", "host", "limited_by", "part",
    "parent",
)  # fmt: skip
OLD_RUN = tuple(column for column in rows.ACCEPTED if column not in NEW)
OLD_SCHEDULE = schedule_rows.SCHEDULE[:18]
"""The columns that code for schema 2 names, and no others."""


def insert_as_before(store: SqlStore, run: Run, schedule: Schedule) -> None:
    """Write a run and a schedule as code for schema 2 does."""
    row = dict(zip(rows.ACCEPTED, rows.accepted(run, "queued", 0.0), strict=True))
    other = schedule_rows.schedule_row(schedule)[:18]

    def work(link: Link) -> None:
        link.insert("runs", OLD_RUN, [tuple(row[column] for column in OLD_RUN)])
        link.insert("schedules", OLD_SCHEDULE, [other])

    store._database.write(work)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_an_older_schema_is_brought_up_to_date_with_what_is_in_it(
    older: Callable[[int], SqlStore], bare_url: str, number: int
) -> None:  # R71
    store, run, schedule = older(number), a_run(), a_schedule()
    insert_as_before(store, run, schedule)
    with pytest.raises(SchemaMismatch, match="rota db upgrade"):
        store.check()

    store.setup()

    store.check()
    assert store.schedules() == [schedule]
    [claimed] = claim(store)
    store.note([Note(run_id=run.id, token=claimed.token, done=1)], now=NOON)
    assert [(one.id, one.done, one.weight) for one in store.runs(RunQuery())] == [(run.id, 1, 1.0)]
    at_once(tables.build("once_", collation=store._database.dialect.collation), bare_url)
    assert described(bare_url, "rota_") == described(bare_url, "once_")


@pytest.mark.parametrize(
    "done_already",
    [
        ["ALTER TABLE rota_runs ADD COLUMN held_by VARCHAR(255)"],
        ["ALTER TABLE rota_runs ADD COLUMN weight DOUBLE NOT NULL DEFAULT 1", "CREATE VIEW cron_jobs AS SELECT 1"],
    ],
)
def test_a_step_that_was_cut_off_is_taken_up(
    older: Callable[[int], SqlStore], bare_url: str, done_already: list[str]
) -> None:
    store = older(2)
    if store._database.dialect.name != "mysql":
        pytest.skip("one transaction here: it is there whole or not at all")
    execute(bare_url, ";".join(done_already))

    store.setup()

    store.check()
    assert store.runs(RunQuery()) == []


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_statements_of_the_missing_steps_are_told_to_an_administrator(
    older: Callable[[int], SqlStore], bare_url: str, number: int
) -> None:
    store = older(number)

    execute(bare_url, store.upgrade_sql(start=number))

    store.check()
    assert store.runs(RunQuery()) == []


def test_code_of_the_schema_before_goes_on_beside_this_one(store: SqlStore, url: str) -> None:  # R71
    run, schedule = a_run(), a_schedule()

    insert_as_before(store, run, schedule)

    assert [one.id for one in claim(store)] == [run.id]
    assert store.schedules() == [schedule]
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT value FROM rota_meta WHERE name = 'works_from'")).scalar_one()
    engine.dispose()
    assert found == "1"


def test_two_stores_share_a_database_under_their_prefixes(store: SqlStore, url: str) -> None:
    other = opened(url, prefix="other_")
    other.setup()
    store.enqueue([a_run()], now=NOON)

    assert claim(other) == []
    assert len(claim(store)) == 1
    other.close()


def test_the_tables_can_stand_in_a_schema_of_postgresql(postgres_database: str) -> None:
    engine = create_engine(postgres_database)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA apart")
    engine.dispose()
    store = opened(postgres_database, schema="apart")

    store.setup()
    store.check()
    store.enqueue([a_run()], now=NOON)

    assert len(claim(store)) == 1
    store.close()


@pytest.mark.parametrize("url", ["oracle://host/db", "nonsense", "sqlite://", "sqlite:///:memory:"])
def test_an_url_that_cannot_be_a_store_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        open_store(url)


def test_a_prefix_is_a_plain_name() -> None:
    with pytest.raises(ConfigurationError, match="table_prefix"):
        open_store("sqlite:///x.db", table_prefix="a; DROP TABLE b")
