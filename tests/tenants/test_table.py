"""Tenants that are rows of a table."""

import pytest
from sqlalchemy import NullPool, create_engine, make_url

from rota.core.model import Tenant
from rota.errors import ConfigurationError, TenantListFailed
from rota.tenants import TenantTable, listed


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request, tmp_path):
    """A control database with a table of customers, whose name and one column need quotes."""
    if request.param == "sqlite":
        (tmp_path / "control.db").touch()
        url = f"sqlite:///{tmp_path}/control.db"
    else:
        url = request.getfixturevalue(f"{request.param}_database")
    engine = create_engine(url, poolclass=NullPool)
    quote = engine.dialect.identifier_preparer.quote_identifier
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE {quote('Customers')} "
            f"(id INTEGER, slug VARCHAR(50), place VARCHAR(200), {quote('order')} VARCHAR(20), tags VARCHAR(50))"
        )
        for row in ("2, 'globex', NULL, NULL, NULL", "1, 'acme', 'agency`x', 'gold', 'eu, early'"):
            connection.exec_driver_sql(f"INSERT INTO {quote('Customers')} VALUES ({row})")
    return url


def test_each_row_is_a_tenant(url):
    # R20
    table = TenantTable(
        url, table="Customers", id_column="slug", url_column="place", tags_column="tags", attribute_columns=["order"]
    )

    assert listed(table) == [
        Tenant(id="acme", url="agency`x", tags=("eu", "early"), attributes={"order": "gold"}),
        Tenant(id="globex", attributes={}),
    ]


def test_a_column_may_name_the_database_on_the_same_server_or_another(url):
    # R20, R26
    acme, globex = listed(TenantTable(url, table="Customers", database_column="place"))
    [other, _] = listed(
        TenantTable(url, table="Customers", database_column="place", tenant_url="mysql+pymysql://job:p%40@db2")
    )

    assert (acme.id, make_url(acme.url)) == ("1", make_url(url).set(database="agency`x"))
    assert make_url(other.url) == make_url("mysql+pymysql://job:p%40@db2").set(database="agency`x")
    # R22: no name, no database; never the control database.
    assert globex.url is None


def test_a_column_may_name_a_schema(url):
    # R20
    acme, globex = listed(TenantTable(url, table="Customers", schema_column="place"))

    assert (acme.schema, make_url(acme.url)) == ("agency`x", make_url(url))
    # R22
    assert (globex.schema, globex.url) == (None, None)


def test_a_query_may_choose_and_order_the_tenants(url):
    # R20
    query = "SELECT slug AS id FROM {} ORDER BY id DESC".format('"Customers"' if "mysql" not in url else "Customers")

    assert [tenant.id for tenant in listed(TenantTable(url, query=query))] == ["globex", "acme"]


def test_an_empty_table_fails_the_list_unless_it_is_allowed(url):
    # R20, G7
    query = "SELECT 'x' AS id WHERE 1 = 0"

    with pytest.raises(TenantListFailed, match="TenantTable lists no tenants"):
        listed(TenantTable(url, query=query))
    assert listed(TenantTable(url, query=query, allow_empty=True)) == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT 'x' AS name", "the query answers no column 'id'"),
        ("SELECT NULL AS id", "an id is not empty"),
        ("SELECT 'x' AS id UNION ALL SELECT 'x'", "lists tenant 'x' twice"),
        ("SELECT id FROM gone", "TenantTable cannot list the tenants"),
    ],
)
def test_an_answer_that_is_no_list_of_tenants_fails_the_list(url, query, said):
    # R20
    with pytest.raises(TenantListFailed, match=said):
        listed(TenantTable(url, query=query))


def test_a_control_database_that_is_not_there_fails_the_list_and_is_not_created(tmp_path):
    # R20, G7
    with pytest.raises(TenantListFailed, match="unable to open database file"):
        listed(TenantTable(f"sqlite:///{tmp_path}/gone.db", table="customers"))

    assert not (tmp_path / "gone.db").exists()


@pytest.mark.parametrize(
    "options",
    [{}, {"table": "t", "query": "q"}, {"table": "t", "url_column": "a", "schema_column": "b"}],
)
def test_contradicting_options_are_refused_at_once(options):
    with pytest.raises(ConfigurationError, match="TenantTable takes"):
        TenantTable("sqlite://", **options)
