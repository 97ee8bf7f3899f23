"""Running the migrations with Alembic, without its files: everything it needs is passed to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from rota.stores.sql.database import Database
from rota.stores.sql.dialects import unavailable

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_SECONDS = 300
LOCK = 0x726F7461
"""The number of the lock on PostgreSQL: "rota" in ASCII."""


def migrate(database: Database) -> None:
    """Run the migrations that are missing, while nobody else does."""
    try:
        with database.engine.connect() as connection, _alone(connection, database):
            _run(database, connection=connection)
            connection.commit()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise unavailable(database.shown, error.orig or error) from error
        raise


def script(database: Database, *, start: int) -> str:
    """Return the statements of the migrations after `start`, without touching a database."""
    buffer = StringIO()
    _run(
        database,
        dialect_name=database.engine.dialect.name,
        as_sql=True,
        output_buffer=buffer,
        starting_rev=f"{start:04d}" if start else None,
    )
    return buffer.getvalue()


@contextmanager
def _alone(connection: Connection, database: Database) -> Iterator[None]:
    """Hold the lock that only one migrating process has."""
    match database.dialect.name:
        case "sqlite":
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
            yield
        case "postgres":
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            yield
        case _:
            # Statements that change tables commit by themselves here, so the lock belongs to the session.
            connection.exec_driver_sql("SELECT GET_LOCK(CONCAT('rota ', DATABASE()), %s)", (LOCK_SECONDS,))
            try:
                yield
            finally:
                connection.exec_driver_sql("SELECT RELEASE_LOCK(CONCAT('rota ', DATABASE()))")


def _run(database: Database, *, connection: Connection | None = None, **options: Any) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    directory = ScriptDirectory.from_config(config)
    target = directory.get_current_head()

    def steps(revision: Any, _: Any) -> Any:
        return directory._upgrade_revs(target or "head", revision)

    environment = EnvironmentContext(
        config,
        directory,
        fn=steps,
        destination_rev=target,
        **{key: value for key, value in options.items() if key in ("as_sql", "starting_rev")},
    )
    with environment:
        environment.configure(
            connection=connection,
            version_table=f"{database.prefix}schema",
            version_table_schema=database.schema,
            transactional_ddl=database.dialect.name != "mysql",
            # Migrations find prefix and schema here.
            rota_prefix=database.prefix,
            rota_schema=database.schema,
            rota_collation=database.dialect.collation,
            **{key: value for key, value in options.items() if key in ("dialect_name", "output_buffer")},
        )
        with environment.begin_transaction():
            environment.run_migrations()
