"""MariaDB and MySQL, through PyMySQL."""

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import pymysql
from pymysql.constants import CLIENT, CR, ER, SERVER_STATUS
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from rota.errors import ConfigurationError
from rota.queries import OldSnapshot
from rota.stores.sql.dialects import Asked, Fault
from rota.stores.sql.making import KEY
from rota.stores.sql.marks import WORDS

ANSWER_SECONDS = 30
LOCK_SECONDS = 3
IDLE_SECONDS = 5
"""How long a transaction may stand open without a word from its process: one that is cut off must not keep its runs
locked when their leases have ended. MariaDB only; MySQL has no such limit."""
BYTES = 4_000_000
"""About how many characters one INSERT holds: the server's smallest default limit is 16 MB."""

TYPES = {
    "id": "VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin",
    "int": "BIGINT",
    "float": "DOUBLE",
}

# The plain _bin collations take "a" and "a " for the same.
MARIADB_COLLATION = "utf8mb4_nopad_bin"
MYSQL_COLLATION = "utf8mb4_0900_bin"

RECORD_CHANGED = 1020
"""MariaDB under snapshot isolation; the transaction is rolled back already."""

_COLLISIONS = {ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT, RECORD_CHANGED}
_GONE = {
    CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, CR.CR_CONN_HOST_ERROR, CR.CR_CONNECTION_ERROR, ER.CON_COUNT_ERROR,
    ER.SERVER_SHUTDOWN, ER.OPTION_PREVENTS_STATEMENT, ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR,
    ER.BAD_DB_ERROR, ER.TOO_MANY_USER_CONNECTIONS, ER.DISK_FULL, ER.RECORD_FILE_FULL,
}  # fmt: skip


MOST_SNAPSHOTS = 5

# The start of a transaction is told in the server's time zone, whatever that of the session.
TRANSACTIONS = """
SELECT t.trx_mysql_thread_id, p.user, p.command,
    TIMESTAMPDIFF(SECOND, t.trx_started, CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', 'SYSTEM')) AS seconds
FROM information_schema.innodb_trx AS t JOIN information_schema.processlist AS p ON p.id = t.trx_mysql_thread_id
WHERE t.trx_mysql_thread_id <> CONNECTION_ID()
HAVING seconds >= %s ORDER BY seconds DESC LIMIT %s
"""


HOME = "SELECT DATABASE(), @@hostname, @@port, @@datadir"


class OneContext(pymysql.Connection):
    """A connection that makes no context for TLS of its own where the URL says nothing about it: each holds all
    certificates of the system, and those of an idle worker were 13 MB and a fifth of a second of its start."""

    def _create_ssl_ctx(self, sslp: Any) -> Any:
        # The stubs do not know it, since it is the driver's own.
        return super()._create_ssl_ctx(sslp) if sslp else _usual_context()  # type: ignore[misc]


@cache
def _usual_context() -> Any:
    """Return what the driver makes where nothing is said."""
    driver: Any = pymysql.Connection(defer_connect=True)
    return driver.ctx


def _connected(_dialect: object, _record: object, arguments: Any, options: Any) -> OneContext:
    return OneContext(*arguments, **options)


class MySQL:
    """The dialect of MariaDB and MySQL."""

    name = "mysql"
    marker = "%s"
    driver_errors: tuple[type[Exception], ...] = (pymysql.err.MySQLError,)
    jumps = False
    returns_updated = False
    deletes_by_join = True
    false = "0"
    fixed: Mapping[str, str] = {
        **WORDS,
        "lock": " FOR UPDATE",
        "skip_locked": " FOR UPDATE SKIP LOCKED",
        "greatest": "GREATEST",
        "least": "LEAST",
        "now": "CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS SIGNED)",
    }

    def __init__(self, *, is_mariadb: bool) -> None:
        self.collation: str | None = MARIADB_COLLATION if is_mariadb else MYSQL_COLLATION

    def engine(self, url: URL, *, schema: str | None, pool_size: int) -> Engine:
        if schema is not None:
            raise ConfigurationError(f"a schema is a database on MySQL; put it into the URL, not schema={schema!r}")
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=20,
            pool_use_lifo=True,
            pool_timeout=10,
            # Each transaction is ended where it is begun; a second ROLLBACK would be one more round trip for each.
            pool_reset_on_return=None,
            # Nothing relies on REPEATABLE READ, under which a claim stops every enqueue with its gap locks.
            isolation_level="READ COMMITTED",
            connect_args={
                "connect_timeout": 5,
                "read_timeout": ANSWER_SECONDS,
                "write_timeout": ANSWER_SECONDS,
                "charset": "utf8mb4",
                # A row that was matched but not changed counts: a heartbeat that writes the same value is no loss.
                "client_flag": CLIENT.FOUND_ROWS,
            },
        )
        event.listen(engine, "do_connect", _connected)
        event.listen(engine, "connect", self._set_up)
        return engine

    def _set_up(self, driver: Any, _record: object) -> None:
        # mysql:// may lead to either.
        is_mariadb = "MariaDB" in driver.get_server_info()
        self.collation = MARIADB_COLLATION if is_mariadb else MYSQL_COLLATION
        with driver.cursor() as cursor:
            if is_mariadb:
                cursor.execute(f"SET SESSION idle_transaction_timeout = {IDLE_SECONDS}")
            cursor.execute(
                f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}, sql_mode = 'STRICT_ALL_TABLES,"
                "NO_ENGINE_SUBSTITUTION', time_zone = '+00:00'"
            )

    def begin(self, driver: Any) -> None:
        """Nothing: the server begins with the first statement."""

    def autocommit(self, driver: Any, *, on: bool) -> None:
        driver.autocommit(on)

    def ask_whether_open(self, driver: Any) -> None:
        """Nothing: the driver hears of that only with an answer."""

    def rows(self, fields: Mapping[str, str]) -> str:
        unicode = f"CHARACTER SET utf8mb4 COLLATE {self.collation}"
        # A long text in it makes the table of these rows one on disk.
        types = TYPES | {"text": f"VARCHAR({KEY}) {unicode}", "long": f"MEDIUMTEXT {unicode}"}
        picked = ", ".join(
            f"{name} {types[kind]} PATH '$[{number}]'" for number, (name, kind) in enumerate(fields.items())
        )
        return f"JSON_TABLE(?, '$[*]' COLUMNS ({picked}))"

    def update(self, table: str, source: str, sets: str, where: str) -> str:
        return f"UPDATE {source} AS s STRAIGHT_JOIN {table} AS r ON {where} SET {sets}"

    def upsert(self, table: str, columns: tuple[str, ...], source: str, key: str, sets: str) -> str:
        # MySQL looks at every unique key by itself, and gives the table no other name here.
        changed = re.sub(r"\br\.", "", re.sub(r"\bnew\.(\w+)", r"VALUES(\1)", sets))
        return f"INSERT INTO {table} ({', '.join(columns)}) {source} ON DUPLICATE KEY UPDATE {changed}"

    def text_of(self, column: str) -> str:
        return f"CAST({column} AS CHAR)"

    def array(self, *columns: str) -> str:
        # Not as JSON, which MySQL never finds equal to a text.
        text = f"CAST(JSON_ARRAY({', '.join(columns)}) AS CHAR CHARACTER SET utf8mb4)"
        return f"{text} COLLATE {self.collation}"

    def insert(self, driver: Any, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        # Not by the driver's `executemany`, in Python as it is: what is the same in all rows is escaped once here.
        own = [number for number, values in enumerate(zip(*rows, strict=True)) if values.count(values[0]) < len(rows)]
        start = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
        with driver.cursor() as cursor:
            escape = cursor.connection.escape
            first = [escape(value).replace("%", "%%") for value in rows[0]]
            for number in own:
                first[number] = "%s"
            form = f"({', '.join(first)})"
            texts: list[str] = []
            room = BYTES
            for row in rows:
                texts.append(form % tuple([escape(row[number]) for number in own]))
                room -= len(texts[-1])
                if room < 0:
                    cursor.execute(start + ", ".join(texts))
                    texts, room = [], BYTES
            if texts:
                cursor.execute(start + ", ".join(texts))

    def fault(self, error: Exception) -> Fault:
        code = error.args[0] if error.args else None
        if code == ER.DUP_ENTRY:
            return Fault.DUPLICATE
        if code in _COLLISIONS:
            return Fault.COLLISION
        # An interface error of code 0 is a connection that was closed under the driver.
        return Fault.GONE if code in _GONE or code == 0 else Fault.OURS

    def is_ours(self, driver: object) -> bool:
        return isinstance(driver, pymysql.Connection)

    def plain_cursor(self, driver: Any) -> Any:
        return pymysql.cursors.Cursor(driver)

    def is_in_transaction(self, driver: Any) -> bool:
        begun = driver.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS
        return bool(begun) or not driver.get_autocommit()

    def home(self, link: Asked) -> tuple[Any, ...] | None:
        row = link.one(HOME)
        return None if row is None or row[0] is None else tuple(row)

    def facts(self, driver: Any) -> Mapping[str, str]:
        with driver.cursor() as cursor:
            cursor.execute("SELECT VERSION(), @@innodb_flush_log_at_trx_commit")
            [version, flush] = cursor.fetchone()
        durability = "safe against a kill and a power loss" if flush == 1 else "last second is lost with the server"
        return {"version": version, "durability": f"{durability} (innodb_flush_log_at_trx_commit={flush})"}

    def old_snapshots(self, driver: Any, *, older_than: timedelta) -> list[OldSnapshot]:
        with driver.cursor() as cursor:
            try:
                cursor.execute(TRANSACTIONS, (int(older_than.total_seconds()), MOST_SNAPSHOTS))
            except pymysql.err.MySQLError as error:
                # Without the right PROCESS nobody is told of the transactions of others.
                if error.args[0] == ER.SPECIFIC_ACCESS_DENIED_ERROR:
                    return []
                raise
            rows = cursor.fetchall()
        return [
            OldSnapshot(
                holder=f"session {thread} (user {user}, {str(command).lower()})",
                age=timedelta(seconds=int(seconds)),
                way_out=f"KILL {thread}",
            )
            for thread, user, command, seconds in rows
        ]
