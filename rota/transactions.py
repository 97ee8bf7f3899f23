"""Transactions of the application's own: joined where they are the store's, waited for where they are not (R34)."""

from collections.abc import Callable
from typing import Protocol

from rota.errors import ConfigurationError

Work = Callable[[], None]


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


def transaction_of(connection: object) -> Transaction:
    """Return the transaction that is open on a connection: a Connection or Session of SQLAlchemy, or a driver's own.

    Raises:
        ConfigurationError: it is nothing of the kind.
    """
    kinds = {kind.__module__.partition(".")[0] for kind in type(connection).__mro__}
    if "sqlalchemy" in kinds or "flask_sqlalchemy" in kinds:
        # Weight by choice: whoever has one of these has loaded SQLAlchemy.
        from rota.sqlalchemy_transaction import SqlalchemyTransaction

        return SqlalchemyTransaction(connection)
    if not callable(getattr(connection, "cursor", None)):
        raise ConfigurationError(
            f"connection={type(connection).__name__}: give a Connection or Session of SQLAlchemy, or a connection of "
            "psycopg, PyMySQL or sqlite3"
        )
    return PlainTransaction(connection)
