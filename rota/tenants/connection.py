"""URLs, time limits and drivers: how any database of a tenant, or a list of tenants, is reached."""

import math
import sqlite3
import ssl
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Engine, Executable, NullPool, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from rota.errors import ConfigurationError, MissingExtra
from rota.redaction import pass_secret, secrets_of_url

CONNECT_WITHIN = timedelta(seconds=5)
"""How long connecting may take, login included; on SQLite how long to wait for a lock."""
READ_WITHIN = timedelta(minutes=5)
"""How long MySQL and MariaDB may take to answer one statement; `?read_timeout=` in a tenant's URL overrides it."""

# The drivers that Rota is tested with, where the URL names none.
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_EXTRAS = {"postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql"}


def parsed(address: str) -> URL:
    """Return the URL in this text, with a driver.

    Raises:
        ConfigurationError: it is no URL. The message does not quote it: it may hold a password.
    """
    pass_secret(*secrets_of_url(address))
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        # Not chained: the original may quote the URL.
        raise ConfigurationError("a database URL cannot be read; expected dialect://user:password@host/name") from None
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def written(url: URL) -> str:
    """Return the text of a URL, with its password, that reads back as the same URL.

    Raises:
        ConfigurationError: there is no such text.
    """
    made = url.render_as_string(hide_password=False)
    # SQLAlchemy 2.0 does not escape `?` in a database name: `shop?x` would read back as `shop`, somebody else's.
    if make_url(made) != url:
        raise ConfigurationError(f"database name {url.database!r} cannot be written in a URL by this SQLAlchemy")
    return made


def open_engine(url: URL, *, connect_within: timedelta, read_within: timedelta, **options: Any) -> Engine:
    """Return an engine that does not wait for ever and does not create a SQLite file. Connects nothing yet.

    Raises:
        MissingExtra: the driver is not installed.
        ConfigurationError: no dialect has this name.
    """
    try:
        limits = _limits(url, connect_s=connect_within.total_seconds(), read_s=read_within.total_seconds())
        engine = create_engine(url, connect_args=limits, **options)
    except NoSuchModuleError:
        raise ConfigurationError(
            f"no database driver {url.drivername!r}; known: {', '.join(_DRIVERS)}, sqlite"
        ) from None
    except ImportError as error:
        extra = _EXTRAS.get(url.get_backend_name(), "all")
        raise MissingExtra(extra, needed_for=f"a database of {url.drivername}") from error
    if sqlite_file(url):
        event.listen(engine, "do_connect", _open_existing)
    if engine.driver == "pymysql":
        event.listen(engine, "do_connect", _log_in_soon)
    return engine


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite database; None for memory, for a `file:` address, and for servers."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database.startswith((":memory:", "file:")):
        return None
    return Path(url.database)


class Server:
    """A database that tenants are listed from. Holds no connection between two listings."""

    def __init__(self, address: str, *, database: str | None = None) -> None:
        url = parsed(address)
        self._url = url.set(database=url.database or database)
        # Made now, so that a missing driver is noticed when the application starts.
        self._engine = open_engine(
            self._url, connect_within=CONNECT_WITHIN, read_within=READ_WITHIN, poolclass=NullPool
        )

    @property
    def url(self) -> str:
        """The URL, with its password."""
        return written(self._url)

    def url_of(self, database: str) -> str:
        """Return the URL of another database on the same server, with its password."""
        return written(self._url.set(database=database))

    def rows(self, query: str | Executable) -> Sequence[Mapping[str, Any]]:
        """Return what a query answers, by column name."""
        statement = text(query) if isinstance(query, str) else query
        with self._engine.connect() as connection:
            # As dicts: SQLAlchemy's type for them is no Mapping of str.
            return [dict(row) for row in connection.execute(statement).mappings()]


def _limits(url: URL, *, connect_s: float, read_s: float) -> dict[str, Any]:
    """Return connection arguments that bound every wait; what the URL says itself is left out."""
    connect, read = math.ceil(connect_s), math.ceil(read_s)
    limits: dict[str, Any] = {}
    match url.get_driver_name():
        case "pysqlite":
            limits = {"timeout": connect_s}
        case "psycopg" | "psycopg2":
            # There is no limit on an answer, and a slow statement is not cut off; but a server that vanished is
            # noticed by the kernel, within 30 s.
            alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4}
            limits = {"connect_timeout": connect, "tcp_user_timeout": 30_000, **alive}
        case "pymysql" | "mysqldb":
            limits = {"connect_timeout": connect, "read_timeout": read, "write_timeout": read}
    return {name: value for name, value in limits.items() if name not in url.query}


def _open_existing(_dialect: Dialect, _record: object, cargs: Sequence[Any], cparams: Mapping[str, Any]) -> Any:
    """Open a SQLite file that is there. The default mode would create it, and a job would run on an empty tenant."""
    path, *_ = cargs
    connection = sqlite3.connect(f"file:{quote(path)}?mode=rw", uri=True, **{**cparams, "timeout": 0})
    try:
        # Opening reads nothing: a file of anything at all opens well. Not read by hand either: to close it would drop
        # the locks that this process has on it (sqlite.org, "How To Corrupt", 2.2).
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        # A lock is the business of the statement that meets it.
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            connection.close()
            raise
    connection.execute(f"PRAGMA busy_timeout = {int(cparams.get('timeout', 5) * 1000)}")
    return connection


def _log_in_soon(dialect: Dialect, _record: object, cargs: Sequence[Any], cparams: Mapping[str, Any]) -> Any:
    """Connect with pymysql, with the limit for connecting on the whole of it, and without its 40 ms of TLS set-up.

    Its own `connect_timeout` ends when the port accepts: from a server that accepts and says nothing it awaits the
    greeting for as long as an answer. There is no public way to change the limit afterwards; a test notices when the
    private one goes.
    """
    soon = {**cparams, "read_timeout": cparams["connect_timeout"]}
    if any(name.startswith(("ssl", "read_default")) for name in cparams):
        connection = dialect.connect(*cargs, **soon)
    else:
        # Without TLS options pymysql uses TLS if the server has it, and checks no certificate; yet it loads all
        # authorities of the system for each connection: 40 of 41 ms. The same, with one context for all.
        connection = dialect.connect(*cargs, **soon, ssl_disabled=True, defer_connect=True)
        connection.ssl, connection.ctx = True, _any_certificate()
        connection.connect()
    connection._read_timeout = cparams["read_timeout"]
    return connection


@cache
def _any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
