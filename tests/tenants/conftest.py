"""Tenant databases that hold their own name, so that a test sees whose data it reads."""

import socket
import sqlite3
from pathlib import Path

import pytest

from rota.core.model import Tenant
from rota.tenants.engines import TenantEngines


@pytest.fixture
def engines():
    """Engines that remember two tenants."""
    return TenantEngines(max_open=2)


@pytest.fixture
def sqlite_tenant(tmp_path):
    """A function that makes a tenant with a SQLite file which holds its name."""

    def make(name: str) -> Tenant:
        path = tmp_path / f"{name}.db"
        hold_name(path, name)
        return Tenant(id=name, url=f"sqlite:///{path}")

    return make


def hold_name(path: Path, name: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE whoami (name TEXT)")
        connection.execute("INSERT INTO whoami VALUES (?)", [name])
    connection.close()


@pytest.fixture
def unused_port():
    """A port of this machine that nobody listens on, and that nobody gets while the test runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
