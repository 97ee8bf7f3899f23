"""Exactly-once effects inside one database (G8)."""

from sqlalchemy import (
    CHAR,
    Column,
    Connection,
    DateTime,
    Engine,
    Insert,
    MetaData,
    String,
    Table,
    func,
    inspect,
    select,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.schema import CreateTable

from rota.errors import ConfigurationError, Refused

LONGEST_NAME = 191
"""Characters of a name: what every MySQL puts in a key."""

_MYSQL = ("mysql", "mariadb")
NO_SUCH_TABLE = 1146
"""MySQL's number for it. SQLite has only the words."""

MARKS = Table(
    "rota_once",
    MetaData(),
    Column("run_id", CHAR(32), primary_key=True),
    # By default MySQL takes `Mail` and `mail` for the same.
    Column(
        "name",
        String(LONGEST_NAME).with_variant(
            mysql.VARCHAR(LONGEST_NAME, charset="utf8mb4", collation="utf8mb4_bin"), *_MYSQL
        ),
        primary_key=True,
    ),
    Column("marked_at", DateTime(timezone=True), server_default=func.current_timestamp(), nullable=False),
    # Another engine of MySQL's would keep the mark of a transaction that was rolled back.
    mysql_engine="InnoDB",
    mariadb_engine="InnoDB",
)


def first_time(connection: Connection, run_id: str, name: str) -> bool:
    """Return whether this is the first time, and mark it in the transaction of `connection`.

    Where another attempt has marked it and is not committed yet, its end is waited for, as long as this database
    waits for a lock. Makes the table at the first use.

    Raises:
        ConfigurationError: the name is too long, or has blanks at an end or control characters.
        Refused: the connection commits by itself: the mark would stay when the work is rolled back.
    """
    # MySQL compares without the blanks at the end, and PostgreSQL has no NUL.
    if len(name) > LONGEST_NAME or name != name.strip() or not name.isprintable():
        raise ConfigurationError(
            f"ctx.once(name={name[:40]!r}): at most {LONGEST_NAME} printable characters, without blanks at the ends"
        )
    if _commits_by_itself(connection):
        raise Refused("ctx.once needs a transaction, and this connection is in autocommit mode; use engine.begin()")
    statement = _insertion(connection.dialect.name).values(run_id=run_id, name=name)
    if connection.dialect.name == "postgresql":
        _make_sure_of_table(connection)
        return _mark(connection, statement)
    try:
        return _mark(connection, statement)
    except (OperationalError, ProgrammingError) as error:
        if not _says_missing(error):
            raise
    # Only the statement was undone: the transaction goes on.
    _create(connection)
    return _mark(connection, statement)


def _insertion(dialect: str) -> Insert:
    """Return what inserts a mark, or nothing where there is one; it waits for one that is not committed."""
    match dialect:
        case "sqlite":
            return sqlite.insert(MARKS).on_conflict_do_nothing()
        case "postgresql":
            return postgresql.insert(MARKS).on_conflict_do_nothing()
        case "mysql" | "mariadb":
            # Not ON DUPLICATE KEY: with the FOUND_ROWS flag of SQLAlchemy both answers are 1.
            return mysql.insert(MARKS).prefix_with("IGNORE")
        case _:
            raise ConfigurationError(f"ctx.once works on SQLite, PostgreSQL, MariaDB and MySQL, not on {dialect}")


def _mark(connection: Connection, statement: Insert) -> bool:
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1


def _says_missing(error: DBAPIError) -> bool:
    """Whether the table is not there. Nothing else may be tried again: a deadlock on MySQL has rolled back the job's
    work as well."""
    what = getattr(error.orig, "args", ())
    return what[:1] == (NO_SUCH_TABLE,) or str(error.orig).startswith("no such table")


def _make_sure_of_table(connection: Connection) -> None:
    """Make the table where this PostgreSQL connection has none.

    Asked, not tried: an error would end the transaction. Asked of the first schema of the search path: a table of one
    further down may be that of all tenants.
    """
    here = func.current_schema()
    schema, table = connection.execute(select(here, func.to_regclass(func.format("%I.rota_once", here)))).one()
    if schema is None:
        raise ConfigurationError("ctx.once: no schema of this connection's search_path is there")
    if table is None:
        _create(connection, schema=schema)


def _create(connection: Connection, *, schema: str | None = None) -> None:
    if connection.dialect.name == "sqlite":
        # Here: nobody else may write while this transaction does. Undone with it, it is made again next time.
        connection.execute(CreateTable(MARKS, if_not_exists=True))
        return
    # Elsewhere: MySQL would commit the job's transaction, and PostgreSQL would keep every other first user waiting
    # for its end. Not from the engine's pool either, of which this connection may be all.
    if connection.dialect.name in _MYSQL:
        schema = connection.scalar(select(func.database()))
    engine = connection.engine
    beside = Engine(engine.pool.recreate(), engine.dialect, engine.url, hide_parameters=True)
    named = {"schema_translate_map": {None: schema}}
    try:
        with beside.begin() as other:
            other.execute(CreateTable(MARKS, if_not_exists=True), execution_options=named)
    except DBAPIError:
        # Of two at once PostgreSQL refuses one, for all its IF NOT EXISTS.
        with beside.connect() as other:
            if not inspect(other).has_table(MARKS.name, schema=schema):
                raise
    finally:
        beside.dispose()


def _commits_by_itself(connection: Connection) -> bool:
    driver = connection.connection.dbapi_connection
    match connection.dialect.name:
        case "sqlite":
            # Without an isolation level somebody else may have begun a transaction by hand.
            return getattr(driver, "isolation_level", "") is None and not getattr(driver, "in_transaction", False)
        case "postgresql":
            return bool(getattr(driver, "autocommit", False))
        case _:
            asked = getattr(driver, "get_autocommit", None)
            return bool(asked and asked())
