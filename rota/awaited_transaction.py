"""Transactions of an AsyncSession or AsyncConnection of SQLAlchemy, joined by `aenqueue`.

A run is made in a thread, as that of every `aenqueue`, and each of its statements goes to the event loop, where the
driver waits for the database as it does for the application's own: nothing of it keeps the loop.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session

from rota.errors import ConfigurationError
from rota.sqlalchemy_transaction import SqlalchemyTransaction
from rota.transactions import Transaction, Work

Answer = TypeVar("Answer")

MARK = re.compile(r"%(s|%)")


async def transaction_of_coroutine(connection: object) -> "AwaitedTransaction":
    """Return the transaction of an AsyncSession or AsyncConnection; begin one where none is.

    Raises:
        ConfigurationError: it is nothing of the kind, as an AsyncEngine.
    """
    if isinstance(connection, AsyncSession | async_scoped_session):
        connection = await connection.connection()
    if not isinstance(connection, AsyncConnection):
        raise ConfigurationError(
            f"connection={type(connection).__name__} has no transaction to join: "
            "async with engine.begin() as connection: await job.using(connection=connection).aenqueue(...)"
        )
    if not connection.in_transaction():
        await connection.begin()
    return AwaitedTransaction(connection, asyncio.get_running_loop())


class AwaitedTransaction(Transaction):
    """The transaction of an AsyncConnection, while its coroutine waits for the thread that uses this."""

    is_told = True

    def __init__(self, connection: AsyncConnection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self.driver: object = DriverOfLoop(connection, loop)

    def after_commit(self, work: Work) -> None:
        """Call `work` in a thread once the transaction is committed; the commit waits for it, and the loop does not."""
        own = self._connection.sync_connection
        assert own is not None, "it is begun"
        SqlalchemyTransaction(own).after_commit(work)


class DriverOfLoop:
    """The connection of a driver for coroutines; see `rota.ports.other_driver`."""

    def __init__(self, connection: AsyncConnection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._loop = loop
        self._takes_dollars = connection.dialect.paramstyle == "numeric_dollar"
        self.backend: str = connection.dialect.name
        self.errors: type[Exception] = connection.dialect.loaded_dbapi.Error
        own = connection.sync_connection
        assert own is not None, "it is begun"
        self.is_in_transaction: bool = not _commits_each(own.connection.dbapi_connection)

    def cursor(self) -> "CursorOfLoop":
        return CursorOfLoop(self)

    def on_loop(self, work: Callable[[Any], Answer]) -> Answer:
        """Do `work` with a cursor of the driver's in its event loop, and wait for it."""

        def use(own: Connection) -> Answer:
            with closing(own.connection.cursor()) as cursor:
                return work(cursor)

        return asyncio.run_coroutine_threadsafe(self._connection.run_sync(use), self._loop).result()

    def text(self, text: str) -> str:
        """Return a statement with the marks that the driver takes."""
        if not self._takes_dollars:
            return text
        number = 0

        def mark(found: re.Match[str]) -> str:
            nonlocal number
            if found.group(1) == "%":
                return "%"
            number += 1
            return f"${number}"

        return MARK.sub(mark, text)


class CursorOfLoop:
    """A cursor that has all rows at once."""

    def __init__(self, driver: DriverOfLoop) -> None:
        self._driver = driver
        self._rows: list[Any] = []
        self.rowcount: int = -1

    def execute(self, text: str, parameters: Sequence[Any] = ()) -> None:
        text = self._driver.text(text)

        def work(cursor: Any) -> tuple[list[Any], int]:
            cursor.execute(text, tuple(parameters))
            return (list(cursor.fetchall()) if cursor.description else []), cursor.rowcount

        self._rows, self.rowcount = self._driver.on_loop(work)

    def executemany(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        text = self._driver.text(text)
        self._driver.on_loop(lambda cursor: cursor.executemany(text, list(rows)))

    def fetchone(self) -> Any:
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows


def _commits_each(driver: Any) -> bool:
    """Whether each statement on a connection commits by itself, as each driver says it."""
    if hasattr(driver, "get_autocommit"):
        return bool(driver.get_autocommit())
    if hasattr(driver, "autocommit"):
        return driver.autocommit is True
    return driver.isolation_level is None
