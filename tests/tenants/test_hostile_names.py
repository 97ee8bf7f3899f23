"""Names and passwords that mean something in a URL reach the database as they are, or are refused (R26)."""

import sqlite3
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url, text

from rota.core.host import host_of
from rota.core.model import Tenant
from rota.errors import ConfigurationError, TenantListFailed
from rota.tenants import SQLiteDirectory, TenantTable, listed
from rota.tenants.connection import Server, parsed
from rota.tenants.engines import TenantEngines

HOSTILE = ["o'brien", 'glo"bex', "100%41", "a@b", "x#y;z", "a b", "ü-ñ", "a:b", "[v6]", "a&host=elsewhere", ".."]
NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)


@given(name=NAMES, password=NAMES)
def test_a_database_is_the_one_that_was_named_or_none(name, password):  # R26, R21
    server = Server(f"postgresql://ops:{quote(password, safe='')}@db-3:5432")
    try:
        url = server.url_of(name)
    except ConfigurationError:
        return

    back = parsed(url)
    assert (back.database, back.password, back.host, back.port) == (name, password, "db-3", 5432)
    assert dict(back.query) == {}
    assert host_of(url) == "db-3"


@given(password=NAMES, user=NAMES)
def test_the_host_of_a_url_is_the_one_that_is_connected_to(password, user):  # R22, R26
    url = f"postgresql://{quote(user, safe='')}:{quote(password, safe='')}@DB-3/acme"

    assert host_of(url) == str(make_url(url).host).lower()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_with_a_hostile_name_is_opened_and_no_other(tmp_path, name):  # R26
    path = tmp_path / f"{name}.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE whoami (name TEXT)")
        db.execute("INSERT INTO whoami VALUES (?)", [name])

    [tenant] = listed(SQLiteDirectory(tmp_path))

    with TenantEngines().borrow(tenant) as engine, engine.begin() as connection:
        assert connection.execute(text("SELECT name FROM whoami")).scalar_one() == name
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_in_a_table_are_those_of_the_tenants(tmp_path, name):  # R26
    path = tmp_path / "tenants.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE tenants (id TEXT, base TEXT, tz TEXT, weight REAL)")
        db.execute("INSERT INTO tenants VALUES (?, ?, 'Asia/Tokyo', 2.5)", [name, name])
    source = TenantTable(
        f"sqlite:///{path}", table="tenants", database_column="base", tz_column="tz", weight_column="weight",
        tenant_url="mysql://ops:p%40ss@db-3",
    )  # fmt: skip

    [tenant] = listed(source)

    assert (tenant.id, tenant.tz, tenant.weight) == (name, "Asia/Tokyo", 2.5)
    assert tenant.url is not None and parsed(tenant.url).database == name
    assert (parsed(tenant.url).host, parsed(tenant.url).password) == ("db-3", "p@ss")


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "a\u202eb", " a", ""])
def test_a_name_that_shows_as_another_is_refused(name):  # R26, R65
    with pytest.raises(TenantListFailed):
        listed(Given([Tenant(id=name)]))


@pytest.mark.parametrize(
    ("weight", "read"), [(None, 1.0), ("heavy", 1.0), (-2, 1.0), ("2.5", 2.5), (1e9, 100.0), (1e-9, 0.01)]
)
def test_a_weight_that_is_none_counts_as_one(tmp_path, weight, read):  # R24, R21
    path = tmp_path / "tenants.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE tenants (id TEXT, weight)")
        db.execute("INSERT INTO tenants VALUES ('acme', ?)", [weight])

    [tenant] = listed(TenantTable(f"sqlite:///{path}", table="tenants", weight_column="weight"))

    assert tenant.weight == read


def test_an_attribute_tz_is_the_zone_where_the_source_gives_none():  # R24
    tenants = [
        Tenant(id="acme", attributes={"tz": "Asia/Tokyo"}),
        Tenant(id="globex", tz="Europe/Paris", attributes={"tz": "Asia/Tokyo"}),
    ]

    assert [tenant.tz for tenant in listed(Given(tenants))] == ["Asia/Tokyo", "Europe/Paris"]


class Given:
    allow_empty = False

    def __init__(self, tenants: list[Tenant]) -> None:
        self._tenants = tenants

    def tenants(self) -> list[Tenant]:
        return self._tenants
