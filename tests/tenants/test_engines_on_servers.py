"""Engines on PostgreSQL and MariaDB: passwords, time limits, schemas."""

import gc
import socket
import threading
import time
import weakref
from datetime import timedelta

import pytest
from sqlalchemy import NullPool, column, create_engine, inspect, make_url, table, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from rota.core.model import Tenant
from rota.errors import Refused, TenantUnavailable
from rota.tenants import PostgresSchemas, listed
from rota.tenants.engines import TenantEngines
from tests.tenants.children import in_child

SECOND = timedelta(seconds=1)
SLEEPS = {"postgres": "SELECT pg_sleep(1.5)", "mariadb": "SELECT sleep(1.5)"}
BACKENDS = {"postgres": "SELECT pg_backend_pid()", "mariadb": "SELECT connection_id()"}


@pytest.fixture(params=["postgres", "mariadb"])
def kind(request):
    return request.param


@pytest.fixture
def url(kind, request):
    return request.getfixturevalue(f"{kind}_database")


def changed(url: str, **parts) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)


def test_a_wrong_password_names_the_tenant_and_shows_no_password(engines, url):
    # R21, G8, T52
    tenant = Tenant(id="acme", url=changed(url, password="s3cret-canary"))

    with engines.borrow(tenant) as engine, pytest.raises(TenantUnavailable, match="tenant 'acme': ") as failed:
        engine.connect()

    shown, error = "", failed.value
    while error is not None:
        shown, error = shown + str(error) + repr(error), error.__cause__ or error.__context__
    assert "s3cret-canary" not in shown
    assert "***" in str(failed.value)


@pytest.mark.parametrize("part", ["port", "database"])
def test_a_database_that_is_not_there_names_the_tenant(engines, url, unused_port, part):
    # R21, G1
    tenant = Tenant(id="acme", url=changed(url, **{part: {"port": unused_port, "database": "gone"}[part]}))

    with engines.borrow(tenant) as engine, pytest.raises(TenantUnavailable, match="tenant 'acme': cannot open"):
        engine.connect()


def test_a_server_that_accepts_and_says_nothing_is_given_up(url):
    # R21, G2
    engines = TenantEngines(connect_within=SECOND)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tenant = Tenant(id="acme", url=changed(url, port=silent.getsockname()[1]))

        with engines.borrow(tenant) as engine, pytest.raises(TenantUnavailable, match="tenant 'acme': cannot open"):
            engine.connect()


def test_a_statement_may_take_longer_than_connecting(kind, url):
    # The limit for connecting must not stay on the connection.
    engines = TenantEngines(connect_within=SECOND)

    with engines.borrow(Tenant(id="acme", url=url)) as engine, engine.connect() as connection:
        connection.execute(text(SLEEPS[kind]))


@pytest.mark.parametrize("asked", ["", "?ssl_verify_cert=true", "?ssl_disabled=true"])
def test_tls_is_used_where_mariadb_offers_it_unless_the_url_says_otherwise(engines, mariadb_database, asked):
    # Preparing it once for all connections must not lose it. This server offers none, so whoever insists is refused.
    tenant = Tenant(id="acme", url=mariadb_database + asked)

    with engines.borrow(tenant) as engine:
        if "verify" in asked:
            with pytest.raises(TenantUnavailable, match="SSL"):
                engine.connect()
        else:
            with engine.connect() as connection:
                assert connection.connection.dbapi_connection.ssl is (not asked)


def test_a_statement_on_mariadb_is_given_up_after_its_limit(mariadb_database):
    # R21, G2
    engines = TenantEngines(connect_within=SECOND, read_within=SECOND)

    with engines.borrow(Tenant(id="acme", url=mariadb_database)) as engine:
        with engine.connect() as connection, pytest.raises(DBAPIError, match="timed out"):
            connection.execute(text("SELECT sleep(20)"))
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar_one() == 1


def test_a_connection_that_died_is_replaced_before_it_is_used(kind, url, request, engines):
    # R22: pinged before use.
    server = request.getfixturevalue(f"{kind}_server")
    with engines.borrow(Tenant(id="acme", url=url)) as engine:
        with engine.connect() as connection:
            pid = connection.execute(text(BACKENDS[kind])).scalar_one()

        server.execute(f"SELECT pg_terminate_backend({pid})" if kind == "postgres" else f"KILL {pid}")

        with engine.connect() as connection:
            assert connection.execute(text(BACKENDS[kind])).scalar_one() != pid


def test_nothing_a_run_did_to_its_session_reaches_the_next_run(kind, url, engines):
    # R21, T21
    tenant = Tenant(id="acme", url=url)
    set_, get = {
        "postgres": ("SET SESSION statement_timeout = 4321", "SHOW statement_timeout"),
        "mariadb": ("SET SESSION lock_wait_timeout = 4321", "SELECT @@lock_wait_timeout"),
    }[kind]
    with engines.borrow(tenant) as engine, engine.begin() as connection:
        connection.execute(text(set_))
        connection.execute(text("CREATE TEMPORARY TABLE leak (x INT)"))

    with engines.borrow(tenant) as engine:
        with engine.begin() as connection:
            assert "4321" not in str(connection.execute(text(get)).scalar_one())
        with engine.begin() as connection, pytest.raises(ProgrammingError):
            connection.execute(text("SELECT * FROM leak"))


@pytest.fixture
def schemas(postgres_database):
    """The tenants of a database whose schemas, and `public`, each hold their own name."""
    names = ["acme", 'glo"bex', "in%tech", "public"]
    with create_engine(postgres_database, poolclass=NullPool).begin() as connection:
        quote = connection.dialect.identifier_preparer.quote_identifier
        for name in names:
            connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {quote(name)}")
            connection.exec_driver_sql(f"CREATE TABLE {quote(name)}.whoami (name TEXT)")
            connection.execute(table("whoami", column("name"), schema=name).insert().values(name=name))
        connection.exec_driver_sql("CREATE TABLE public.shared (x INT)")
    return listed(PostgresSchemas(postgres_database))


def test_every_transaction_sees_the_tenants_schema_alone(engines, schemas):
    # R21, R26, T24
    for tenant in [*schemas, *schemas]:
        with engines.borrow(tenant) as engine:
            for _ in range(2):
                with engine.begin() as connection:
                    assert connection.execute(text("SELECT name FROM whoami")).scalar_one() == tenant.id
            assert inspect(engine).get_table_names() == ["whoami"]
            # `public` is not behind it: a table that is missing here is missing.
            with engine.begin() as connection, pytest.raises(ProgrammingError, match="shared"):
                connection.execute(text("SELECT * FROM shared"))


def test_the_search_path_ends_with_the_transaction(engines, schemas):
    # R21, T21: nothing is left on a connection that a pooler may give to somebody else.
    with engines.borrow(schemas[0]) as engine, engine.connect() as connection:
        connection.execute(text("SELECT name FROM whoami"))
        connection.commit()

        raw = connection.connection.dbapi_connection
        assert raw.execute("SHOW search_path").fetchone() == ('"$user", public',)


def test_a_job_that_sets_the_search_path_spoils_no_later_transaction(engines, schemas):
    # R21, T21
    acme, other, *_ = schemas
    with engines.borrow(acme) as engine:
        with engine.begin() as connection:
            connection.execute(text("SET search_path TO public"))

        with engine.begin() as connection:
            assert connection.execute(text("SELECT name FROM whoami")).scalar_one() == "acme"
    with engines.borrow(other) as engine, engine.begin() as connection:
        assert connection.execute(text("SELECT name FROM whoami")).scalar_one() == other.id


def test_autocommit_in_a_schema_is_refused_as_nothing_would_keep_the_search_path(engines, schemas):
    # R22
    with engines.borrow(schemas[0]) as engine, engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")

        with pytest.raises(Refused, match="autocommit"):
            connection.execute(text("SELECT name FROM whoami"))


def test_a_schema_that_is_gone_is_an_sql_error_not_the_shared_one(engines, schemas, postgres_database):
    # R21, G5
    gone = Tenant(id="gone", url=postgres_database, schema="gone")

    with engines.borrow(gone) as engine, engine.begin() as connection, pytest.raises(ProgrammingError, match="whoami"):
        connection.execute(text("SELECT name FROM whoami"))


def test_threads_of_one_run_share_its_engine(engines, url):
    # R22
    seen, meet = [], threading.Barrier(4, timeout=30)

    def work(engine) -> None:
        with engine.begin() as connection:
            meet.wait()
            seen.append(connection.execute(text("SELECT 1")).scalar_one())

    with engines.borrow(Tenant(id="acme", url=url)) as engine:
        threads = [threading.Thread(target=work, args=[engine]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    assert seen == [1, 1, 1, 1]


def test_a_tenant_that_rests_holds_no_connection(engines, kind, url, request):
    # R22, G9
    server, tenant = request.getfixturevalue(f"{kind}_server"), Tenant(id="acme", url=url)
    count = {
        "postgres": "SELECT count(*) FROM pg_stat_activity WHERE datname = :name",
        "mariadb": "SELECT count(*) FROM information_schema.processlist WHERE db = :name",
    }[kind]
    admin = create_engine(server.admin_url, poolclass=NullPool)

    def connections() -> int:
        with admin.connect() as connection:
            return connection.execute(text(count), {"name": make_url(url).database}).scalar_one()

    with engines.borrow(tenant) as engine:
        with engine.connect():
            pass
        assert connections() == 1

    until = time.monotonic() + 20
    while connections() and time.monotonic() < until:
        pass
    assert connections() == 0


def test_a_forked_child_leaves_the_parents_connections_alone(engines, kind, url):
    # R22: neither used nor closed by the child, not even when it ends.
    tenant = Tenant(id="acme", url=url)
    with engines.borrow(tenant) as parents, parents.connect() as connection:
        mine = connection.execute(text(BACKENDS[kind])).scalar_one()

        def child() -> bool:
            with engines.borrow(tenant) as own, own.connect() as other:
                theirs = other.execute(text(BACKENDS[kind])).scalar_one()
            gc.collect()
            return theirs != mine

        assert in_child(child)
        assert connection.execute(text(BACKENDS[kind])).scalar_one() == mine


def test_a_forked_child_may_go_on_with_its_engine_but_on_a_connection_of_its_own(engines, kind, url):
    # R22
    with engines.borrow(Tenant(id="acme", url=url)) as engine:
        with engine.connect() as connection:
            parents = connection.execute(text(BACKENDS[kind])).scalar_one()
            inherited = weakref.ref(connection.connection.dbapi_connection)

        def child() -> bool:
            gc.collect()
            with engine.connect() as connection:
                theirs = connection.execute(text(BACKENDS[kind])).scalar_one()
            # The parent's is not collected, so that no driver closes it over the parent's socket.
            return theirs != parents and inherited() is not None

        assert in_child(child)
        with engine.connect() as connection:
            assert connection.execute(text(BACKENDS[kind])).scalar_one() == parents


def test_a_schema_needs_postgresql(engines, mariadb_database):
    # R21
    tenant = Tenant(id="acme", url=mariadb_database, schema="acme")

    with pytest.raises(TenantUnavailable, match="needs a PostgreSQL database"), engines.borrow(tenant):
        pass
