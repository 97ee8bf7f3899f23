"""An engine of its own for each run on a tenant (R21, R22)."""

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import LRUCache

from rota.context import current_contact
from rota.core.model import Tenant
from rota.core.safe import safe_text
from rota.errors import ConfigurationError, MissingExtra, NoTenant, Refused, TenantUnavailable
from rota.redaction import redacted
from rota.tenants.connection import CONNECT_WITHIN, READ_WITHIN, open_engine, parsed, sqlite_file
from rota.tenants.reason import reason

# A run needs one connection, and at times a second one beside it; a job that starts threads a few more.
POOL: dict[str, Any] = {"pool_size": 1, "max_overflow": 4, "pool_timeout": 30, "pool_pre_ping": True}

COMPILED = 200
"""Statements kept compiled per tenant: text and plan of SQLAlchemy's, no data."""

Key = tuple[str, str | None, str | None]


class TenantEngines:
    """Lends each run an engine of its own for its tenant's database.

    Connections belong to one run and end with it: no temporary table, lock, role, `USE` or `search_path` reaches
    another run, not even one of the same tenant beside it, and a tenant that rests holds no connection of its server.
    Open at once are thus as many engines as runs, which the worker's places bound; nobody ever waits for an engine,
    as one tenant's long run would then delay another's (R21). Errors of statements show no parameters: those are the
    tenant's data.

    What is slow to make is kept from run to run, for the `max_open` tenants used last: the dialect, with what it
    asked the server when they first met, and on SQLite a connection that nobody uses any more. It keeps the file
    open: whoever closes a WAL database last writes all of it back, 18 ms against 2 ms for a run.
    """

    def __init__(
        self, *, max_open: int = 32, connect_within: timedelta = CONNECT_WITHIN, read_within: timedelta = READ_WITHIN
    ) -> None:
        self._max_open = max_open
        self._connect_within = connect_within
        self._read_within = read_within
        self._lock = threading.Lock()
        """Guards the next three."""
        self._kept: OrderedDict[Key, Engine] = OrderedDict()
        self._lent: set[Engine] = set()
        self._resting: dict[Key, Engine] = {}
        self._inherited: list[object] = []
        # By a weak reference: what is registered can never be taken back.
        this = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _forget(this()))

    @contextmanager
    def borrow(self, tenant: Tenant) -> Iterator[Engine]:
        """Yield an engine of the tenant's own database for one run; its threads may share it.

        It connects when it is first used. A failure to connect, and one that takes longer than `connect_within`, is
        a TenantUnavailable too.

        Raises:
            NoTenant: the tenant has no database.
            TenantUnavailable: its SQLite file is not there, or its URL cannot be read.
            MissingExtra: the driver is not installed.
        """
        key = (tenant.id, tenant.url, tenant.schema)
        with self._lock:
            known = self._kept.get(key)
        engine = self._made(tenant) if known is None else _copied(known)
        if tenant.schema is not None:
            _keep_in_schema(engine, tenant.schema)
        _check_file(tenant, engine.url)
        out = _out(engine)
        with self._lock:
            self._lent.add(engine)
        rests = False
        try:
            yield engine
            rests = _holds_a_file(engine)
        finally:
            for record in list(out):
                # Never given back: collected at some time, and until then its transaction locks what it has written.
                record.invalidate()
            with self._lock:
                self._lent.discard(engine)
                let_go = self._keep(key, engine, rests=rests)
            # Not under the lock: to close a file may take a while.
            for one in let_go:
                one.dispose()

    def probe(self, tenant: Tenant) -> None:
        """Connect to the tenant's database and have it answer. Not within a fixed time: a file may hang.

        Raises:
            NoTenant, TenantUnavailable, MissingExtra: as `borrow`.
        """
        with self.borrow(tenant) as engine:
            try:
                with engine.connect() as connection:
                    # On SQLite a constant reads nothing of the file.
                    is_file = engine.dialect.name == "sqlite"
                    connection.exec_driver_sql("SELECT count(*) FROM sqlite_master" if is_file else "SELECT 1")
            except DBAPIError as error:
                raise _unavailable(tenant, engine.url, reason(error)) from error

    @property
    def open_count(self) -> int:
        """How many engines are lent now."""
        return len(self._lent)

    def close(self) -> None:
        """Close what is kept open for the next run; the next one opens it anew."""
        with self._lock:
            resting, self._resting, self._kept = list(self._resting.values()), {}, OrderedDict()
        for engine in resting:
            engine.dispose()

    def forget(self) -> None:
        """Start afresh in a forked child, without touching the parent's connections (R22)."""
        # Another thread of the parent may hold the lock; it does not exist here.
        self._lock = threading.Lock()
        self._kept = OrderedDict()
        for engine in [*self._lent, *self._resting.values()]:
            # Kept for ever: what is collected is closed, and a driver may say goodbye over the parent's socket.
            # SQLite forbids even to close what was opened before the fork (sqlite.org, "How To Corrupt", 2.6).
            self._inherited.append(engine.pool)
            engine.dispose(close=False)
        self._resting = {}

    def _keep(self, key: Key, engine: Engine, *, rests: bool) -> list[Engine]:
        """Remember what is slow to make, and return the engines whose connections are to be closed."""
        let_go = []
        # Only one that has met its server: what a dialect asks there on the first connection is not safe when two
        # copies do it at once.
        if engine.dialect.server_version_info is not None:
            self._kept.setdefault(key, engine)
            self._kept.move_to_end(key)
        if rests and key in self._kept and key not in self._resting:
            self._resting[key] = engine
        else:
            let_go.append(engine)
        while len(self._kept) > self._max_open:
            oldest, _ = self._kept.popitem(last=False)
            if oldest in self._resting:
                let_go.append(self._resting.pop(oldest))
        return let_go

    def _made(self, tenant: Tenant) -> Engine:
        if tenant.url is None:
            raise NoTenant(f"tenant {tenant.id!r} has no database: its source gives no url for it")
        try:
            url = parsed(tenant.url)
            # Memory has a pool of its own kind.
            pool: dict[str, Any] = POOL if sqlite_file(url) or url.get_backend_name() != "sqlite" else {}
            limits = {"connect_within": self._connect_within, "read_within": self._read_within}
            engine = open_engine(url, **limits, hide_parameters=True, **pool)
        except MissingExtra:
            raise
        except ConfigurationError as error:
            # One tenant's bad URL is that tenant's trouble only (R21).
            raise TenantUnavailable(f"tenant {tenant.id!r}: {error}") from error
        if tenant.schema is not None and url.get_backend_name() != "postgresql":
            raise TenantUnavailable(f"tenant {tenant.id!r}: schema={tenant.schema!r} needs a PostgreSQL database")
        event.listen(engine, "handle_error", _naming(tenant))
        engine.update_execution_options(compiled_cache=LRUCache(COMPILED))
        return engine


def _out(engine: Engine) -> "weakref.WeakSet[ConnectionPoolEntry]":
    """Return the connections of its pool that are in somebody's hands, now and later."""
    # Weakly: what was told to the engine that is kept is told to its copies as well.
    out: weakref.WeakSet[ConnectionPoolEntry] = weakref.WeakSet()
    contact = current_contact.get()

    def taken(_driver: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        out.add(record)
        if contact is not None:
            contact.is_made = True

    def given_back(_driver: object, record: ConnectionPoolEntry) -> None:
        out.discard(record)

    event.listen(engine.pool, "checkout", taken)
    event.listen(engine.pool, "checkin", given_back)
    return out


def _holds_a_file(engine: Engine) -> bool:
    """Whether its pool has an idle connection to a SQLite file."""
    pool = engine.pool
    return sqlite_file(engine.url) is not None and isinstance(pool, QueuePool) and pool.checkedin() > 0


def _copied(engine: Engine) -> Engine:
    """Return an engine with the same dialect, which also carries the listeners, and an empty pool of its own.

    Statements that were compiled for one are there for the next: to compile them anew takes longer than to run them.
    """
    copy = Engine(engine.pool.recreate(), engine.dialect, engine.url, hide_parameters=True)
    copy.update_execution_options(**engine.get_execution_options())
    return copy


def _naming(tenant: Tenant) -> Callable[[ExceptionContext], TenantUnavailable | None]:
    """Return a listener that turns a failure to connect into TenantUnavailable, with the tenant's name."""

    def instead(context: ExceptionContext) -> TenantUnavailable | None:
        # Errors of statements have a connection and stay SQLAlchemy's; after a failed ping comes a new try.
        if context.connection is not None or context.is_pre_ping or context.engine is None:
            return None
        return _unavailable(tenant, context.engine.url, reason(context.original_exception))

    return instead


def _keep_in_schema(engine: Engine, schema: str) -> None:
    """Make every transaction see this schema alone.

    `SET LOCAL` ends with the transaction; a plain `SET` outlives it, and behind a pooler that shares connections it
    would reach other clients. Only the tenant's schema is in the path: with `public` behind it, a table that is
    missing here would silently be the one that all tenants share.
    """
    statement = f"SET LOCAL search_path TO {engine.dialect.identifier_preparer.quote_identifier(schema)}"

    def begin(connection: Connection) -> None:
        if getattr(connection.connection.dbapi_connection, "autocommit", False):
            raise Refused(
                f"schema {schema!r}: autocommit has no transaction that could keep its search_path; use begin()"
            )
        connection.exec_driver_sql(statement)

    event.listen(engine, "begin", begin)


def _check_file(tenant: Tenant, url: URL) -> None:
    """Raise if the SQLite file is not there: said before the job starts to work, not in its midst."""
    file = sqlite_file(url)
    if file is not None and not file.is_file():
        raise _unavailable(tenant, url, "no such file")


def _unavailable(tenant: Tenant, url: URL, why: str) -> TenantUnavailable:
    where = redacted(safe_text(url.render_as_string()))
    return TenantUnavailable(f"tenant {tenant.id!r}: cannot open {where}: {why}")


def _forget(engines: TenantEngines | None) -> None:
    if engines is not None:
        engines.forget()
