"""Each tenant's database holds its own name; however runs alternate, nobody ever reads another one's."""

import random
import secrets
import threading

import pytest
from sqlalchemy import NullPool, create_engine, text

from rota.tenants import MySQLDatabases, PostgresSchemas, listed
from rota.tenants.engines import TenantEngines

THREADS = 6


@pytest.fixture
def files(sqlite_tenant):
    return [sqlite_tenant(f"agency_{number}") for number in range(5)], 200


@pytest.fixture
def schemas(postgres_database):
    with create_engine(postgres_database, poolclass=NullPool).begin() as connection:
        for number in range(5):
            schema = f"agency_{number}"
            connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
            connection.exec_driver_sql(f"CREATE TABLE {schema}.whoami AS SELECT '{schema}' AS name")
    return listed(PostgresSchemas(postgres_database)), 100


@pytest.fixture
def databases(mariadb_server):
    prefix = "t" + secrets.token_hex(4)
    for number in range(5):
        url = mariadb_server.create_database(f"{prefix}_{number}")
        with create_engine(url, poolclass=NullPool).begin() as connection:
            connection.exec_driver_sql(f"CREATE TABLE whoami AS SELECT '{prefix}_{number}' AS name")
    return listed(MySQLDatabases(mariadb_server.url(""), match=rf"{prefix}_\d")), 100


@pytest.mark.parametrize("kind", ["files", "schemas", "databases"])
def test_no_run_ever_reads_a_foreign_name(kind, request):
    # R21, R22, T20, G11: fewer engines than tenants in use, runs that fail, runs that leave their session changed.
    tenants, borrows = request.getfixturevalue(kind)
    engines = TenantEngines(max_open=2)
    foreign: list[tuple[str, str]] = []
    done: list[int] = []

    def work(seed: int) -> None:
        choice = random.Random(seed)
        for count in range(borrows):
            tenant = choice.choice(tenants)
            try:
                with engines.borrow(tenant) as engine, engine.begin() as connection:
                    found = connection.execute(text("SELECT name FROM whoami")).scalar_one()
                    if found != tenant.id:
                        foreign.append((tenant.id, found))
                    spoil(kind, connection, choice)
                    if count % 7 == 0:
                        raise Failed
            except Failed:
                pass
        done.append(seed)

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(110)

    assert foreign == []
    assert sorted(done) == list(range(THREADS))
    assert engines.open_count == 0


class Failed(Exception):
    """A job's own failure."""


def spoil(kind: str, connection, choice: random.Random) -> None:
    """Leave the session in a state that shows if it reaches somebody else."""
    match kind:
        case "schemas":
            connection.execute(text(f"SET search_path TO agency_{choice.randrange(5)}"))
        case "databases":
            [*others] = connection.execute(text("SHOW DATABASES LIKE 't%\\_%'")).scalars()
            connection.execute(text(f"USE {choice.choice(others)}"))
        case "files":
            connection.execute(text("CREATE TEMPORARY TABLE whoami AS SELECT 'spoiled' AS name"))
