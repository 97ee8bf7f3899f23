"""Which databases, files and schemas are tenants."""

import re
import secrets

import pytest
import sqlalchemy
from sqlalchemy import NullPool, create_engine, make_url

from rota.errors import ConfigurationError, TenantListFailed
from rota.tenants import MySQLDatabases, PostgresDatabases, PostgresSchemas, SQLiteDirectory, listed
from rota.tenants.databases import MYSQL_SYSTEM, POSTGRES_SYSTEM, SCHEMA_SYSTEM, Names

AWKWARD = ["`x", '"x', ";x", "#x", "@x", "/x", "%x", "%41", ":x", " x", "'x", "\\x", "Ünal"]


@pytest.fixture(params=[MySQLDatabases, PostgresDatabases])
def kind(request):
    return request.param


@pytest.fixture
def server(kind, request):
    return request.getfixturevalue("mariadb_server" if kind is MySQLDatabases else "postgres_server")


@pytest.fixture
def create(server):
    """A function that creates databases; their names start with what it returns. They go with the server."""
    prefix = "t" + secrets.token_hex(4)

    def create(*names: str) -> str:
        for name in names:
            server.create_database(prefix + name)
        return prefix

    return create


def ids(source) -> list[str]:
    return [tenant.id for tenant in listed(source)]


def test_an_underscore_is_no_wildcard_and_the_pattern_covers_the_whole_name(kind, server, create):
    # R20, T23
    prefix = create("agency_1", "agency_2", "agencyX1", "agency_1_backup", "agency`x")

    source = kind(server.url(""), match=rf"{prefix}agency_\d+")

    assert ids(source) == [f"{prefix}agency_1", f"{prefix}agency_2"]


def test_excluded_databases_are_not_visited(kind, server, create):
    # R20
    prefix = create("agency_1", "agency_test")

    assert ids(kind(server.url(""), match=f"{prefix}.*", exclude={f"{prefix}agency_test"})) == [f"{prefix}agency_1"]
    assert ids(kind(server.url(""), match=f"{prefix}.*", exclude=f"{prefix}agency_1")) == [f"{prefix}agency_test"]


def test_databases_of_the_server_itself_are_never_visited(kind, server, create):
    # R20
    prefix = create("x")

    found = ids(kind(server.url(""), match=".*"))

    assert f"{prefix}x" in found
    assert not {"mysql", "sys", "information_schema", "performance_schema"} & set(found)
    assert not {"postgres", "template0", "template1"} & set(found)


@pytest.mark.parametrize("name", AWKWARD)
def test_a_dangerous_name_leads_to_its_own_database(kind, server, create, name):
    # R26, T24
    prefix = create("", name)

    [tenant] = listed(kind(server.url(""), match=re.escape(prefix + name)))

    assert tenant.id == prefix + name
    asked = "SELECT database()" if kind is MySQLDatabases else "SELECT current_database()"
    with create_engine(tenant.url, poolclass=NullPool).connect() as connection:
        assert connection.exec_driver_sql(asked).scalar() == prefix + name


def test_another_account_may_be_used_for_the_tenants(kind, server, create):
    # T26, R26
    prefix = create("x")
    other = make_url(server.url("")).set(username="job", password="p@/:?#%41")

    [tenant] = listed(kind(server.url(""), match=f"{prefix}x", tenant_url=other.render_as_string(hide_password=False)))

    assert make_url(tenant.url) == other.set(database=f"{prefix}x")


def test_a_wrong_password_fails_the_list_without_showing_it(kind, server):
    # R20, T52
    url = make_url(server.url("")).set(password="s3cret-canary").render_as_string(hide_password=False)

    with pytest.raises(TenantListFailed, match=f"{kind.__name__} cannot list the tenants: OperationalError") as failed:
        listed(kind(url))

    assert "s3cret-canary" not in str(failed.value)


def test_a_server_that_is_away_fails_the_list(kind, server, unused_port):
    # R20, G7
    url = make_url(server.url("")).set(port=unused_port).render_as_string(hide_password=False)

    with pytest.raises(TenantListFailed, match="cannot list the tenants"):
        listed(kind(url))


def test_a_pattern_that_nobody_matches_fails_the_list(kind, server):
    # R20
    with pytest.raises(TenantListFailed, match="lists no tenants"):
        listed(kind(server.url(""), match="nobody_is_called_this"))


def test_schemas_of_a_database_are_tenants(postgres_database):
    # R20
    schemas = ["agency_1", "agency_2", "agencyX1", "agency_1_backup", 'agency_"x', "agency_%", "other"]
    with create_engine(postgres_database, poolclass=NullPool).begin() as connection:
        quote = connection.dialect.identifier_preparer.quote_identifier
        for schema in schemas:
            connection.exec_driver_sql(f"CREATE SCHEMA {quote(schema)}")

    assert ids(PostgresSchemas(postgres_database)) == sorted(schemas)
    found = listed(PostgresSchemas(postgres_database, match=r"agency_\d+", exclude=["agency_2"]))
    assert [(tenant.id, tenant.schema, tenant.url) for tenant in found] == [("agency_1", "agency_1", postgres_database)]


def test_files_of_a_directory_are_tenants(tmp_path):
    # R20
    for name in ("agency_1.db", "agency_1.db-wal", "agencyX1.db", "agency_2.db", "notes.txt", "a#b;c%41.db"):
        (tmp_path / name).touch()
    (tmp_path / "folder.db").mkdir()

    assert ids(SQLiteDirectory(tmp_path)) == ["a#b;c%41", "agencyX1", "agency_1", "agency_2"]
    assert ids(SQLiteDirectory(tmp_path, match=r"agency_\d\.db", exclude={"agency_2"})) == ["agency_1"]
    assert ids(SQLiteDirectory(tmp_path, match=r"agency_\d\.db", exclude={"agency_2.db"})) == ["agency_1"]


def test_the_url_of_a_file_is_absolute_and_leads_to_it(tmp_path, monkeypatch):
    # R26
    (tmp_path / "a#b;c%41.db").touch()
    monkeypatch.chdir(tmp_path)
    source = SQLiteDirectory(".")
    monkeypatch.chdir("/")

    [tenant] = listed(source)

    assert make_url(tenant.url).database == str(tmp_path / "a#b;c%41.db")


def test_a_question_mark_leads_to_its_own_file_or_is_refused(tmp_path):
    # R26: the text of a URL cannot hold it in SQLAlchemy 2.0, which would open the file in front of it.
    (tmp_path / "a").touch()
    (tmp_path / "a?mode=memory.db").touch()

    if sqlalchemy.__version__.startswith("2.0."):
        with pytest.raises(TenantListFailed, match="cannot be written in a URL"):
            listed(SQLiteDirectory(tmp_path))
    else:
        [tenant] = listed(SQLiteDirectory(tmp_path))
        assert make_url(tenant.url).database == str(tmp_path / "a?mode=memory.db")


def test_two_files_for_one_id_fail_the_list(tmp_path):
    # R20
    (tmp_path / "acme.db").touch()
    (tmp_path / "acme.sqlite").touch()

    with pytest.raises(TenantListFailed, match="lists tenant 'acme' twice"):
        listed(SQLiteDirectory(tmp_path, match=".*"))


def test_a_directory_that_is_not_there_fails_the_list(tmp_path):
    # R20, G7
    with pytest.raises(TenantListFailed, match="FileNotFoundError"):
        listed(SQLiteDirectory(tmp_path / "gone"))


@pytest.mark.parametrize(
    ("system", "names"),
    [
        (MYSQL_SYSTEM, ["mysql", "MySQL", "sys", "information_schema", "INFORMATION_SCHEMA", "performance_schema"]),
        (POSTGRES_SYSTEM, ["postgres", "template0", "template1", "pg_anything", "rdsadmin"]),
        (SCHEMA_SYSTEM, ["public", "information_schema", "pg_catalog", "pg_toast", "pg_temp_3"]),
    ],
)
def test_no_pattern_reaches_a_system_name(system, names):
    # R20
    assert Names(".*", exclude=(), system=system).chosen([*names, "mysql_shop", "template10", "publications"]) == [
        "mysql_shop",
        "publications",
        "template10",
    ]


def test_a_name_with_a_line_break_is_refused_aloud_not_left_out():
    # R20
    assert Names("agency_.*", exclude=()).chosen(["agency_\nx"]) == ["agency_\nx"]


def test_a_broken_pattern_is_refused_at_once(tmp_path):
    with pytest.raises(ConfigurationError, match="no regular expression"):
        SQLiteDirectory(tmp_path, match="agency_(")


@pytest.mark.parametrize("url", ["no url", "s3cret", "postgresql://ops:s3cret@[::1", "oracel://ops:s3cret@db/x"])
def test_a_url_that_cannot_be_read_is_refused_at_once_and_not_quoted(url):
    # T52
    with pytest.raises(ConfigurationError) as refused:
        MySQLDatabases(url)

    assert "s3cret" not in str(refused.value)
