"""Drivers that the stores do not use, and that applications do: psycopg 2 and mysqlclient."""

from typing import Any

from rota.ports import OtherDriver


def as_known(driver: Any) -> object:
    """Return a driver's connection as the stores know it: as it is, where they use its driver themselves."""
    # By name: nobody who has one of these has to have the others, and whoever has one has loaded it.
    origins = {kind.__module__.partition(".")[0] for kind in type(driver).__mro__}
    if "psycopg2" in origins:
        return Psycopg2(driver)
    return Mysqlclient(driver) if "MySQLdb" in origins else driver


class Psycopg2(OtherDriver):
    """A connection of psycopg 2."""

    backend = "postgresql"

    def __init__(self, driver: Any) -> None:
        from psycopg2 import extensions

        self._driver = driver
        self._cursor = extensions.cursor
        self.errors: type[Exception] = driver.Error
        is_begun = driver.get_transaction_status() != extensions.TRANSACTION_STATUS_IDLE
        self.is_in_transaction: bool = is_begun or not driver.autocommit

    def cursor(self) -> Any:
        """Return a cursor whose rows are tuples, whatever the connection is set up for."""
        return self._driver.cursor(cursor_factory=self._cursor)


class Mysqlclient(OtherDriver):
    """A connection of mysqlclient."""

    backend = "mysql"

    def __init__(self, driver: Any) -> None:
        from MySQLdb.cursors import Cursor

        self._driver = driver
        self._cursor = Cursor
        self.errors: type[Exception] = driver.Error
        self.is_in_transaction: bool = not driver.get_autocommit()

    def cursor(self) -> Any:
        """Return a cursor whose rows are tuples, whatever the connection is set up for."""
        return self._driver.cursor(self._cursor)
