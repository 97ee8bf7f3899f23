"""Whether the schema fits this code (R70)."""

from contextlib import suppress

from sqlalchemy import MetaData, inspect
from sqlalchemy.exc import DBAPIError

from rota.errors import SchemaMismatch, StoreUnavailable
from rota.stores.sql.database import Database
from rota.stores.sql.dialects import unavailable

SCHEMA = 6
"""The number of the schema that this code was written for. Each migration raises it by one."""

VALUE = "SELECT value FROM {meta} WHERE name = ?"


def stored(database: Database) -> int | None:
    """Return the number of the schema in the database, or None where there is none."""
    try:
        if not inspect(database.engine).has_table(f"{database.prefix}meta", schema=database.schema):
            return None
    except DBAPIError as error:
        raise unavailable(database.shown, error.orig or error) from error
    row = database.read(lambda link: link.one(VALUE, "schema"))
    return None if row is None else int(row[0])


def check(database: Database) -> None:
    """Refuse a schema that this code must not work on.

    The row `works_from` of `meta` names the oldest SCHEMA whose code works on what is there. Only a migration that
    takes something away raises it.

    Raises:
        SchemaMismatch: it is missing, older than the code, or too new for it.
    """
    number = stored(database)
    if number is None:
        raise SchemaMismatch(f"store {database.shown} has no schema yet; run: rota db upgrade")
    if number < SCHEMA:
        raise SchemaMismatch(
            f"store {database.shown} has schema {number}, and this code needs {SCHEMA}; run: rota db upgrade"
        )
    [works_from] = database.read(lambda link: link.one(VALUE, "works_from"))
    if int(works_from) > SCHEMA:
        raise SchemaMismatch(
            f"store {database.shown} has schema {number}, which code for schema {works_from} or newer works with; "
            f"this code was written for {SCHEMA}: upgrade rota"
        )


def upgrade(database: Database) -> None:
    """Bring the schema to SCHEMA. Any number of processes may do so at once: one works, the others wait for it."""
    number = stored(database)
    if number is not None and number >= SCHEMA:
        return
    # Alembic takes most of a second to load, and a worker that finds its schema right does without.
    from rota.stores.sql.migrating import migrate

    migrate(database)


def upgrade_sql(database: Database, *, start: int = 0) -> str:
    """Return the statements that take schema `start` (0: none) to SCHEMA, for someone else to execute."""
    from rota.stores.sql.migrating import script

    # mysql:// does not tell MariaDB from MySQL; the server does, if it answers.
    with suppress(StoreUnavailable):
        database.read(lambda _: None)
    return script(database, start=start)


def erase(database: Database) -> None:
    """Drop every table whose name begins with the prefix, with all that is in it."""
    names = inspect(database.engine).get_table_names(schema=database.schema)
    found = MetaData(schema=database.schema)
    found.reflect(database.engine, only=[name for name in names if name.startswith(database.prefix)])
    found.drop_all(database.engine)
