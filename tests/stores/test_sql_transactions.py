"""Runs that are enqueued within a transaction of the application's own. (R34)"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg
import pymysql
import pytest
from psycopg.rows import dict_row
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from rota import Rota, State
from rota.errors import ConfigurationError, RunNotFound, StoreUnavailable, TransactionFailed
from rota.queries import RunQuery
from rota.stores.memory import MemoryStore
from rota.stores.sql.store import SqlStore
from tests.contract.flaky import Moment, flaky
from tests.values import claim

HOUR = timedelta(hours=1)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """The application's own engine, on the database of the store."""
    backend = make_url(url)
    drivers = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}
    made = create_engine(backend.set(drivername=drivers.get(backend.get_backend_name(), "mysql+pymysql")))
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE customers (id INTEGER PRIMARY KEY, name VARCHAR(50) UNIQUE)"))
    yield made
    made.dispose()


@pytest.fixture
def app(store: SqlStore) -> Rota:
    app = Rota(store)

    @app.job()
    def welcome(number: int = 0) -> None: ...

    return app


@pytest.fixture
def welcome(app: Rota) -> Any:
    return app.jobs["welcome"]


def a_driver_connection(url: str, *, rows_as_dicts: bool = False, autocommit: bool = False) -> Any:
    """Return a connection as an application makes it that does without SQLAlchemy."""
    at = make_url(url)
    if at.get_backend_name() == "sqlite":
        driver = sqlite3.connect(str(at.database), isolation_level=None if autocommit else "")
        if rows_as_dicts:
            driver.row_factory = lambda cursor, row: dict(zip([one[0] for one in cursor.description], row, strict=True))
        return driver
    if at.get_backend_name() == "postgresql":
        options = {"row_factory": dict_row} if rows_as_dicts else {}
        plain = at.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(plain, autocommit=autocommit, **options)
    options = {"cursorclass": pymysql.cursors.DictCursor} if rows_as_dicts else {}
    return pymysql.connect(
        host=at.host, port=at.port or 3306, user=at.username, password=at.password or "", database=at.database,
        autocommit=autocommit, **options,
    )  # fmt: skip


def customers(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM customers")).scalar_one())


def add_customer(connection: Any) -> None:
    connection.execute(text("INSERT INTO customers (id, name) VALUES (1, 'Ann')"))


# --- the store's own database ---


def of_a_connection(engine: Engine, work: Callable[[Any], None]) -> None:
    with engine.begin() as connection:
        work(connection)


def of_a_session(engine: Engine, work: Callable[[Any], None]) -> None:
    with Session(engine) as session, session.begin():
        work(session)


def of_a_scoped_session(engine: Engine, work: Callable[[Any], None]) -> None:
    session = scoped_session(sessionmaker(engine))
    with session.begin():
        work(session)
    session.remove()


of = pytest.mark.parametrize("within", [of_a_connection, of_a_session, of_a_scoped_session])


class Nope(Exception): ...


@of
def test_a_run_is_there_with_the_commit_and_not_before(engine, welcome, store, within):
    handles = []

    def work(connection):
        add_customer(connection)
        handles.append(welcome.using(connection=connection).enqueue(1))
        handles.append(welcome.using(connection=connection, delay=HOUR).enqueue(2))
        assert store.runs(RunQuery()) == []

    within(engine, work)

    assert [handle.state for handle in handles] == [State.QUEUED, State.SCHEDULED]
    assert customers(engine) == 1
    assert [run.id for run in claim(store, now=handles[1].refresh().due_at)] == [handles[0].id]


@of
def test_a_rollback_leaves_nothing(engine, welcome, store, within):
    handles = []

    def work(connection):
        add_customer(connection)
        handles.extend(welcome.using(connection=connection).enqueue_many([(number,) for number in range(50)]))
        raise Nope

    with pytest.raises(Nope):
        within(engine, work)

    assert (store.runs(RunQuery()), customers(engine)) == ([], 0)
    with pytest.raises(RunNotFound):
        handles[0].refresh()


@pytest.mark.parametrize("engine_kind", ["sqlite"], indirect=True)
def test_many_enqueues_of_a_transaction_wake_the_workers_once(engine, welcome, store, monkeypatch):
    woken = []
    monkeypatch.setattr(store, "rouse", lambda: woken.append("woken"))

    with engine.begin() as connection:
        for number in range(3):
            welcome.using(connection=connection).enqueue(number)

    assert woken == ["woken"]


def test_many_runs_are_there_with_the_commit(engine, welcome, store):
    with engine.begin() as connection:
        handles = welcome.using(connection=connection, tenant=None).enqueue_many([(number,) for number in range(500)])

    assert len(store.runs(RunQuery(states=(State.QUEUED,), limit=1000))) == len(handles) == 500


def test_what_expires_is_known_to(engine, welcome, store):
    with engine.begin() as connection:
        handle = welcome.using(connection=connection, expires=HOUR).enqueue()

    assert store.expire(now=handle.refresh().expires_at) == [handle.id]


def test_nothing_enqueued_is_nothing_to_refuse(welcome, url):
    with closing(a_driver_connection(url, autocommit=True)) as driver:
        assert welcome.using(connection=driver).enqueue_many([]) == []


@pytest.mark.parametrize("rows_as_dicts", [False, True])
@pytest.mark.parametrize("commits", [True, False])
def test_a_connection_of_the_driver_will_do(engine, welcome, store, url, rows_as_dicts, commits):
    with closing(a_driver_connection(url, rows_as_dicts=rows_as_dicts)) as driver:
        handles = welcome.using(connection=driver).enqueue_many([(1,), (2,)])
        assert store.runs(RunQuery()) == []
        if commits:
            driver.commit()
        else:
            driver.rollback()

    assert {run.id for run in store.runs(RunQuery())} == ({handle.id for handle in handles} if commits else set())


def test_a_connection_without_a_transaction_is_refused_with_the_way_out(engine, welcome, store, url):  # R64
    with closing(a_driver_connection(url, autocommit=True)) as driver:
        with pytest.raises(ConfigurationError, match="begin one"):
            welcome.using(connection=driver).enqueue()
        assert store.runs(RunQuery()) == []
        driver.cursor().execute("BEGIN")
        handle = welcome.using(connection=driver).enqueue()
        assert store.runs(RunQuery()) == []
        driver.commit()

    assert handle.state is State.QUEUED


def test_a_savepoint_takes_back_what_was_enqueued_since(engine, welcome, store):
    with engine.begin() as connection:
        kept = welcome.using(connection=connection).enqueue()
        savepoint = connection.begin_nested()
        welcome.using(connection=connection).enqueue()
        savepoint.rollback()

    assert [run.id for run in store.runs(RunQuery())] == [kept.id]


def test_workers_are_woken_by_the_commit(engine, welcome, store):
    store.wait(timedelta(0))
    woken = []
    with engine.begin() as connection:
        welcome.using(connection=connection).enqueue()
        waiter = threading.Thread(target=lambda: woken.append(store.wait(timedelta(seconds=20))))
        waiter.start()
    waiter.join(10)

    assert woken == [True]


def test_what_the_database_refuses_fails_the_transaction_as_a_whole(engine, welcome, store, url):
    driver = a_driver_connection(url)
    # What a lost server or a deadlock does, the same on every engine: the next statement fails.
    driver.close()
    with pytest.raises(TransactionFailed, match="repeat the whole"):
        welcome.using(connection=driver).enqueue()
    assert store.runs(RunQuery()) == []


# --- another database: after the commit ---


@pytest.fixture
def elsewhere() -> Iterator[tuple[Rota, Any]]:
    """An application whose runs are in memory, and its job."""
    app = Rota(MemoryStore())

    @app.job()
    def welcome(number: int = 0) -> None: ...

    yield app, welcome
    app.close()


@of
def test_what_is_kept_elsewhere_is_queued_after_the_commit(engine, elsewhere, within):
    app, welcome = elsewhere
    handles = []

    def work(connection):
        add_customer(connection)
        handles.append(welcome.using(connection=connection).enqueue())
        assert app.store.runs(RunQuery()) == []

    within(engine, work)

    assert [run.id for run in app.store.runs(RunQuery())] == [handles[0].id]
    assert handles[0].state is State.QUEUED


@of
def test_what_is_kept_elsewhere_is_not_queued_after_a_rollback(engine, elsewhere, within):
    app, welcome = elsewhere

    def work(connection):
        welcome.using(connection=connection).enqueue()
        raise Nope

    with pytest.raises(Nope):
        within(engine, work)
    within(engine, add_customer)

    assert app.store.runs(RunQuery()) == []


def test_after_a_commit_that_fails_nothing_is_queued(engine, elsewhere, url):
    if not url.startswith("postgresql"):
        pytest.skip("only PostgreSQL can be made to refuse a commit")
    app, welcome = elsewhere
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE customers ADD UNIQUE (name) DEFERRABLE INITIALLY DEFERRED"))
        connection.execute(text("ALTER TABLE customers DROP CONSTRAINT customers_name_key"))

    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("INSERT INTO customers VALUES (1, 'Ann'), (2, 'Ann')"))
        welcome.using(connection=connection).enqueue()

    assert (app.store.runs(RunQuery()), customers(engine)) == ([], 0)


def test_of_a_savepoint_that_is_rolled_back_nothing_is_queued(engine, elsewhere):
    app, welcome = elsewhere
    with engine.begin() as connection:
        first = connection.begin_nested()
        welcome.using(connection=connection).enqueue(1)
        second = connection.begin_nested()
        welcome.using(connection=connection).enqueue(2)
        second.rollback()
        first.commit()
        third = connection.begin_nested()
        kept = welcome.using(connection=connection).enqueue(3)
        third.commit()

    assert len(app.store.runs(RunQuery())) == 2
    assert kept.state is State.QUEUED
    with engine.begin() as connection:
        unknown = connection.begin_nested()
        welcome.using(connection=connection).enqueue(4)
        unknown.rollback()
    assert len(app.store.runs(RunQuery())) == 2


def test_each_transaction_of_a_connection_queues_its_own(engine, elsewhere):
    app, welcome = elsewhere
    with engine.connect() as connection:
        for number in (1, 2):
            welcome.using(connection=connection).enqueue(number)
            connection.commit()
            assert len(app.store.runs(RunQuery())) == number
        welcome.using(connection=connection).enqueue(3)

    assert len(app.store.runs(RunQuery())) == 2


def test_a_store_that_is_away_after_the_commit_is_said_loudly(engine):
    client, line = flaky(MemoryStore())
    app = Rota(client)

    @app.job()
    def welcome() -> None: ...

    line.cut("enqueue", Moment.BEFORE)
    line.cut("enqueue", Moment.BEFORE, call=2)

    with pytest.raises(StoreUnavailable), engine.begin() as connection:
        add_customer(connection)
        welcome.using(connection=connection).enqueue()

    assert customers(engine) == 1


def test_a_connection_of_another_database_is_refused_with_the_way_out(elsewhere, engine, url):  # R64
    _app, welcome = elsewhere

    with (
        closing(a_driver_connection(url)) as driver,
        pytest.raises(ConfigurationError, match="enqueue after its commit"),
    ):
        welcome.using(connection=driver).enqueue()


def test_another_database_of_the_same_server_is_another_one(welcome, store, tmp_path, url, request):
    kind = make_url(url).get_backend_name()
    other = (
        f"sqlite:///{tmp_path / 'other.db'}"
        if kind == "sqlite"
        else request.getfixturevalue("postgres_server" if kind == "postgresql" else "mariadb_server").create_database()
    )
    with (
        closing(a_driver_connection(other)) as driver,
        pytest.raises(ConfigurationError, match="not of the store"),
    ):
        welcome.using(connection=driver).enqueue()


def test_the_same_database_with_another_search_path_is_another_one(engine, welcome, store, url):
    if not url.startswith("postgresql"):
        pytest.skip("a matter of PostgreSQL")
    with closing(a_driver_connection(url)) as driver:
        driver.execute("CREATE SCHEMA apart")
        driver.execute("SET search_path TO apart")
        with pytest.raises(ConfigurationError, match="not of the store"):
            welcome.using(connection=driver).enqueue()


# --- keys ---


def test_a_key_is_looked_at_after_the_commit(engine, welcome, store):  # R32
    once = welcome.using(unique="args")
    first = once.enqueue(1)

    with engine.begin() as connection:
        same, other = once.using(connection=connection).enqueue_many([(1,), (2,)])

    assert (same, other.state) == (first, State.QUEUED)
    assert len(store.runs(RunQuery())) == 2


def test_a_key_in_a_transaction_of_the_driver_is_refused(engine, welcome, store, url):  # R64
    with closing(a_driver_connection(url)) as driver, pytest.raises(ConfigurationError, match="whether a key is free"):
        welcome.using(connection=driver, unique="args").enqueue()


# --- the seam for frameworks ---


def test_what_names_no_connection_waits_for_the_transaction_around_it():
    app = Rota(MemoryStore())
    waiting: list[Callable[[], None]] = []
    app.after_commit(waiting.append)

    @app.job()
    def welcome() -> None: ...

    handle = welcome.enqueue()
    assert app.store.runs(RunQuery()) == []
    for work in waiting:
        work()

    assert [run.id for run in app.store.runs(RunQuery())] == [handle.id]


def test_what_is_no_connection_is_refused(engine, welcome):  # R64
    for wrong in (engine, "sqlite://", 7):
        with pytest.raises(ConfigurationError, match="connection="):
            welcome.using(connection=wrong).enqueue()


def test_a_connection_is_used_again_without_a_trace(engine, welcome, store):
    seen: list[Connection] = []
    with engine.connect() as connection:
        with connection.begin():
            welcome.using(connection=connection).enqueue()
        seen.append(connection)
        with connection.begin():
            add_customer(connection)

    assert (len(store.runs(RunQuery())), customers(engine)) == (1, 1)
