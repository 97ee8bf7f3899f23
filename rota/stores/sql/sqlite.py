"""SQLite: one file, one writer at a time.

This is the only module that opens the file. Nothing else in the process may open and close the file, its WAL or its
SHM: closing any descriptor drops the kernel's locks on it, and with them an acknowledged write (C15).
"""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from stat import S_IMODE
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from rota.clock import SystemClock
from rota.errors import ConfigurationError, UnsafeStore
from rota.queries import OldSnapshot
from rota.stores.sql.dialects import Asked, Fault
from rota.stores.sql.marks import NO_WORDS

BUSY_SECONDS = 5.0
LOOK_EVERY_MS = 2
"""It sleeps half of this between two looks."""
OLDEST = (3, 35, 0)
NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.glusterfs", "fuse.sshfs",
     "fuse.s3fs", "fuse.rclone", "lustre", "ncpfs", "ocfs2", "gfs2", "davfs", "fuse.davfs2", "beegfs"}
)  # fmt: skip
"""File systems whose locks do not hold between machines, or whose shared memory does not exist."""

_clock = SystemClock()
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_GONE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}


class SQLite:
    """The dialect of SQLite."""

    name = "sqlite"
    marker = "?"
    driver_errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    collation: str | None = None
    jumps = True
    returns_updated = True
    deletes_by_join = False
    false = "0"
    fixed: Mapping[str, str] = {
        **NO_WORDS,
        "lock": "",
        "skip_locked": "",
        "greatest": "max",
        "least": "min",
        # To the millisecond: SQLite counts its days in them.
        "now": "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000",
    }

    def engine(self, url: URL, *, schema: str | None, pool_size: int) -> Engine:
        if schema is not None:
            raise ConfigurationError(f"SQLite has no schemas; leave out schema={schema!r}")
        if not url.database or url.database == ":memory:":
            raise ConfigurationError("a SQLite store needs a file: sqlite:///path/to/rota.db; in memory: memory://")
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=20,
            pool_use_lifo=True,
            pool_reset_on_return=None,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False, "isolation_level": None},
        )
        event.listen(engine, "connect", _set_up)
        return engine

    def begin(self, driver: Any) -> None:
        # SQLite has one writer and no queue. Between two looks for its turn it sleeps, longer and longer, while others
        # come and go: one of two busy processes then mostly slept. So it looks again every millisecond.
        until = _clock.monotonic() + BUSY_SECONDS
        driver.execute(f"PRAGMA busy_timeout = {LOOK_EVERY_MS}")
        try:
            while not _has_begun(driver):
                if _clock.monotonic() > until:
                    driver.execute("BEGIN IMMEDIATE")
                    return
        finally:
            driver.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")

    def autocommit(self, driver: Any, *, on: bool) -> None:
        """Nothing: there are no transactions but those begun by name."""

    def ask_whether_open(self, driver: Any) -> None:
        """Nothing: no server could have closed it."""

    def rows(self, fields: Mapping[str, str]) -> str:
        picked = ", ".join(f"json_extract(value, '$[{number}]') AS {name}" for number, name in enumerate(fields))
        return f"(SELECT {picked} FROM json_each(?))"

    def update(self, table: str, source: str, sets: str, where: str) -> str:
        return f"UPDATE {table} AS r SET {sets} FROM {source} AS s WHERE {where}"

    def upsert(self, table: str, columns: tuple[str, ...], source: str, key: str, sets: str) -> str:
        # Without a condition "ON" would be read as that of a join.
        return (
            f"INSERT INTO {table} AS r ({', '.join(columns)}) {source} WHERE true ON CONFLICT ({key}) "
            f"DO UPDATE SET {sets.replace('new.', 'excluded.')}"
        )

    def text_of(self, column: str) -> str:
        return f"CAST({column} AS TEXT)"

    def array(self, *columns: str) -> str:
        # A column may hold anything here, bytes that are no text too.
        return " || ',' || ".join(f"CASE WHEN {column} IS NULL THEN '-' ELSE hex({column}) END" for column in columns)

    def insert(self, driver: Any, table: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" * len(columns))
        driver.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)

    def fault(self, error: Exception) -> Fault:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            return Fault.OURS
        if code in (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY):
            return Fault.DUPLICATE
        # The low byte is the kind; the rest tells variants such as BUSY_SNAPSHOT apart.
        if code & 0xFF in _BUSY:
            return Fault.COLLISION
        return Fault.GONE if code & 0xFF in _GONE else Fault.OURS

    def is_ours(self, driver: object) -> bool:
        return isinstance(driver, sqlite3.Connection)

    def plain_cursor(self, driver: Any) -> Any:
        return sqlite3.Cursor(driver)

    def is_in_transaction(self, driver: Any) -> bool:
        # Of old, a write begins one; since Python 3.12 there may be an attribute that says more.
        begins_one = driver.isolation_level is not None and getattr(driver, "autocommit", False) is not True
        return driver.in_transaction or begins_one

    def home(self, link: Asked) -> tuple[Any, ...] | None:
        files = [row[2] for row in link.all("PRAGMA database_list") if row[1] == "main"]
        return (os.path.realpath(files[0]),) if files and files[0] else None

    def facts(self, driver: Any) -> Mapping[str, str]:
        [level] = driver.execute("PRAGMA synchronous").fetchone()
        safe = "safe against a kill and a power loss" if level >= 2 else "safe against a kill, not a power loss"
        return {"version": sqlite3.sqlite_version, "durability": safe}

    def old_snapshots(self, driver: Any, *, older_than: timedelta) -> list[OldSnapshot]:
        """Nothing: who else has the file open does not show."""
        return []


def _has_begun(driver: sqlite3.Connection) -> bool:
    """Begin to write and return True, or False while somebody else does.

    A deferred transaction that reads and then writes would fail at once when somebody wrote in between.
    """
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _BUSY:
            raise
        return False
    return True


def _set_up(driver: sqlite3.Connection, _record: object) -> None:
    _keep_private(driver)
    driver.execute("PRAGMA journal_mode = WAL")
    driver.execute("PRAGMA synchronous = FULL")
    # The WAL grows to this many pages before a commit has to copy it back.
    driver.execute("PRAGMA wal_autocheckpoint = 4000")
    driver.execute("PRAGMA cache_size = -16000")


def _keep_private(driver: sqlite3.Connection) -> None:
    """Let only the owner and its group read a file that was just made (T56): arguments stand in it as they were given.
    What was made before stays as somebody wanted it; the WAL and the SHM take after it."""
    file = driver.execute("PRAGMA database_list").fetchone()[2]
    found = os.stat(file)
    if found.st_size == 0:
        # By its name: a descriptor of ours, once closed, would take the locks along.
        with suppress(PermissionError):
            os.chmod(file, S_IMODE(found.st_mode) & 0o640)


def refuse_unsafe(database: str, *, version: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """Refuse an old SQLite, and a file on a network file system (C14).

    Raises:
        UnsafeStore: with the reason.
    """
    if version < OLDEST:
        raise UnsafeStore(f"SQLite {'.'.join(map(str, version))} is too old: 3.35 or newer is needed")
    kind = file_system(Path(database))
    if kind in NETWORK:
        raise UnsafeStore(
            f"{database} is on a network file system ({kind}), whose locks do not hold: two processes would overwrite "
            f"each other; put the file on a local disk, or use PostgreSQL or MariaDB"
        )


def file_system(path: Path, *, mounts: str | None = None) -> str | None:
    """Return the type of the file system that holds `path`, or None where the kernel does not tell.

    Looks only at names: opening the file would drop its locks when closed.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mounts").read_text(errors="surrogateescape")
        except OSError:
            return None
    place = os.path.realpath(path)
    best, kind = "", None
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        # The kernel writes blanks in names as \040.
        point = fields[1].encode().decode("unicode_escape") if "\\" in fields[1] else fields[1]
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        # Of two mounts on one point the later one is on top.
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind
