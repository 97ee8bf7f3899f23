"""Runs that are enqueued within a transaction of a driver that the store does not use itself. (R34)"""

from importlib.util import find_spec

import pytest
from sqlalchemy import create_engine, make_url, text

from rota import Rota
from rota.errors import ConfigurationError, TransactionFailed
from rota.queries import RunQuery
from tests.conftest import SKIP_REASON

DRIVERS = {"postgresql+psycopg2": ("postgres", "psycopg2"), "mysql+mysqldb": ("mariadb", "MySQLdb")}


@pytest.fixture(params=DRIVERS)
def driver(request):
    if find_spec(DRIVERS[request.param][1]) is None:
        pytest.skip(f"{SKIP_REASON}: {DRIVERS[request.param][1]} is not installed")
    return request.param


@pytest.fixture
def engine_kind(driver):
    return DRIVERS[driver][0]


@pytest.fixture
def engine(url, driver):
    """The application's own engine, on the database of the store."""
    made = create_engine(make_url(url).set(drivername=driver, query={}))
    yield made
    made.dispose()


@pytest.fixture
def welcome(store):
    return Rota(store).job(name="welcome")(lambda number=0: None)


def ids(store):
    return {run.id for run in store.runs(RunQuery(limit=1000))}


def test_a_run_is_there_with_the_commit_and_not_before(engine, welcome, store):
    with engine.begin() as connection:
        one = welcome.using(connection=connection, expires="2h").enqueue(1)
        many = welcome.using(connection=connection).enqueue_many([(number,) for number in range(30)])
        seen = connection.execute(text("SELECT count(*) FROM rota_runs")).scalar_one()
        assert (seen, ids(store)) == (31, set())

    assert ids(store) == {one.id, *(handle.id for handle in many)}


def test_a_driver_s_own_connection_is_joined_and_a_rollback_leaves_nothing(engine, welcome, store):
    pooled = engine.raw_connection()
    welcome.using(connection=pooled.driver_connection).enqueue(1)
    pooled.rollback()
    kept = welcome.using(connection=pooled.driver_connection).enqueue(2)
    pooled.commit()
    pooled.close()

    assert ids(store) == {kept.id}


def test_where_each_statement_commits_by_itself_it_is_refused(engine, welcome):
    with (
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        pytest.raises(ConfigurationError, match="no transaction is open on it"),
    ):
        welcome.using(connection=connection).enqueue(1)


# Elsewhere a statement that fails leaves the transaction as it was.
@pytest.mark.parametrize("driver", ["postgresql+psycopg2"], indirect=True)
def test_a_transaction_that_has_failed_is_told_as_such(engine, welcome):
    with engine.connect() as connection:
        with pytest.raises(Exception, match="nowhere"):
            connection.execute(text("SELECT * FROM nowhere"))
        with pytest.raises(TransactionFailed):
            welcome.using(connection=connection).enqueue(1)
