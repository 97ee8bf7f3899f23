"""`rota tenants`: the list without passwords, and which databases answer."""

import sqlite3

import pytest

from rota.app import Rota
from rota.core.model import Tenant
from rota.stores.memory import MemoryStore
from tests.surfaces.conftest import data, run


@pytest.fixture
def shop(tmp_path):
    """An application with one database that is there, one that is not, and a tenant without any."""
    sqlite3.connect(tmp_path / "acme.db").close()
    urls = {"acme": f"sqlite:///{tmp_path}/acme.db", "globex": f"sqlite:///{tmp_path}/globex.db", "initech": None}
    return Rota(MemoryStore(), tenants=[Tenant(id=name, url=url) for name, url in urls.items()])


def test_databases_that_do_not_answer_are_named_and_end_with_6(shop, tmp_path):  # R63
    result = run(shop, "tenants", "test", "--json", directory=tmp_path)

    assert result.exit_code == 6, result.output
    assert {row["id"]: row["state"] for row in data(result)} == {"acme": "ok", "globex": "failed", "initech": "none"}
    assert not (tmp_path / "globex.db").exists()


@pytest.mark.parametrize(("tenant", "code"), [("acme", 0), ("globex", 1), ("nobody", 3)])
def test_one_tenant_can_be_tried(shop, tmp_path, tenant, code):  # R63
    assert run(shop, "tenants", "test", tenant, directory=tmp_path).exit_code == code


def test_the_list_of_tenants_shows_no_password(tmp_path):  # R65
    shop = Rota(MemoryStore(), tenants=[Tenant(id="acme", url="postgresql://ops:hunter2@db/acme")])

    result = run(shop, "tenants", directory=tmp_path)

    assert "postgresql://ops:***@db/acme" in result.stdout
