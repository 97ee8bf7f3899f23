"""Databases that have Rota's schema from the beginning: each is made like one that was set up once.

Migrations take a second for each database, most of it in Alembic, and are tested in `stores/test_sql_schema.py`. All
other tests want a database as they leave it behind, which is copied in a few hundredths of a second.
"""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import NullPool, create_engine

from rota.stores import open_store
from tests.servers import Server

Fill = Callable[[str], None]
"""Puts something into the database at a URL."""

WRITTEN = """
SELECT table_name, GROUP_CONCAT('`', column_name, '`') FROM information_schema.columns
WHERE table_schema = %s AND extra NOT LIKE '%%GENERATED%%' GROUP BY table_name
"""
"""The columns of each MariaDB table that are not worked out from others."""


class Ready:
    """Makes databases with the schema; sets up one of each kind, when it is first asked for."""

    def __init__(self, server: Callable[[str], Server], folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._models: dict[tuple[str, Fill | None], str] = {}

    def url(self, kind: str, path: Path, *, fill: Fill | None = None) -> str:
        """Return the URL of a new database with the schema: for SQLite in this file, else on the server.

        What `fill` puts into a SQL database is put there once, and copied too; MariaDB has no statistics of a copy.
        """
        if kind == "sqlite":
            model = self._model(kind, fill, lambda: f"sqlite:///{self._folder / f'model-{len(self._models)}.db'}")
            # It is closed for good: nobody's locks are dropped.
            return f"sqlite:///{shutil.copyfile(model.removeprefix('sqlite:///'), path)}"
        server = self._server(kind)
        if kind == "redis":
            # Its schema is a few keys: to set it up is as quick as to copy them.
            return _set_up(server.create_database())
        model = self._model(kind, fill, server.create_database)
        if kind == "postgres":
            return server.create_database(like=_name(model))
        url = server.create_database()
        _copy_tables(model, url)
        return url

    def _model(self, kind: str, fill: Fill | None, create: Callable[[], str]) -> str:
        if (kind, fill) not in self._models:
            url = _set_up(create())
            if fill is not None:
                fill(url)
            self._models[kind, fill] = url
        return self._models[kind, fill]


def _set_up(url: str) -> str:
    with closing(open_store(url)) as store:
        store.setup()
    return url


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _copy_tables(model: str, url: str) -> None:
    """Make the tables and views of one MariaDB database in another of the same server."""
    engine = create_engine(url, poolclass=NullPool)
    driver = engine.raw_connection()
    with closing(driver), closing(driver.cursor()) as cursor:
        cursor.execute(WRITTEN, [_name(model)])
        columns = dict(cursor.fetchall())
        cursor.execute(f"SHOW FULL TABLES FROM {_name(model)}")
        # Views last: they read the tables.
        for name, sort in sorted(cursor.fetchall(), key=lambda row: row[1]):
            if sort == "VIEW":
                cursor.execute(f"SHOW CREATE VIEW {_name(model)}.{name}")
                cursor.execute(cursor.fetchone()[1].replace(f"`{_name(model)}`.", ""))
            else:
                cursor.execute(f"CREATE TABLE {name} LIKE {_name(model)}.{name}")
                written = columns[name]
                cursor.execute(f"INSERT INTO {name} ({written}) SELECT {written} FROM {_name(model)}.{name}")
        driver.commit()
