"""From a URL to a store."""

import re

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from rota.errors import ConfigurationError, MissingExtra
from rota.stores.sql import sqlite
from rota.stores.sql.database import Database
from rota.stores.sql.dialects import Dialect
from rota.stores.sql.store import SqlStore
from rota.stores.sql.watching import SOURCES
from rota.stores.waking import Waking

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")


def open_sql(url: str, *, prefix: str, schema: str | None, pool_size: int, prepared: bool) -> SqlStore:
    """Return the store of a SQL database."""
    for what, name in (("table_prefix", prefix), ("schema", schema)):
        if name is not None and not _NAME.fullmatch(name):
            raise ConfigurationError(f"{what}={name!r}: letters, digits and underscores, 40 at most")
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError("the store's URL cannot be read; it looks like sqlite:///rota.db") from error
    dialect, address = _dialect(address, prepared=prepared)
    if isinstance(dialect, sqlite.SQLite) and address.database:
        sqlite.refuse_unsafe(address.database)
    database = Database(dialect, address, prefix=prefix, schema=schema, pool_size=pool_size)
    waking = Waking(SOURCES[dialect.name](database))
    database.after_fork_also = waking.after_fork
    return SqlStore(database, waking)


def _dialect(address: URL, *, prepared: bool) -> tuple[Dialect, URL]:
    """Return the dialect of a URL, and the URL with the one driver that is supported."""
    if address.get_backend_name() == "sqlite":
        return sqlite.SQLite(), address.set(drivername="sqlite+pysqlite")
    if address.get_backend_name() == "postgresql":
        try:
            from rota.stores.sql.postgres import Postgres
        except ImportError as error:
            raise MissingExtra("postgres", needed_for="a PostgreSQL store") from error
        return Postgres(prepared=prepared), address.set(drivername="postgresql+psycopg")
    try:
        from rota.stores.sql.mysql import MySQL
    except ImportError as error:
        raise MissingExtra("mysql", needed_for="a MariaDB or MySQL store") from error
    is_mariadb = address.get_backend_name() == "mariadb"
    return MySQL(is_mariadb=is_mariadb), address.set(drivername="mysql+pymysql")
