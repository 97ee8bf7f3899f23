"""A SQL store on each engine; `-k sqlite` picks one."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rota.stores.sql.opening import open_sql
from rota.stores.sql.store import SqlStore
from tests.ready import Ready


def opened(url: str, *, prefix: str = "rota_", schema: str | None = None) -> SqlStore:
    """Return the SQL store at this URL."""
    return open_sql(url, prefix=prefix, schema=schema, pool_size=5, prepared=True)


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def engine_kind(request: pytest.FixtureRequest) -> str:
    """Which engine this test runs on."""
    return str(request.param)


@pytest.fixture
def url(engine_kind: str, ready: Ready, tmp_path: Path) -> str:
    """The URL of a database with the schema and nothing in it."""
    return ready.url(engine_kind, tmp_path / "rota.db")


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    """A store that is set up."""
    with closing(opened(url)) as store:
        yield store


@pytest.fixture
def bare_url(engine_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without the schema."""
    if engine_kind == "sqlite":
        return f"sqlite:///{tmp_path / 'bare.db'}"
    return str(request.getfixturevalue(f"{engine_kind}_database"))


@pytest.fixture
def empty(bare_url: str) -> Iterator[SqlStore]:
    """A store without a schema."""
    with closing(opened(bare_url)) as store:
        yield store
