"""Runs that a coroutine enqueues within the transaction of its AsyncSession. (R34)"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from rota import Rota
from rota.errors import ConfigurationError, StoreUnavailable, TransactionFailed
from rota.queries import RunQuery
from rota.stores.memory import MemoryStore
from rota.stores.sql.store import SqlStore
from tests.contract.flaky import Moment, flaky

DRIVERS = {
    "sqlite+aiosqlite": "sqlite",
    "postgresql+psycopg": "postgres",
    "postgresql+asyncpg": "postgres",
    "mysql+aiomysql": "mariadb",
}


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine_kind(driver: str) -> str:
    return DRIVERS[driver]


@pytest.fixture
def run(url: str, driver: str) -> Callable[[Callable[[AsyncEngine], Coroutine[Any, Any, Any]]], Any]:
    """Run a coroutine function in an event loop, with an engine on the database of the store."""

    async def with_engine(work: Callable[[AsyncEngine], Awaitable[Any]]) -> Any:
        engine = create_async_engine(make_url(url).set(drivername=driver, query={}))
        try:
            return await work(engine)
        finally:
            await engine.dispose()

    return lambda work: asyncio.run(with_engine(work))


@pytest.fixture
def app(store: SqlStore) -> Rota:
    app = Rota(store)

    @app.job()
    def welcome(number: int = 0) -> None: ...

    return app


@pytest.fixture
def welcome(app: Rota) -> Any:
    return app.jobs["welcome"]


class OwnSession(AsyncSession):
    """A session of the application's own, as many make one."""


def ids(store: Any) -> set[str]:
    return {run.id for run in store.runs(RunQuery(limit=1000))}


# --- in the store's own database ---


def test_a_run_is_there_with_the_commit_and_not_before(run, welcome, store):
    async def enqueue(engine):
        async with OwnSession(engine) as session, session.begin():
            one = await welcome.using(connection=session).aenqueue(1)
            late = await welcome.using(connection=session, delay=timedelta(hours=1), expires="2h").aenqueue(2)
            seen = (await session.execute(text("SELECT count(*) FROM rota_runs"))).scalar_one()
            assert (seen, ids(store)) == (2, set())
        return {one.id, late.id}

    assert run(enqueue) == ids(store)


def test_a_rollback_leaves_nothing_and_one_to_a_savepoint_what_was_before(run, welcome, store):
    async def enqueue(engine):
        async with engine.connect() as connection:
            await welcome.using(connection=connection).aenqueue(1)
            await connection.rollback()
            kept = await welcome.using(connection=connection).aenqueue(2)
            savepoint = await connection.begin_nested()
            await welcome.using(connection=connection).aenqueue(3)
            await savepoint.rollback()
            await connection.commit()
        return {kept.id}

    assert run(enqueue) == ids(store)


# Elsewhere a statement that fails leaves the transaction as it was.
@pytest.mark.parametrize("driver", ["postgresql+psycopg", "postgresql+asyncpg"], indirect=True)
def test_a_transaction_that_has_failed_is_told_as_such(run, welcome, store):
    async def enqueue(engine):
        async with engine.connect() as connection:
            with pytest.raises(Exception, match="nowhere"):
                await connection.execute(text("SELECT * FROM nowhere"))
            with pytest.raises(TransactionFailed):
                await welcome.using(connection=connection).aenqueue(1)

    run(enqueue)

    assert ids(store) == set()


def test_where_each_statement_commits_by_itself_it_is_refused(run, welcome):
    async def enqueue(engine):
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            with pytest.raises(ConfigurationError, match="no transaction is open on it"):
                await welcome.using(connection=connection).aenqueue(1)

    run(enqueue)


# --- elsewhere: after the commit ---


one_driver = pytest.mark.parametrize("driver", ["sqlite+aiosqlite"], indirect=True)


@one_driver
def test_in_another_database_it_waits_for_the_commit_and_keeps_no_loop(run):
    elsewhere = MemoryStore()
    client, line = flaky(elsewhere)
    other = Rota(client).job(name="other")(lambda: None)

    async def enqueue(engine):
        async with AsyncSession(engine) as session:
            await other.using(connection=session).aenqueue()
            await session.rollback()
            kept = await other.using(connection=session).aenqueue()
            hold = line.delay("enqueue", Moment.BEFORE)
            commit = asyncio.create_task(session.commit())
            await asyncio.to_thread(hold.wait_for_it)
            assert ids(elsewhere) == set()
            hold.let_go()
            await commit
        return {kept.id}

    assert run(enqueue) == ids(elsewhere)


@one_driver
def test_a_store_that_is_away_after_the_commit_is_told_by_it(run):
    client, line = flaky(MemoryStore())
    other = Rota(client).job(name="other")(lambda: None)

    async def enqueue(engine):
        async with AsyncSession(engine) as session:
            await other.using(connection=session).aenqueue()
            line.cut("enqueue", Moment.BEFORE)
            line.cut("enqueue", Moment.BEFORE, call=2)
            with pytest.raises(StoreUnavailable):
                await session.commit()

    run(enqueue)


@one_driver
def test_who_is_cancelled_leaves_no_thread_in_the_transaction(run, app, welcome, store):
    begun, goes_on = threading.Event(), threading.Event()

    def slow():
        begun.set()
        goes_on.wait(10)

    app.carry("slow", get=slow)

    async def enqueue(engine):
        async with AsyncSession(engine) as session:
            task = asyncio.create_task(welcome.using(connection=session).aenqueue(1))
            await asyncio.to_thread(begun.wait, 10)
            # As anyio does it, which cancels until one is gone.
            for _ in range(3):
                task.cancel()
                done, _ = await asyncio.wait([task], timeout=0.02)
                assert not done
            goes_on.set()
            with pytest.raises(asyncio.CancelledError):
                await task
            await session.rollback()

    run(enqueue)

    assert ids(store) == set()


@one_driver
def test_an_engine_is_no_transaction_and_a_coroutine_is_shown_the_way(run, welcome):
    async def enqueue(engine):
        with pytest.raises(ConfigurationError, match=r"AsyncEngine has no transaction to join: async with"):
            await welcome.using(connection=engine).aenqueue(1)
        async with AsyncSession(engine) as session:
            with pytest.raises(ConfigurationError, match=r"await job\.using\(connection=\.\.\.\)\.aenqueue"):
                welcome.using(connection=session).enqueue(1)

    run(enqueue)
