"""Where the engines differ, each difference under a name; and the one place that repeats a failed transaction.

Statements are written once, in this shape:

    UPDATE {runs} ... WHERE id = ?          a table, and a parameter
    FROM {rows(id:id, turn:float)} AS s     rows from one JSON parameter, an array of arrays
    {drop(runs, id)} AND ...                delete the rows of a table by a column, from such a parameter of one id each
    SELECT ... {lock} / {skip_locked}       lock the rows of the table called `r` that were read
    {greatest}(a, b), {least}(a, b)         the larger and the smaller of two numbers
    r.{key_state} = 'queued'                the state as the index of that name has it, see `marks`
    SET ... {less_room} / {no_room}         let a row grow into what was kept for it, where it has to be
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import Enum, auto
from random import Random
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, Engine

from rota.errors import StoreUnavailable
from rota.queries import OldSnapshot
from rota.stores.doubt import IS_NOT_WRITTEN, MAY_BE_WRITTEN

T = TypeVar("T")

TRIES = 8
"""How often one transaction is tried: eight losses in a row are no accident of two meeting."""

_FIELD = re.compile(r"\{(\w+)(?:\(([^)]*)\))?\}")
_waits = Random()


class Fault(Enum):
    """What a driver's exception means for the transaction that met it."""

    COLLISION = auto()
    """Two transactions met: a deadlock, a lock waited for too long, a serialization failure."""
    DUPLICATE = auto()
    """A unique key that somebody else was faster to take."""
    GONE = auto()
    """The connection is lost, or was never had."""
    OURS = auto()
    """Anything else: a mistake in a statement or a value."""


class KeyTaken(Exception):
    """A unique key was taken by somebody else; the transaction was rolled back."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.is_running_key: bool = "running" in str(error)


class Asked(Protocol):
    """A connection as a dialect asks it."""

    @property
    def tables(self) -> Mapping[str, str]:
        """Their names in the database, by ours."""

    def all(self, template: str, *parameters: Any) -> list[Any]:
        """Return all rows of a statement."""

    def one(self, template: str, *parameters: Any) -> Any:
        """Return the first row of a statement, or None."""


class Dialect(Protocol):
    """What an engine does in its own way."""

    name: str
    marker: str
    """How a parameter is written."""
    driver_errors: tuple[type[Exception], ...]
    collation: str | None
    """What compares text byte by byte, where tables have to be told."""
    jumps: bool
    """Whether a recursive query jumps from one value of an index to the next; MariaDB reads what lies between."""
    returns_updated: bool
    """Whether UPDATE has RETURNING."""
    deletes_by_join: bool
    """Whether a list from a subquery is looked up for each row of a table that is deleted from, and a join is not."""
    false: str
    """How "no" is written in a statement."""
    fixed: Mapping[str, str]
    """What the plain words in braces mean."""

    def engine(self, url: URL, *, schema: str | None, pool_size: int) -> Engine:
        """Return an engine whose connections are set up for this store."""

    def begin(self, driver: Any) -> None:
        """Start a transaction that will write."""

    def autocommit(self, driver: Any, *, on: bool) -> None:
        """Let each statement of a connection stand alone, or no longer."""

    def ask_whether_open(self, driver: Any) -> None:
        """Fail, without a round trip, if it has been heard that the server closed the connection."""

    def rows(self, fields: Mapping[str, str]) -> str:
        """Return a FROM item that reads one JSON parameter: an array of arrays with these fields and types."""

    def update(self, table: str, source: str, sets: str, where: str) -> str:
        """Return an UPDATE of `table` (called `r`) from the rows of `source` (called `s`)."""

    def upsert(self, table: str, columns: tuple[str, ...], source: str, key: str, sets: str) -> str:
        """Return an INSERT of what `source` selects; where `key` is taken, `sets` changes the row (called `r`) by the
        one that was to be inserted (called `new`)."""

    def text_of(self, column: str) -> str:
        """Return an expression for a column of instants, as text: `2026-11-20 03:00:00`."""

    def array(self, *columns: str) -> str:
        """Return an expression for all these columns in one text: the same only while each is."""

    def insert(self, driver: Any, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        """Insert rows the fastest way there is; raises the driver's error for a key that is taken."""

    def fault(self, error: Exception) -> Fault:
        """Return what a driver's exception means."""

    def is_ours(self, driver: object) -> bool:
        """Whether an application's connection is one of the driver that this store uses."""

    def plain_cursor(self, driver: Any) -> Any:
        """Return a cursor whose rows are tuples, however the application set up its connection."""

    def is_in_transaction(self, driver: Any) -> bool:
        """Whether what is written on a connection waits for a commit."""

    def home(self, link: "Asked") -> tuple[Any, ...] | None:
        """Return what tells the tables that a connection finds from those of any other database; None without any."""

    def facts(self, driver: Any) -> Mapping[str, str]:
        """Return version and durability class, for an operator."""

    def old_snapshots(self, driver: Any, *, older_than: timedelta) -> list[OldSnapshot]:
        """Return what keeps the server from clearing up, oldest first."""


def render(template: str, dialect: Dialect, tables: Mapping[str, str]) -> str:
    """Return the statement as this engine reads it."""

    def field(match: re.Match[str]) -> str:
        word, arguments = match.group(1), match.group(2)
        if word == "drop":
            table, column = arguments.split(",")
            return _drop(dialect, tables[table], column.strip())
        if word == "rows":
            return dialect.rows(dict(argument.strip().split(":") for argument in arguments.split(",")))
        return tables[word] if word in tables else dialect.fixed[word]

    text = _FIELD.sub(field, template)
    if dialect.marker == "?":
        return text
    return text.replace("%", "%%").replace("?", dialect.marker)


def _drop(dialect: Dialect, table: str, column: str) -> str:
    source = dialect.rows({"id": "id"})
    if dialect.deletes_by_join:
        return f"DELETE r FROM {source} AS s STRAIGHT_JOIN {table} AS r ON r.{column} = s.id WHERE true"
    return f"DELETE FROM {table} WHERE {column} IN (SELECT s.id FROM {source} AS s)"


def repeated(attempt: Callable[[], T], *, dialect: Dialect, where: str, pause: Callable[[float], None]) -> T:
    """Call `attempt`, one whole transaction, and again when it collided with another one.

    A connection that turns out to be dead before anything was sent for good is replaced once: pooled connections
    outlive a restart of their server.

    Raises:
        KeyTaken: a unique key was taken; what to do about it depends on the verb.
        StoreUnavailable: the store cannot be reached, or collisions went on and on.
    """
    lost = False
    for tries in range(1, TRIES + 1):
        try:
            return attempt()
        except dialect.driver_errors as error:
            fault = dialect.fault(error)
            if fault is Fault.OURS:
                raise
            if fault is Fault.DUPLICATE:
                raise KeyTaken(error) from error
            if fault is Fault.GONE and lost:
                raise unavailable(where, error) from error
            if tries == TRIES:
                raise unavailable(where, error) from error
            lost = fault is Fault.GONE
        # Apart by chance, or the same two meet again.
        pause(_waits.uniform(0, 0.002 * 2**tries))
    raise AssertionError("the last try returns or raises")


def unavailable(where: str, error: Exception, *, is_certain: bool = True) -> StoreUnavailable:
    """Return the error for a store that cannot be reached; `where` is its URL without the password.

    Not `is_certain`: the answer was lost, and with it whether it was written.
    """
    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return StoreUnavailable(f"store {where}: {first_line}; {IS_NOT_WRITTEN if is_certain else MAY_BE_WRITTEN}")
