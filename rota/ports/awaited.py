"""A connection of a driver for coroutines, as one that is used without."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable


class AwaitedCursor(Protocol):
    """A cursor as PEP 249 has it, as far as it is needed: its rows are tuples."""

    @property
    def rowcount(self) -> int: ...

    def execute(self, text: str, parameters: Sequence[Any] = ()) -> object: ...

    def executemany(self, text: str, rows: Sequence[Sequence[Any]]) -> object: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...


@runtime_checkable
class AwaitedDriver(Protocol):
    """Used from a thread, while the event loop that the connection belongs to goes on."""

    backend: str
    """What SQLAlchemy calls the database: `sqlite`, `postgresql`, `mysql` or `mariadb`."""
    errors: type[Exception]
    """What the driver raises."""
    is_in_transaction: bool
    """Whether what is written waits for a commit."""

    def cursor(self) -> AwaitedCursor:
        """Return a cursor that takes the marks of the plain drivers: `?` on SQLite, `%s` elsewhere."""
