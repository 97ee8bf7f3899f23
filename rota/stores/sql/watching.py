"""How each engine shows that other processes queued something."""

import ctypes
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from rota.clock import SystemClock, sleep
from rota.errors import StoreUnavailable
from rota.stores.sql.database import Database
from rota.stores.sql.dialects import Fault
from rota.stores.waking import NEVER

IN_MODIFY = 0x2
IN_NONBLOCK = 0o4000
IN_CLOEXEC = 0o2000000

COM_QUERY = 3
"""What the protocol of MariaDB calls a statement."""

AT_ONCE = (0.0002, 0.0003, 0.0005)
SOON = (0.001, 0.001, 0.001, 0.001, 0.002, 0.002, 0.004, 0.008, 0.016)
"""Seconds between looks after the WAL grew: its commit shows only when it has reached the disk. The first are shorter
than can be waited for; during the others the next notice is heard as well."""


class FileChanges:
    """SQLite: `PRAGMA data_version` of a connection of its own changes with every commit of another.

    Linux says when the WAL is written to; elsewhere the pragma, which costs five microseconds, is asked often. The
    WAL is named to the kernel and not opened: closing it again would drop its locks (C15).
    """

    unwatched: float = 0.004

    def __init__(self, database: Database) -> None:
        self._database = database
        self.errors: tuple[type[Exception], ...] = (*database.dialect.driver_errors, OSError)
        self.pause: float = self.unwatched
        self._to_come: Iterator[float] = iter(())
        self._driver: Any = None
        self._descriptor: int | None = None
        self._version: int | None = None

    def open(self) -> int | None:
        self._driver = self._database.detached()
        # The first version is none that was seen: what came before is work too.
        self._driver.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if sys.platform == "linux":
            self._descriptor = _watched(f"{self._database.url.database}-wal")
        return self._descriptor

    def came(self) -> bool:
        if self._descriptor is None:
            return self._has_changed()
        is_noticed = self._drained() or self._version is None
        if is_noticed:
            self._to_come = iter(SOON)
        came = self._has_changed() or (is_noticed and self._changes_at_once())
        self.pause = NEVER if came else next(self._to_come, NEVER)
        return came

    def _changes_at_once(self) -> bool:
        for seconds in AT_ONCE:
            sleep(timedelta(seconds=seconds))
            if self._has_changed():
                return True
        return False

    def _drained(self) -> bool:
        """Whether there were notices of writing, which are read off."""
        with suppress(BlockingIOError):
            return bool(os.read(self._descriptor or 0, 65536))
        return False

    def _has_changed(self) -> bool:
        [version] = self._driver.execute("PRAGMA data_version").fetchone()
        changed: bool = version != self._version
        self._version = version
        return changed

    def tell(self) -> None:
        """Nothing: they see the file."""

    def close(self) -> None:
        descriptor, self._descriptor, self._version = self._descriptor, None, None
        if descriptor is not None:
            os.close(descriptor)
        if self._driver is not None:
            self._driver.close()
            self._driver = None

    def forget(self) -> None:
        self._database.keep(self._driver)
        # A copy of the parent's descriptor: nothing is lost by closing it.
        descriptor, self._driver, self._descriptor, self._version = self._descriptor, None, None, None
        if descriptor is not None:
            os.close(descriptor)


def _watched(path: str) -> int | None:
    """Return a descriptor that becomes readable when the file is written to, or None where there is no such thing."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
    if descriptor < 0:
        return None
    if libc.inotify_add_watch(descriptor, os.fsencode(path), IN_MODIFY) < 0:
        os.close(descriptor)
        return None
    return descriptor


class Notices:
    """PostgreSQL: NOTIFY, outside of the transaction that queued, since it takes a lock on the whole database.

    At most one in `apart` seconds: workers that were just woken look again before they sleep.
    """

    pause: float = NEVER
    apart: float = 0.002

    def __init__(self, database: Database) -> None:
        self._database = database
        self.errors: tuple[type[Exception], ...] = (*database.dialect.driver_errors, OSError, StoreUnavailable)
        self._channel = f"{database.prefix}{database.schema or ''}_wake"
        self._clock = SystemClock()
        self._told_at = 0.0
        self._driver: Any = None
        self._teller: Any = None
        self._one_tells = threading.Lock()

    def open(self) -> int | None:
        self._driver = self._database.detached()
        self._driver.execute(f'LISTEN "{self._channel}"')
        descriptor: int = self._driver.fileno()
        return descriptor

    def came(self) -> bool:
        self._driver.pgconn.consume_input()
        came = False
        while self._driver.pgconn.notifies() is not None:
            came = True
        return came

    def tell(self) -> None:
        now = self._clock.monotonic()
        if now - self._told_at < self.apart:
            return
        self._told_at = now
        statement = f'NOTIFY "{self._channel}"'
        with self._one_tells:
            if not self._sent(statement):
                self._database.aside(statement)

    def _sent(self, statement: str) -> bool:
        """Send a statement whose answer is read when the next one is sent: who enqueues does not wait for it. Return
        whether the one before was answered."""
        if self._teller is None:
            self._teller = self._database.detached()
        line = self._teller.pgconn
        try:
            line.consume_input()
            while not line.is_busy():
                if line.get_result() is None:
                    line.send_query(statement.encode())
                    line.flush()
                    return True
        except self.errors:
            self._teller.close()
            self._teller = None
        return False

    def close(self) -> None:
        with self._one_tells:
            for driver in (self._driver, self._teller):
                if driver is not None:
                    driver.close()
            self._driver = self._teller = None

    def forget(self) -> None:
        for driver in (self._driver, self._teller):
            self._database.keep(driver)
        self._driver = self._teller = None
        self._one_tells = threading.Lock()


WATCH = """
BEGIN NOT ATOMIC
    DECLARE looks INT DEFAULT 0;
    DECLARE newest VARCHAR(32) DEFAULT (SELECT max(id) FROM {runs});
    WHILE looks < 25 AND newest <=> @rota_newest DO
        DO SLEEP(0.04);
        SET looks = looks + 1, newest = (SELECT max(id) FROM {runs});
    END WHILE;
    SET @rota_newest = newest;
    SELECT newest;
END
"""
"""Answers at once with a newest id that is another than in the last answer, and otherwise after a second. Each SELECT
in it is a transaction of its own, so no snapshot and no lock stands longer than one look."""


class NewestRun:
    """MariaDB and MySQL cannot wake a client: the newest id, one probe of the primary key, is looked for often.

    MariaDB looks by itself and answers when it has changed (`WATCH`): asked 25 times a second from here, it took half
    of what an idle process costs. MySQL knows no such statement; there, and where one in between refuses it, it is
    asked.
    """

    apart: float = 0.04
    overdue: float = 10.0
    """After how many seconds without an answer a connection is taken for lost."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.errors: tuple[type[Exception], ...] = (*database.dialect.driver_errors, OSError)
        self.pause: float = self.apart
        self._clock = SystemClock()
        self._is_refused = False
        self._asked_at: float | None = None
        self._driver: Any = None
        self._newest: object = None

    def open(self) -> int | None:
        self._asked_at, self.pause = None, self.apart
        self._driver = self._database.detached()
        if self._is_refused or "MariaDB" not in self._driver.get_server_info():
            return None
        self.pause = NEVER
        # The driver has no public way to send a statement and to read its answer later.
        descriptor: int = self._driver._sock.fileno()
        return descriptor

    def came(self) -> bool:
        if self.pause != NEVER:
            return self._is_another(self._asked())
        try:
            came = self._asked_at is not None and self._is_answered() and self._is_another(self._answer())
            if self._asked_at is None:
                self._driver._execute_command(COM_QUERY, self._database.text(WATCH))
                self._asked_at = self._clock.monotonic()
        except self._database.dialect.driver_errors as error:
            if self._database.dialect.fault(error) is not Fault.OURS:
                raise
            self._is_refused, self.pause = True, self.apart
            return True
        return came

    def _asked(self) -> object:
        with self._driver.cursor() as cursor:
            cursor.execute(self._database.text("SELECT max(id) FROM {runs}"))
            [newest] = cursor.fetchone()
        return newest

    def _is_answered(self) -> bool:
        poll = select.poll()
        poll.register(self._driver._sock, select.POLLIN)
        if poll.poll(0):
            return True
        if self._asked_at is not None and self._clock.monotonic() - self._asked_at > self.overdue:
            raise TimeoutError("the server does not answer")
        return False

    def _answer(self) -> object:
        self._asked_at = None
        self._driver._read_query_result()
        [[newest]] = self._driver._result.rows
        # The end of the block is an answer too.
        while self._driver._result.has_next:
            self._driver.next_result()
        return newest

    def _is_another(self, newest: object) -> bool:
        changed: bool = newest != self._newest
        self._newest = newest
        return changed

    def tell(self) -> None:
        """Nothing: they look."""

    def close(self) -> None:
        if self._driver is not None:
            self._driver.close()
            self._driver = None

    def forget(self) -> None:
        self._database.keep(self._driver)
        self._driver = None


SOURCES: dict[str, Callable[[Database], FileChanges | Notices | NewestRun]] = {
    "sqlite": FileChanges,
    "postgres": Notices,
    "mysql": NewestRun,
}
