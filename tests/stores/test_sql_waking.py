"""Waking workers of other processes on PostgreSQL: who enqueues waits for no answer to that."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import make_url

from rota.clock import SystemClock
from rota.stores.sql.store import SqlStore
from tests.stores.conftest import opened
from tests.system.processes import wait_until
from tests.values import NOON, a_run

SOON = timedelta(seconds=10)
APART_S = 0.003
CLOCK = SystemClock()


@pytest.fixture
def telling(postgres_ready: str) -> Iterator[SqlStore]:
    """The store of a process that enqueues."""
    with closing(opened(postgres_ready)) as store:
        yield store


@pytest.fixture
def waiting(postgres_ready: str, telling: SqlStore) -> Iterator[SqlStore]:
    """The store of a process that waits, which has heard all there was until now."""
    with closing(opened(postgres_ready)) as store:
        while store.wait(timedelta(milliseconds=50)):
            pass
        yield store


def enqueue(store: SqlStore) -> None:
    # Notices that follow one another at once are one notice.
    CLOCK.sleep(timedelta(seconds=APART_S))
    store.enqueue([a_run()], now=NOON)


def test_each_run_of_another_process_wakes(telling, waiting):
    for _ in range(5):
        enqueue(telling)
        assert waiting.wait(SOON)


def test_a_line_that_was_cut_is_replaced(telling, waiting, postgres_ready):
    enqueue(telling)
    assert waiting.wait(SOON)
    plain = make_url(postgres_ready).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as admin:
        cut = admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'NOTIFY%' AND datname = "
            "current_database()"
        ).fetchall()
    assert cut == [(True,)]

    # The next notice may go down the dead line: a hint, for which a worker that polls does not wait.
    enqueue(telling)
    waiting.wait(timedelta(milliseconds=200))
    for _ in range(3):
        enqueue(telling)
        assert waiting.wait(SOON)


def test_a_store_that_only_enqueued_leaves_no_line_open(postgres_ready, telling):
    with closing(opened(postgres_ready)) as store:
        enqueue(store)

    plain = make_url(postgres_ready).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as admin:
        lines = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'NOTIFY%' AND datname = current_database()"
        # Its process at the server ends soon after that.
        wait_until(lambda: admin.execute(lines).fetchone() == (0,), what="the end of the line")
