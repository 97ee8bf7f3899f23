"""A connection of a driver that the store does not use itself, as it needs one to write in its transaction."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable


class PlainCursor(Protocol):
    """A cursor as PEP 249 has it, as far as it is needed: its rows are tuples."""

    @property
    def rowcount(self) -> int: ...

    def execute(self, text: str, parameters: Sequence[Any] = ()) -> object: ...

    def executemany(self, text: str, rows: Sequence[Sequence[Any]]) -> object: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> Any: ...


@runtime_checkable
class OtherDriver(Protocol):
    """Used in one thread."""

    backend: str
    """What SQLAlchemy calls the database: `sqlite`, `postgresql`, `mysql` or `mariadb`."""
    errors: type[Exception]
    """What the driver raises."""
    is_in_transaction: bool
    """Whether what is written waits for a commit."""

    def cursor(self) -> PlainCursor:
        """Return a cursor that takes the marks of the store's own drivers: `?` on SQLite, `%s` elsewhere."""
