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


class Ready:
    """Makes databases with the schema; sets up one of each kind, when it is first asked for."""

    def __init__(self, server: Callable[[str], Server], folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._models: dict[str, str] = {}

    def url(self, kind: str, path: Path) -> str:
        """Return the URL of a new database with the schema: for SQLite in this file, else on the server."""
        if kind == "sqlite":
            return f"sqlite:///{self.file(path)}"
        server = self._server(kind)
        if kind == "redis":
            # Its schema is a few keys: to set it up is as quick as to copy them.
            return _set_up(server.create_database())
        model = self._model(kind, server.create_database)
        if kind == "postgres":
            return server.create_database(like=_name(model))
        url = server.create_database()
        _copy_tables(model, url)
        return url

    def file(self, path: Path) -> Path:
        """Make an SQLite file with the schema."""
        model = self._model("sqlite", lambda: f"sqlite:///{self._folder / 'model.db'}")
        # It is closed for good: nobody's locks are dropped.
        return Path(shutil.copyfile(model.removeprefix("sqlite:///"), path))

    def _model(self, kind: str, create: Callable[[], str]) -> str:
        if kind not in self._models:
            self._models[kind] = _set_up(create())
        return self._models[kind]


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
        cursor.execute(f"SHOW FULL TABLES FROM {_name(model)}")
        # Views last: they read the tables.
        for name, sort in sorted(cursor.fetchall(), key=lambda row: row[1]):
            if sort == "VIEW":
                cursor.execute(f"SHOW CREATE VIEW {_name(model)}.{name}")
                cursor.execute(cursor.fetchone()[1].replace(f"`{_name(model)}`.", ""))
            else:
                cursor.execute(f"CREATE TABLE {name} LIKE {_name(model)}.{name}")
                cursor.execute(f"INSERT INTO {name} SELECT * FROM {_name(model)}.{name}")
        driver.commit()
