"""PostgreSQL, through psycopg 3."""

from collections.abc import Generator, Mapping
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import Connection, OperationalError, errors
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg.waiting import Ready
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from rota.clock import SystemClock
from rota.queries import OldSnapshot
from rota.stores.sql.dialects import Asked, Fault
from rota.stores.sql.marks import NO_WORDS

STATEMENT_SECONDS = 30
LOCK_SECONDS = 4
IDLE_SECONDS = 5
"""How long a transaction may stand open without a word from its process: one that is cut off must not keep its runs
locked when their leases have ended."""
ANSWER_SECONDS = STATEMENT_SECONDS + 5
"""How long the client waits for an answer: longer than the server may take, so that only a dead one runs into it."""

COPY_FROM = 3
"""From how many rows on COPY costs the client less than single inserts: 57 us and 2 for each row, against 30 each."""

TYPES = {
    "id": 'text COLLATE "C"',
    "text": 'text COLLATE "C"',
    "long": "text",
    "int": "bigint",
    "float": "double precision",
}

MOST_SNAPSHOTS = 5
BEHIND = 100_000
"""How many transactions a standby or a slot may lie behind: of these the server knows no age."""

# What holds back the oldest row version that vacuum must keep in this database. Vacuum itself does not count, though it
# shows a snapshot. The texts of queries are left where they are.
SNAPSHOTS = """
SELECT * FROM (
    SELECT CASE backend_type WHEN 'walsender' THEN 'standby' ELSE 'session' END AS kind, pid::text AS name,
        concat('user ', usename, coalesce(', ' || nullif(application_name, ''), '')) AS whose,
        coalesce(state, backend_type) AS doing, extract(epoch FROM clock_timestamp() - xact_start) AS seconds,
        greatest(age(backend_xmin), age(backend_xid)) AS behind
    FROM pg_stat_activity
    WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid()
        AND backend_type <> 'autovacuum worker' AND (datname = current_database() OR backend_type = 'walsender')
    UNION ALL
    SELECT 'prepared', quote_literal(gid), concat('user ', owner), '',
        extract(epoch FROM clock_timestamp() - prepared), age(transaction)
    FROM pg_prepared_xacts WHERE database = current_database()
    UNION ALL
    SELECT 'slot', quote_literal(slot_name), '', CASE WHEN active THEN 'active' ELSE 'not active' END, NULL, age(xmin)
    FROM pg_replication_slots WHERE xmin IS NOT NULL
) AS found
WHERE seconds >= %(seconds)s OR seconds IS NULL AND behind >= %(behind)s
ORDER BY behind DESC, seconds DESC LIMIT %(most)s
"""

HOME = "SELECT current_database(), pg_postmaster_start_time()::text, to_regclass(?)::oid"

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
    deletes_by_join = False
    false = "false"
    fixed: Mapping[str, str] = {
        **NO_WORDS,
        "lock": " FOR UPDATE OF r",
        "skip_locked": " FOR UPDATE OF r SKIP LOCKED",
        "greatest": "greatest",
        "least": "least",
        "now": "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
    }

    def __init__(self, *, prepared: bool) -> None:
        self._prepare_after = 5 if prepared else None

    def engine(self, url: URL, *, schema: str | None, pool_size: int) -> Engine:
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=20,
            pool_timeout=10,
            pool_use_lifo=True,
            # Each transaction is ended where it is begun.
            pool_reset_on_return=None,
        )
        event.listen(engine, "do_connect", self._connected)
        return engine

    def _connected(self, _dialect: object, _record: object, arguments: Any, options: Any) -> Connection[Any]:
        return connected(arguments, options, prepare_after=self._prepare_after)

    def begin(self, driver: Any) -> None:
        """Nothing: the driver begins with the first statement."""

    def autocommit(self, driver: Any, *, on: bool) -> None:
        driver.autocommit = on

    def ask_whether_open(self, driver: Any) -> None:
        # The first time its last words are read, the second time that nothing follows.
        for _ in range(2):
            driver.pgconn.consume_input()

    def rows(self, fields: Mapping[str, str]) -> str:
        picked = ", ".join(
            f"(e ->> {number})::{TYPES[kind]} AS {name}" for number, (name, kind) in enumerate(fields.items())
        )
        # The condition is always true, and makes the planner expect one row, not a hundred. So each is looked up by its
        # key, not joined to all that is running: that is little, but behind an old snapshot the index of it has an
        # entry for every run since (decision 8).
        return f"(SELECT {picked} FROM jsonb_array_elements(?::text::jsonb) AS e WHERE jsonb_typeof(e) = 'array')"

    def update(self, table: str, source: str, sets: str, where: str) -> str:
        return f"UPDATE {table} AS r SET {sets} FROM {source} AS s WHERE {where}"

    def upsert(self, table: str, columns: tuple[str, ...], source: str, key: str, sets: str) -> str:
        return (
            f"INSERT INTO {table} AS r ({', '.join(columns)}) {source} ON CONFLICT ({key}) "
            f"DO UPDATE SET {sets.replace('new.', 'excluded.')}"
        )

    def text_of(self, column: str) -> str:
        return f"to_char({column}, 'YYYY-MM-DD HH24:MI:SS')"

    def array(self, *columns: str) -> str:
        return f"json_build_array({', '.join(columns)})::text"

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

    def is_ours(self, driver: object) -> bool:
        return isinstance(driver, Connection)

    def plain_cursor(self, driver: Any) -> Any:
        return psycopg.Cursor(driver, row_factory=tuple_row)

    def is_in_transaction(self, driver: Any) -> bool:
        return not driver.autocommit or driver.info.transaction_status != TransactionStatus.IDLE

    def home(self, link: Asked) -> tuple[Any, ...] | None:
        # By the table itself: the same name may lead elsewhere with another search_path.
        row = link.one(HOME, link.tables["runs"])
        return None if row is None or row[2] is None else tuple(row)

    def facts(self, driver: Any) -> Mapping[str, str]:
        [version] = driver.execute("SHOW server_version").fetchone()
        [commit] = driver.execute("SHOW synchronous_commit").fetchone()
        lossy = commit == "off"
        durability = "last commits are lost with the server" if lossy else "safe against a kill and a power loss"
        return {"version": version, "durability": f"{durability} (synchronous_commit={commit})"}

    def old_snapshots(self, driver: Any, *, older_than: timedelta) -> list[OldSnapshot]:
        seconds = older_than.total_seconds()
        found = driver.execute(SNAPSHOTS, {"seconds": seconds, "behind": BEHIND, "most": MOST_SNAPSHOTS}).fetchall()
        return [_old_snapshot(*row) for row in found]


def _old_snapshot(kind: str, name: str, whose: str, doing: str, seconds: float | None, behind: int) -> OldSnapshot:
    age = None if seconds is None else timedelta(seconds=float(seconds))
    match kind:
        case "session":
            holder, way_out = f"session {name} ({whose}, {doing})", f"SELECT pg_terminate_backend({name})"
        case "standby":
            holder = f"standby of session {name} ({whose}), {behind} transactions behind"
            way_out = "end the long query there, or set hot_standby_feedback = off"
        case "prepared":
            holder, way_out = f"prepared transaction {name} ({whose})", f"ROLLBACK PREPARED {name}"
        case _:
            holder = f"replication slot {name} ({doing}), {behind} transactions behind"
            way_out = f"let its consumer catch up, or: SELECT pg_drop_replication_slot({name})"
    return OldSnapshot(holder=holder, age=age, way_out=way_out)


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
        f"set_config('idle_in_transaction_session_timeout', '{IDLE_SECONDS}s', false), "
        # It compiles each statement that looks dear, each time anew: 30 to 800 ms for 500 runs to prune that are found
        # in one. None of ours works long enough to win that back.
        "set_config('jit', 'off', false)"
    )
    connection.autocommit = False
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    return connection
