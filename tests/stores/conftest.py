"""A SQL store on each engine; `-k sqlite` picks one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rota.stores.sql.opening import open_sql
from rota.stores.sql.store import SqlStore


def opened(url: str, *, prefix: str = "rota_", schema: str | None = None) -> SqlStore:
    """Return the SQL store at this URL."""
    return open_sql(url, prefix=prefix, schema=schema, pool_size=5, prepared=True)


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'rota.db'}"
    return str(request.getfixturevalue(f"{request.param}_database"))


@pytest.fixture
def empty(url: str) -> Iterator[SqlStore]:
    """A store without a schema."""
    store = opened(url)
    yield store
    store.close()


@pytest.fixture
def store(empty: SqlStore) -> SqlStore:
    """A store that is set up."""
    empty.setup()
    return empty
