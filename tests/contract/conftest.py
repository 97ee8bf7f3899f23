"""The store under test, on every engine: `-k sqlite` picks one.

Each worker of pytest-xdist has one database per engine. It is set up once and emptied before each test, which is
an order of magnitude faster than a fresh one; SQLite gets a copy of an empty file.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, inspect

from rota.ports import Store
from rota.stores.memory import MemoryStore
from tests.ready import Ready

KINDS = ("memory", "sqlite", "postgres", "mariadb", "redis")
KEPT = ("schema", "meta")
"""Tables that tell the schema; all others are emptied."""

Opener = Callable[[], Store]


class Database:
    """A database that is set up, and the store that all tests of one engine share."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = create_engine(url)
        self.store = _open(url)
        self.store.setup()
        # By statement: which tables hold anything.
        questions = (f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {name})" for name in _tables(self._engine))
        self._holding = " UNION ALL ".join(questions)

    def empty(self) -> None:
        with self._engine.begin() as connection:
            # Most tests write to a few of them, and to delete nothing takes as long as to ask all of them at once.
            for [table] in connection.exec_driver_sql(self._holding).all():
                connection.exec_driver_sql(f"DELETE FROM {table}")

    def close(self) -> None:
        self.store.close()
        self._engine.dispose()


class RedisDatabase:
    """The same on Redis."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.store: Any = _open(url)

    def empty(self) -> None:
        self.store._server.ask("FLUSHDB")
        self.store.setup()

    def close(self) -> None:
        self.store.close()


def _tables(engine: Engine) -> list[str]:
    names = inspect(engine).get_table_names()
    return [name for name in names if name.startswith("rota_") and not name.endswith(KEPT)]


def _open(url: str) -> Store:
    # SQLAlchemy's stores load their drivers when they are opened, not before.
    from rota.stores import open_store

    return open_store(url)


@pytest.fixture(scope="session")
def postgres_emptied(postgres_server: Any) -> Iterator[Database]:
    database = Database(postgres_server.create_database())
    yield database
    database.close()


@pytest.fixture(scope="session")
def mariadb_emptied(mariadb_server: Any) -> Iterator[Database]:
    database = Database(mariadb_server.create_database())
    yield database
    database.close()


@pytest.fixture(scope="session")
def redis_emptied(redis_server: Any) -> Iterator[RedisDatabase]:
    database = RedisDatabase(redis_server.create_database())
    yield database
    database.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which engine this test runs on."""
    return str(request.param)


@pytest.fixture
def begin_anew(kind: str, ready: Ready, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Return an empty store with each call; the one before is used no more."""
    opened: list[Store] = []

    def begin() -> Store:
        if kind in ("postgres", "mariadb", "redis"):
            database: Database | RedisDatabase = request.getfixturevalue(f"{kind}_emptied")
            database.empty()
            return database.store
        if kind == "memory":
            opened.append(MemoryStore())
        else:
            opened.append(_open(ready.url(kind, tmp_path / f"rota-{len(opened)}.db")))
        return opened[-1]

    yield begin
    for store in opened:
        store.close()


@pytest.fixture
def store(begin_anew: Opener) -> Store:
    """An empty store."""
    return begin_anew()


@pytest.fixture
def open_again(kind: str, store: Store, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Open the store of this test once more, as another process would. Memory has only one."""
    opened: list[Store] = []

    def opener() -> Store:
        if kind == "memory":
            return store
        if kind == "sqlite":
            opened.append(_open(f"sqlite:///{tmp_path / 'rota-0.db'}"))
        else:
            opened.append(_open(request.getfixturevalue(f"{kind}_emptied").url))
        return opened[-1]

    yield opener
    for again in opened:
        again.close()
