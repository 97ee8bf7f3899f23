"""Django's own databases: where the store is, which transactions are open, and connections that runs leave behind."""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from asgiref.sync import AsyncToSync, SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.db import DEFAULT_DB_ALIAS, close_old_connections, connections, reset_queries, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from sqlalchemy import URL

from rota.app import Rota
from rota.errors import ConfigurationError
from rota.other_drivers import as_known
from rota.transactions import PlainTransaction, Transaction

Answer = TypeVar("Answer")

MEMORY = "memory://"

# Options of Django's that are the driver's own connection arguments, and mean the same in a URL.
POSTGRES = frozenset(
    {
        "application_name", "connect_timeout", "keepalives", "keepalives_count", "keepalives_idle",
        "keepalives_interval", "options", "passfile", "service", "sslcert", "sslkey", "sslmode", "sslrootcert",
        "target_session_attrs",
    }
)  # fmt: skip
MYSQL = frozenset({"charset", "read_default_file", "unix_socket"})
MYSQL_TLS: Mapping[str, str] = {"ca": "ssl_ca", "cert": "ssl_cert", "key": "ssl_key"}


def store_url(alias: str = DEFAULT_DB_ALIAS) -> str:
    """Return the URL of one of Django's databases, as it is connected to now: in a test, that of the test.

    One in memory can be seen from its own connection only: the store beside it is in memory too.

    Raises:
        ConfigurationError: it is of a kind that Rota has no store for, or there is none of that alias.
    """
    if alias not in connections:
        raise ConfigurationError(f"database {alias!r} is not in DATABASES: {', '.join(connections)} are")
    connection = connections[alias]
    said = connection.settings_dict
    match connection.vendor:
        case "sqlite":
            return _sqlite(said)
        case "postgresql":
            return _server("postgresql", said, known=POSTGRES, socket="host")
        case "mysql":
            return _server("mysql", said, known=MYSQL, socket="unix_socket")
        case vendor:
            raise ConfigurationError(
                f"database {alias!r} is {vendor}, which Rota has no store for: name one in ROTA, "
                '"store": {"url": "sqlite:///rota.db"}'
            )


def _sqlite(said: Mapping[str, Any]) -> str:
    name = str(said["NAME"])
    if name in ("", ":memory:") or "mode=memory" in name:
        return MEMORY
    if name.startswith("file:"):
        raise ConfigurationError(f"database {name!r} is a URI: give its path in NAME, or name a store in ROTA")
    return _text(URL.create("sqlite", database=os.path.abspath(name)))


def _server(kind: str, said: Mapping[str, Any], *, known: frozenset[str], socket: str) -> str:
    options = said.get("OPTIONS", {})
    query = {name: str(value) for name, value in options.items() if name in known}
    tls = options.get("ssl") if kind == "mysql" else None
    if isinstance(tls, Mapping):
        query |= {MYSQL_TLS[name]: str(value) for name, value in tls.items() if name in MYSQL_TLS}
    host = said.get("HOST") or None
    if host is not None and host.startswith("/"):
        query[socket], host = host, None
    return _text(
        URL.create(
            kind,
            username=said.get("USER") or options.get("user") or None,
            password=said.get("PASSWORD") or options.get("password") or options.get("passwd") or None,
            host=host,
            port=int(said["PORT"]) if said.get("PORT") else None,
            database=said.get("NAME") or None,
            query=query,
        )
    )


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


# --- transactions ---


class AtomicBlock:
    """The outermost `transaction.atomic` that is open on one of Django's connections, in this thread."""

    is_told = True

    def __init__(self, alias: str, *, others: tuple[str, ...] = ()) -> None:
        """`others` are open besides: what waits, waits for them as well."""
        self.driver: object = connections[alias].connection
        self._aliases = (alias, *others)

    def after_commit(self, work: Callable[[], None]) -> None:
        """Call `work` once all of them are committed; forget it with a rollback, also to a savepoint before it."""
        first, *rest = self._aliases
        for alias in rest:
            work = _waiting(work, alias)
        transaction.on_commit(work, using=first)


def _waiting(work: Callable[[], None], alias: str) -> Callable[[], None]:
    return lambda: transaction.on_commit(work, using=alias)


def open_transaction(rota: Rota) -> Transaction | None:
    """Return the transaction around this code; None outside of all. Of several, the one of the store's database.

    Where a project commits by itself (`set_autocommit(False)`) only that one counts: nobody tells when another ends.
    """
    made = list(connections.all(initialized_only=True))
    open_ = [one.alias for one in made if one.in_atomic_block]
    if not open_:
        manual = [one for one in made if one.connection is not None and not one.autocommit]
        return next((PlainTransaction(one.connection) for one in manual if _is_home(rota, one.alias)), None)
    home = open_[0]
    if len(open_) > 1:
        home = next((alias for alias in open_ if _is_home(rota, alias)), home)
    return AtomicBlock(home, others=tuple(alias for alias in open_ if alias != home))


def _is_home(rota: Rota, alias: str) -> bool:
    is_home_of = getattr(rota.store, "is_home_of", None)
    return is_home_of is not None and bool(is_home_of(as_known(connections[alias].connection)))


async def in_thread_of_orm(work: Callable[[], Answer]) -> Answer:
    """Call `work` for a coroutine where its models are asked, so that it is in the transaction that is open there: that
    of the code around `async_to_sync`, or that of its request. Where no such thread is, in any."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    has_one = (
        getattr(AsyncToSync.executors, "current", None) is not None
        or context in SyncToAsync.context_to_thread_executor
        or asyncio.get_running_loop() in AsyncToSync.loop_thread_executors
    )
    return await (sync_to_async(work)() if has_one else asyncio.to_thread(work))


# --- connections ---


@contextmanager
def tidy() -> Iterator[None]:
    """Give a run connections that work, of every alias, and leave none behind that the next one could trip over (R21).

    What a coroutine does with the ORM happens in a thread of its run's own: two runs that await do not share one
    connection, and with it a transaction or a schema. Within a transaction that is open already nothing is touched: the
    run is its caller's, a test that works it off by itself.
    """
    if in_event_loop():
        with _own_thread():
            yield
        return
    _inherited.leave()
    if any(connection.in_atomic_block for connection in connections.all(initialized_only=True)):
        yield
        return
    _refresh()
    try:
        yield
    finally:
        _drop_left_open()
        _refresh()


class Inherited:
    """Connections that were open when this process was forked: a child of a worker has those of its spawner."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._kept: list[BaseDatabaseWrapper] = []

    def leave(self) -> None:
        """In a forked child leave them alone, and connect anew (R22)."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        for connection in connections.all(initialized_only=True):
            # Kept for ever: what is collected is closed, and a driver may say goodbye over the parent's socket.
            self._kept.append(connection)
            del connections[connection.alias]


_inherited = Inherited()


def _refresh() -> None:
    reset_queries()
    close_old_connections()


def _drop_left_open() -> None:
    """Let go of connections with an `atomic` block that the run has left open: what it wrote there was never
    committed. Django leaves those alone, for whoever is in the block; here nobody is any more."""
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            _drop(connection)


def _drop(connection: BaseDatabaseWrapper) -> None:
    # As Django closes it: one of a pool goes back there, or the pool would be empty after a few.
    connection.close()
    del connections[connection.alias]


def in_event_loop() -> bool:
    """Whether this is the thread of an event loop, in which the ORM cannot be used."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def _own_thread() -> Iterator[None]:
    context = ThreadSensitiveContext()
    token = SyncToAsync.thread_sensitive_context.set(context)
    try:
        yield
    finally:
        SyncToAsync.thread_sensitive_context.reset(token)
        executor = SyncToAsync.context_to_thread_executor.pop(context, None)
        if executor is not None:
            executor.submit(_close_all)
            # Not waited for: this is the thread of all coroutines.
            executor.shutdown(wait=False)


def _close_all() -> None:
    for connection in connections.all(initialized_only=True):
        _drop(connection)
