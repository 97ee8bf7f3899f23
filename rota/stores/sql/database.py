"""Connections and transactions: the seam between our verbs and a driver."""

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from operator import itemgetter
from typing import Any, TypeVar

import msgspec
from sqlalchemy import URL, Engine, QueuePool, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimedOut

from rota.clock import sleep
from rota.errors import StoreUnavailable
from rota.stores.sql.dialects import Dialect, Fault, render, repeated, unavailable
from rota.stores.sql.front import Fronts
from rota.stores.sql.tables import TABLES

T = TypeVar("T")
Insert = Callable[[Any, str, tuple[str, ...], list[tuple[Any, ...]]], None]

MANY = 20
"""From how many rows on it pays to look at them before they are inserted."""


FULL = ("too many c", "connection slots", "max_user_connections", "max_connections")
"""What PostgreSQL, MariaDB and MySQL say when they give no more connections; on the way in, codes are not told."""


class Link:
    """A driver's connection inside one transaction. Statements are templates, see `dialects`."""

    def __init__(self, database: "Database", driver: Any, *, insert: Insert | None = None) -> None:
        self.driver = driver
        self.dialect: Dialect = database.dialect
        self.tables: dict[str, str] = database.tables
        self.fronts: Fronts = database.fronts
        self._database = database
        self._insert: Insert = insert or database.dialect.insert
        self._cursor = driver.cursor()

    def all(self, template: str, *parameters: Any) -> list[Any]:
        """Return all rows of a statement."""
        self._cursor.execute(self._database.text(template), parameters)
        return list(self._cursor.fetchall())

    def one(self, template: str, *parameters: Any) -> Any:
        """Return the first row of a statement, or None."""
        self._cursor.execute(self._database.text(template), parameters)
        return self._cursor.fetchone()

    def rows(self, template: str, rows: Sequence[Sequence[Any]], *then: Any) -> list[Any]:
        """Return all rows of a statement that reads `rows`; other parameters come after them."""
        return self.all(template, json_of(rows), *then)

    def run(self, template: str, *parameters: Any) -> int:
        """Execute a statement and return how many rows it matched."""
        self._cursor.execute(self._database.text(template), parameters)
        count: int = self._cursor.rowcount
        return count

    def update(
        self,
        table: str,
        fields: str,
        rows: Sequence[tuple[Any, ...]],
        *,
        sets: str,
        where: str,
        then: tuple[Any, ...] = (),
    ) -> int:
        """Update a table (called `r`) from rows (called `s`, with these fields); `sets` come with `then`."""
        text = self._database.update_text(table, fields, sets, where)
        # MySQL names the rows before what is set, the others after it.
        parameters = (json_of(rows), *then) if self.dialect.name == "mysql" else (*then, json_of(rows))
        self._cursor.execute(text, parameters)
        count: int = self._cursor.rowcount
        return count

    def updated(
        self, table: str, fields: str, rows: Sequence[tuple[Any, ...]], *, sets: str, where: str, returning: str
    ) -> list[Any]:
        """As `update`, where the engine returns what it updated."""
        text = self._database.update_text(table, fields, sets, where) + f" RETURNING {returning}"
        self._cursor.execute(text, (json_of(rows),))
        return list(self._cursor.fetchall())

    def upsert(
        self,
        table: str,
        columns: tuple[str, ...],
        fields: str,
        rows: Sequence[tuple[Any, ...]],
        *,
        key: str,
        sets: str,
    ) -> None:
        """Insert rows in their order; where their key is taken, `sets` changes the row (called `r`) by it (`new`)."""
        self._cursor.execute(self._database.upsert_text(table, columns, fields, key, sets), (json_of(rows),))

    def insert(self, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        """Insert rows; a key that is taken fails the transaction."""
        # Not on PostgreSQL: COPY takes a NULL for less than it costs to leave it out.
        if len(rows) >= MANY and self.dialect.name != "postgres":
            columns, rows = _told_only(columns, rows)
        if rows:
            self._insert(self.driver, self.tables[table], columns, rows)


def _told_only(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """Leave out the columns that are NULL in all rows, as half of a run's are: nobody has to write or read them."""
    told = [number for number, values in enumerate(zip(*rows, strict=True)) if values.count(None) < len(rows)]
    if len(told) < 2 or len(told) == len(columns):
        return columns, rows
    pick = itemgetter(*told)
    return pick(columns), list(map(pick, rows))


def json_of(rows: Sequence[Any]) -> str:
    """Return rows as the JSON parameter that `{rows(...)}` reads."""
    return msgspec.json.encode(rows).decode()


def _is_full(error: BaseException) -> bool:
    """Whether a server refused a connection since there are too many."""
    said = str(error).lower()
    return any(words in said for words in FULL)


class Database:
    """An engine with its tables' names, and the two ways to use it: `read` and `write`."""

    def __init__(self, dialect: Dialect, url: URL, *, prefix: str, schema: str | None, pool_size: int) -> None:
        self.dialect = dialect
        self.url = url
        self.shown: str = url.render_as_string(hide_password=True)
        self.prefix = prefix
        self.schema = schema
        quoted = f"{schema}." if schema else ""
        self.tables: dict[str, str] = {table: f"{quoted}{prefix}{table}" for table in TABLES}
        self.engine: Engine = dialect.engine(url, schema=schema, pool_size=pool_size)
        # Heartbeats have a connection of their own: busy workers must not keep them from their leases.
        self._pulse = dialect.engine(url, schema=schema, pool_size=1)
        # And so have statements that stand alone, on a server: a transaction around one costs two round trips more.
        self._alone = self.engine
        if dialect.name != "sqlite":
            self._alone = dialect.engine(url, schema=schema, pool_size=pool_size)
            for engine in (self._pulse, self._alone):
                event.listen(engine, "connect", lambda driver, _: dialect.autocommit(driver, on=True))
        self.after_fork_also: Callable[[], None] = lambda: None
        self.fronts: Fronts = Fronts()
        self.home: tuple[Any, ...] | None = None
        """What tells its tables from those of any other database, once it was asked."""
        self._texts: dict[Any, str] = {}
        self._turnstile = Turnstile() if dialect.name == "sqlite" else None
        _all_open.add(self)

    def text(self, template: str) -> str:
        """Return the statement of a template."""
        text = self._texts.get(template)
        if text is None:
            text = self._texts[template] = render(template, self.dialect, self.tables)
        return text

    def update_text(self, table: str, fields: str, sets: str, where: str) -> str:
        """Return the UPDATE of a table from rows."""
        key = (table, fields, sets, where)
        text = self._texts.get(key)
        if text is None:
            template = self.dialect.update(f"{{{table}}}", f"{{rows({fields})}}", sets, where)
            text = self._texts[key] = render(template, self.dialect, self.tables)
        return text

    def upsert_text(self, table: str, columns: tuple[str, ...], fields: str, key: str, sets: str) -> str:
        """Return the INSERT of rows, of which some may have to change a row that is there."""
        known = (table, fields, key, sets)
        text = self._texts.get(known)
        if text is None:
            names = ", ".join(field.strip().partition(":")[0] for field in fields.split(","))
            source = f"SELECT {names} FROM {{rows({fields})}} AS s"
            template = self.dialect.upsert(f"{{{table}}}", columns, source, key, sets)
            text = self._texts[known] = render(template, self.dialect, self.tables)
        return text

    def write(self, work: Callable[[Link], T]) -> T:
        """Do `work` in one short transaction, all or nothing. It may be called more than once.

        Raises:
            KeyTaken: a unique key was taken meanwhile; nothing was written.
            StoreUnavailable: nothing was written, or the answer to its commit was lost.
        """
        if self._turnstile is None:
            return self._repeated(lambda: self._transaction(work, self.engine))
        with self._turnstile.passed(first=False):
            return self._repeated(lambda: self._transaction(work, self.engine))

    def pulse(self, work: Callable[[Link], T]) -> T:
        """Do the `work` of a heartbeat, of which each statement may stand alone.

        On a server they do: a transaction around them would cost a slow line half as many round trips again, and keep
        the rows of running runs locked in the meantime.
        """
        if self._turnstile is None:
            return self._repeated(lambda: self._each_alone(work, self._pulse))
        with self._turnstile.passed(first=True):
            return self._repeated(lambda: self._transaction(work, self._pulse))

    def read(self, work: Callable[[Link], T]) -> T:
        """Do `work`, which only reads, each statement what there is by then."""
        return self._repeated(lambda: self._each_alone(work, self._alone))

    def one(self, work: Callable[[Link], T]) -> T:
        """Do `work` of which at most one statement writes, without a transaction around it. It may be called more than
        once, also after that statement was done and its answer lost.

        Raises:
            KeyTaken: a unique key was taken, perhaps by itself; nothing was written this time.
            StoreUnavailable: nothing was sent, or the answer was lost.
        """
        if self._turnstile is None:
            return self._written_alone(work)
        with self._turnstile.passed(first=False):
            return self._written_alone(work)

    def once(self, work: Callable[[Link], T]) -> T:
        """Do `work`, each statement of which is a transaction of its own, on a server. Nothing is done again after its
        answer was lost.

        Raises:
            StoreUnavailable: it is not known what was written.
        """

        def attempt() -> T:
            with self._connection(self._alone) as driver:
                # Before anything is sent: one that its server has closed meanwhile is replaced.
                self.dialect.ask_whether_open(driver)
                try:
                    return work(Link(self, driver))
                except self.dialect.driver_errors as error:
                    if self.dialect.fault(error) is not Fault.GONE:
                        raise
                    raise unavailable(self.shown, error, is_certain=False) from error

        return self._repeated(attempt)

    def _repeated(self, attempt: Callable[[], T]) -> T:
        try:
            return repeated(
                attempt,
                dialect=self.dialect,
                where=self.shown,
                pause=lambda seconds: sleep(timedelta(seconds=seconds)),
            )
        except PoolTimedOut as error:
            raise unavailable(self.shown, error) from error

    def _transaction(self, work: Callable[[Link], T], engine: Engine) -> T:
        with self._connection(engine) as driver:
            self.dialect.begin(driver)
            try:
                answer = work(Link(self, driver))
                self._commit(driver)
            except BaseException:
                self._roll_back(driver)
                raise
            return answer

    def _written_alone(self, work: Callable[[Link], T]) -> T:
        lost: list[Exception] = []

        def attempt() -> T:
            with self._connection(self._alone) as driver:
                try:
                    return work(Link(self, driver))
                except self.dialect.driver_errors as error:
                    if self.dialect.fault(error) is Fault.GONE:
                        lost.append(error)
                    raise

        try:
            return self._repeated(attempt)
        except StoreUnavailable as error:
            if lost:
                # By the first try, perhaps, whatever the second one met.
                raise unavailable(self.shown, lost[0], is_certain=False) from error
            raise

    def _each_alone(self, work: Callable[[Link], T], engine: Engine) -> T:
        with self._connection(engine) as driver:
            return work(Link(self, driver))

    def _commit(self, driver: Any) -> None:
        try:
            driver.commit()
        except self.dialect.driver_errors as error:
            if self.dialect.fault(error) is not Fault.GONE:
                raise
            # It may have been written. Repeated here in silence, a claim would leave the first runs with nobody: the
            # caller has to know, and to look for them.
            raise unavailable(self.shown, error, is_certain=False) from error

    def _roll_back(self, driver: Any) -> None:
        # A connection that is dead has nothing to roll back, and must not hide why it died.
        with suppress(*self.dialect.driver_errors):
            driver.rollback()

    @contextmanager
    def _connection(self, engine: Engine) -> Iterator[Any]:
        try:
            pooled = self._pooled(engine)
        except self.dialect.driver_errors as error:
            with self._lent(engine, error) as driver:
                yield driver
            return
        try:
            yield pooled.driver_connection
        except self.dialect.driver_errors as error:
            if self.dialect.fault(error) is Fault.GONE:
                pooled.invalidate(error)
            raise
        except StoreUnavailable:
            # A commit lost it: in the pool it would be reset first, and complain about that with a traceback.
            pooled.invalidate()
            raise
        finally:
            pooled.close()

    def _pooled(self, engine: Engine) -> Any:
        try:
            return engine.raw_connection()
        except DBAPIError as error:
            # What the driver said of connecting is inside.
            raise error.orig or error from error

    @contextmanager
    def _lent(self, engine: Engine, error: BaseException) -> Iterator[Any]:
        """Where a server gives no more connections, lend one that the other of the two pools keeps for later: while it
        lies idle there, nothing that was begun could be ended here (C7)."""
        other = self.engine if engine is self._alone else self._alone
        is_idle = isinstance(other.pool, QueuePool) and other.pool.checkedin() > 0
        if engine in (other, self._pulse) or not is_idle or not _is_full(error):
            raise error
        with self._connection(other) as driver:
            self.dialect.autocommit(driver, on=engine is self._alone)
            try:
                yield driver
            finally:
                # A dead one is not used again.
                with suppress(*self.dialect.driver_errors):
                    self.dialect.autocommit(driver, on=other is self._alone)

    def detached(self) -> Any:
        """Return a connection of its own, outside of the pool and of transactions; whoever asks closes it."""
        pooled = self._pooled(self.engine)
        pooled.detach()
        driver: Any = pooled.dbapi_connection
        self.dialect.autocommit(driver, on=True)
        return driver

    def aside(self, text: str) -> None:
        """Execute a statement outside of a transaction, without a second try."""
        with self._connection(self._alone) as driver:
            driver.execute(text)

    def keep(self, inherited: Any) -> None:
        """Never close this: it is the parent process's."""
        _inherited.append(inherited)

    def close(self) -> None:
        """Close all connections."""
        for engine in {self.engine, self._pulse, self._alone}:
            engine.dispose()

    def after_fork(self) -> None:
        """Forget the parent's connections, without closing them: they are still in use there."""
        for engine in {self.engine, self._pulse, self._alone}:
            _inherited.append(engine.pool)
            engine.dispose(close=False)
        if self._turnstile is not None:
            self._turnstile = Turnstile()
        self.after_fork_also()


class Turnstile:
    """Lets one writer of this process through at a time, in the order they came; heartbeats go first.

    SQLite has one writer at a time and no queue: who finds it busy sleeps and asks again. Threads of one process
    wait here instead, where they are woken. A condition that all are woken for let one of eight wait 0.7 s.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._busy = False

    @contextmanager
    def passed(self, *, first: bool) -> Iterator[None]:
        """Wait for the place and hold it."""
        mine = threading.Lock()
        with self._guard:
            if self._busy:
                mine.acquire()
                (self._waiting.appendleft if first else self._waiting.append)(mine)
            self._busy = True
        try:
            # Free at once, or opened by whoever leaves the place to this one.
            mine.acquire()
        except BaseException:
            self._withdraw(mine)
            raise
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._busy = False

    def _withdraw(self, mine: threading.Lock) -> None:
        with self._guard:
            if mine in self._waiting:
                self._waiting.remove(mine)
                return
        # The place was given to this one in the meantime: pass it on.
        self._leave()


_all_open: "weakref.WeakSet[Database]" = weakref.WeakSet()
_inherited: list[Any] = []
"""Pools of a parent process, kept so that nothing ever closes what the parent still uses."""


def _after_fork() -> None:
    for database in list(_all_open):
        database.after_fork()


os.register_at_fork(after_in_child=_after_fork)
