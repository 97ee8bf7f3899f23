"""Transactions of the application's own: joined where they are the store's, waited for where they are not (R34)."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar, runtime_checkable

from rota.errors import ConfigurationError

Work = Callable[[], None]
Answer = TypeVar("Answer")
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Calls a function in a thread of its choice, for a coroutine that waits for its answer."""


@runtime_checkable
class Transaction(Protocol):
    """A transaction that is open on a connection of the application's own."""

    driver: object
    """The driver's connection."""
    is_told: bool
    """Whether its end can be waited for."""

    def after_commit(self, work: Work) -> None:
        """Call `work` once it has been committed, and never if it is not; do nothing where its end is not told."""


class PlainTransaction:
    """One on a driver's connection, which tells nobody when it commits."""

    is_told = False

    def __init__(self, driver: object) -> None:
        self.driver = driver

    def after_commit(self, work: Work) -> None:
        """Do nothing: workers find what was committed with their next look."""


async def in_thread(
    enqueue: Callable[[object], Answer], *, connection: object, within: InThread | None = None
) -> Answer:
    """Call `enqueue` in a thread, with the connection of a coroutine as that thread can join it. Without a connection
    it is the thread that `within` chooses: that of a transaction which is open around the coroutine.

    Raises:
        ConfigurationError: it is asynchronous and has no transaction, as an engine.
    """
    # Weight by choice: a program without coroutines never loads asyncio.
    import asyncio

    if connection is None:
        answer: Answer = await (within or asyncio.to_thread)(lambda: enqueue(None))
        return answer
    enqueued = asyncio.ensure_future(asyncio.to_thread(enqueue, await _for_a_thread(connection)))
    try:
        return await asyncio.shield(enqueued)
    except asyncio.CancelledError:
        # Whoever is cancelled goes on to end the transaction: not while a thread is still writing in it. Some cancel
        # again and again until one is gone, as anyio does, and so the servers that stand on it.
        while not enqueued.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([enqueued])
        raise


def do_in_thread(work: Work, driver: Any) -> None:
    """Do `work` in a thread, in the midst of what a coroutine does with a connection of SQLAlchemy: the event loop is
    not to wait for a store. `driver`: the connection of its driver, as SQLAlchemy adapts it."""
    # Weight by choice: whoever has one of these has loaded asyncio.
    import asyncio

    driver.run_async(lambda _: asyncio.to_thread(work))


async def _for_a_thread(connection: object) -> object:
    """Return the transaction of an asynchronous connection, any other as it is."""
    if not is_asynchronous(connection):
        return connection
    # Weight by choice: whoever has one of these has loaded SQLAlchemy.
    from rota.awaited_transaction import transaction_of_coroutine

    return await transaction_of_coroutine(connection)


def is_asynchronous(connection: object) -> bool:
    """Whether it is one of SQLAlchemy's for coroutines, or made of one as those of SQLModel are."""
    return any(
        kind.__module__.startswith("sqlalchemy.") and kind.__name__.lower().startswith("async")
        for kind in type(connection).__mro__
    )


def _origins(connection: object) -> set[str]:
    return {kind.__module__.partition(".")[0] for kind in type(connection).__mro__}


def transaction_of(connection: object) -> Transaction:
    """Return the transaction that is open on a connection: a Connection or Session of SQLAlchemy, or a driver's own.

    Raises:
        ConfigurationError: it is nothing of the kind.
    """
    if isinstance(connection, Transaction):
        return connection
    if not _origins(connection).isdisjoint({"sqlalchemy", "flask_sqlalchemy"}):
        # Weight by choice: whoever has one of these has loaded SQLAlchemy.
        from rota.sqlalchemy_transaction import SqlalchemyTransaction

        return SqlalchemyTransaction(connection)
    if not callable(getattr(connection, "cursor", None)):
        raise ConfigurationError(
            f"connection={type(connection).__name__}: give a Connection or Session of SQLAlchemy, or a connection of "
            "psycopg, PyMySQL, mysqlclient or sqlite3"
        )
    return PlainTransaction(connection)
