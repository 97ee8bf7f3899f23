"""Writing in a transaction of the application's own, on its own connection (R34)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from rota.core.model import Run
from rota.errors import ConfigurationError, TransactionFailed
from rota.ports import OtherDriver
from rota.stores.sql import queue
from rota.stores.sql.database import Database, Link
from rota.stores.sql.dialects import Dialect

BACKENDS = {"sqlite": ("sqlite",), "postgres": ("postgresql",), "mysql": ("mysql", "mariadb")}
"""What SQLAlchemy calls our dialects."""


class Borrowed:
    """A connection of the application's own as our statements need one: its rows are tuples, whatever it is set up
    for. Commits and rolls back nothing."""

    def __init__(self, make_cursor: Callable[[], Any]) -> None:
        self.cursor = make_cursor

    def executemany(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        """Execute a statement for each row, as a connection of SQLite does."""
        self.cursor().executemany(text, rows)


def is_home(database: Database, driver: object) -> bool:
    """Whether a driver's connection leads to the database of this store, and finds its tables there.

    Raises:
        TransactionFailed: its transaction has failed already.
    """
    dialect = database.dialect
    if not (driver.backend in BACKENDS[dialect.name] if isinstance(driver, OtherDriver) else dialect.is_ours(driver)):
        return False
    try:
        theirs = dialect.home(_link(database, driver))
    except _errors(dialect, driver) as error:
        raise TransactionFailed(error) from error
    if theirs is None:
        return False
    if theirs != database.home:
        # Asked once, and again when it does not fit: a server that was started anew is another one.
        database.home = database.read(dialect.home)
    return theirs == database.home


def enqueue(database: Database, driver: object, runs: Sequence[Run], *, now: datetime) -> None:
    """Accept runs in the transaction that is open on a driver's connection.

    Raises:
        ConfigurationError: none is, and the connection would commit each statement by itself.
        TransactionFailed: the database refused, and the transaction is to be rolled back.
    """
    dialect = database.dialect
    if not (driver.is_in_transaction if isinstance(driver, OtherDriver) else dialect.is_in_transaction(driver)):
        raise ConfigurationError(
            "connection=...: no transaction is open on it and each statement commits by itself, so that nothing could "
            "be taken back: begin one, or leave connection= out"
        )
    try:
        queue.enqueue(_link(database, driver), runs, now=now, careful=False)
    except _errors(dialect, driver) as error:
        raise TransactionFailed(error) from error


def _errors(dialect: Dialect, driver: object) -> tuple[type[Exception], ...]:
    return (driver.errors,) if isinstance(driver, OtherDriver) else dialect.driver_errors


def _link(database: Database, driver: Any) -> Link:
    if isinstance(driver, OtherDriver):
        return Link(database, driver, insert=_insert_sqlite if database.dialect.name == "sqlite" else _insert)
    return Link(database, Borrowed(lambda: database.dialect.plain_cursor(driver)))


def _insert(
    driver: OtherDriver, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]], *, mark: str = "%s"
) -> None:
    """Insert rows as every driver can: the fastest ways are those of the plain ones."""
    marks = ", ".join([mark] * len(columns))
    driver.cursor().executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)


_insert_sqlite = partial(_insert, mark="?")
