"""PostgreSQL, through psycopg 3."""

from collections.abc import Generator, Mapping
from typing import Any

import psycopg
from psycopg import Connection, OperationalError, errors
from psycopg.waiting import Ready
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from rota.clock import SystemClock
from rota.stores.sql.dialects import Fault

STATEMENT_SECONDS = 30
LOCK_SECONDS = 4
IDLE_SECONDS = 5
"""How long a transaction may stand open without a word from its process: one that is cut off must not keep its runs
locked when their leases have ended."""
ANSWER_SECONDS = STATEMENT_SECONDS + 5
"""How long the client waits for an answer: longer than the server may take, so that only a dead one runs into it."""

COPY_FROM = 20
"""From how many rows on COPY is faster than single inserts."""

TYPES = {
    "id": 'text COLLATE "C"',
    "text": 'text COLLATE "C"',
    "long": "text",
    "int": "bigint",
    "float": "double precision",
}

_COLLISIONS = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
)
_clock = SystemClock()


class Postgres:
    """The dialect of PostgreSQL."""

    name = "postgres"
    marker = "%s"
    driver_errors: tuple[type[Exception], ...] = (psycopg.Error,)
    collation: str | None = None
    jumps = True
    returns_updated = True
    fixed: Mapping[str, str] = {
        "lock": " FOR UPDATE OF r",
        "skip_locked": " FOR UPDATE OF r SKIP LOCKED",
        "greatest": "greatest",
        "now": "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    }

    def __init__(self, *, prepared: bool) -> None:
        self._prepare_after = 5 if prepared else None

    def engine(self, url: URL, *, schema: str | None, pool_size: int) -> Engine:
        engine = create_engine(url, poolclass=QueuePool, pool_size=pool_size, max_overflow=20, pool_timeout=10)
        event.listen(engine, "do_connect", self._connected)
        return engine

    def _connected(self, _dialect: object, _record: object, arguments: Any, options: Any) -> Connection[Any]:
        return connected(arguments, options, prepare_after=self._prepare_after)

    def begin(self, driver: Any) -> None:
        """Nothing: the driver begins with the first statement."""

    def autocommit(self, driver: Any, *, on: bool) -> None:
        driver.autocommit = on

    def rows(self, fields: Mapping[str, str]) -> str:
        picked = ", ".join(
            f"(e ->> {number})::{TYPES[kind]} AS {name}" for number, (name, kind) in enumerate(fields.items())
        )
        return f"(SELECT {picked} FROM jsonb_array_elements(?::text::jsonb) AS e)"

    def update(self, table: str, source: str, sets: str, where: str) -> str:
        return f"UPDATE {table} AS r SET {sets} FROM {source} AS s WHERE {where}"

    def insert(self, driver: Any, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        names = ", ".join(columns)
        with driver.cursor() as cursor:
            if len(rows) < COPY_FROM:
                marks = ", ".join(["%s"] * len(columns))
                for row in rows:
                    cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", row)
                return
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)

    def fault(self, error: Exception) -> Fault:
        if isinstance(error, errors.UniqueViolation):
            return Fault.DUPLICATE
        if isinstance(error, _COLLISIONS):
            return Fault.COLLISION
        # Everything that ends a connection, or never gives one: shutdown, too many clients, a reset, no answer. And a
        # server that only reads, as one does that lost its place in a failover: a new connection may find the other.
        gone = (OperationalError, psycopg.InterfaceError, errors.ReadOnlySqlTransaction)
        return Fault.GONE if isinstance(error, gone) else Fault.OURS

    def facts(self, driver: Any) -> Mapping[str, str]:
        [version] = driver.execute("SHOW server_version").fetchone()
        [commit] = driver.execute("SHOW synchronous_commit").fetchone()
        lossy = commit == "off"
        durability = "last commits are lost with the server" if lossy else "safe against a kill and a power loss"
        return {"version": version, "durability": f"{durability} (synchronous_commit={commit})"}


class BoundedConnection(Connection[Any]):
    """A connection that gives up on a server which does not answer; the driver would wait for ever."""

    def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
        return super().wait(_bounded(gen), *arguments, **options)


def _bounded(steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Take the steps of a driver's conversation, but fail when nothing has come for too long."""
    until: float | None = None
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if ready != Ready.NONE:
                until = None
            elif until is None:
                until = _clock.monotonic() + ANSWER_SECONDS
            elif _clock.monotonic() > until:
                steps.close()
                raise OperationalError(f"no answer in {ANSWER_SECONDS} s")
            wanted = steps.send(ready)
    except StopIteration as stop:
        return stop.value


def connected(arguments: Any, options: Any, *, prepare_after: int | None) -> Connection[Any]:
    """Return a connection with time limits on everything."""
    limits: dict[str, Any] = {
        "connect_timeout": 5,
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
        "application_name": "rota",
    }
    connection = BoundedConnection.connect(*arguments, **(limits | options))
    connection.prepare_threshold = prepare_after
    connection.autocommit = True
    # Not as start-up options: a pooler in front refuses those.
    connection.execute(
        f"SELECT set_config('statement_timeout', '{STATEMENT_SECONDS}s', false), "
        f"set_config('lock_timeout', '{LOCK_SECONDS}s', false), "
        f"set_config('idle_in_transaction_session_timeout', '{IDLE_SECONDS}s', false)"
    )
    connection.autocommit = False
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    return connection
