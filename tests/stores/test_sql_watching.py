"""Waking workers of other processes on MariaDB, which looks for new runs by itself and answers when there are some."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pymysql
import pytest
from sqlalchemy import make_url

from rota.stores.sql import watching
from rota.stores.sql.store import SqlStore
from tests.stores.conftest import opened
from tests.system.processes import wait_until
from tests.values import NOON, a_run

SOON = timedelta(seconds=10)
MOMENT = timedelta(milliseconds=200)
LOOKING = (
    "SELECT id FROM information_schema.processlist "
    "WHERE id <> connection_id() AND db = database() AND info LIKE '%SLEEP%'"
)
Ask = Callable[[str], list[tuple[int, ...]]]


@pytest.fixture
def telling(mariadb_ready: str) -> Iterator[SqlStore]:
    """The store of a process that enqueues."""
    with closing(opened(mariadb_ready)) as store:
        yield store


@pytest.fixture
def waiting(mariadb_ready: str, telling: SqlStore) -> Iterator[SqlStore]:
    """The store of a process that waits, which has heard all there was until now."""
    with closing(opened(mariadb_ready)) as store:
        while store.wait(MOMENT):
            pass
        yield store


@pytest.fixture
def ask(mariadb_ready: str) -> Iterator[Ask]:
    """What asks the server as somebody else would."""
    url = make_url(mariadb_ready)
    assert url.host is not None and url.port is not None
    line = pymysql.connect(
        host=url.host, port=url.port, user=url.username, password=url.password or "", database=url.database
    )
    with closing(line), line.cursor() as cursor:

        def answer(statement: str) -> list[tuple[int, ...]]:
            cursor.execute(statement)
            return list(cursor.fetchall())

        yield answer


def enqueue(store: SqlStore) -> None:
    store.enqueue([a_run()], now=NOON)


def looking(waiting: SqlStore, ask: Ask) -> list[tuple[int, ...]]:
    """Return the lines on which the server looks; not each moment shows them."""
    for _ in range(50):
        waiting.wait(MOMENT)
        if found := ask(LOOKING):
            return found
    return []


def test_each_run_of_another_process_wakes(telling, waiting):
    for _ in range(5):
        enqueue(telling)
        assert waiting.wait(SOON)


def test_what_came_while_nobody_waited_is_heard_of(telling, waiting, ask):
    enqueue(telling)
    # The server has answered for a second by now, and what came since is in no answer yet.
    ask("SELECT sleep(1.2)")
    assert waiting.wait(SOON)
    enqueue(telling)
    assert waiting.wait(SOON)


def test_the_server_looks_while_nobody_asks(waiting, ask):
    assert len(looking(waiting, ask)) == 1


def test_looking_holds_no_snapshot_and_no_lock(waiting, ask):
    [(line,)] = looking(waiting, ask)
    # In the midst of a look there is one.
    snapshot = f"SELECT 1 FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = {line}"
    wait_until(lambda: not ask(snapshot), what="a moment without a snapshot")
    ask("SET lock_wait_timeout = 1")
    ask("ALTER TABLE rota_runs COMMENT 'changed meanwhile'")


def test_a_line_that_was_cut_is_replaced(telling, waiting, ask):
    [(line,)] = looking(waiting, ask)
    ask(f"KILL {line}")
    # It may be seen for a moment longer.
    wait_until(lambda: looking(waiting, ask) not in ([], [(line,)]), what="another line")
    enqueue(telling)
    assert waiting.wait(SOON)


def test_where_the_server_refuses_to_look_it_is_asked(telling, mariadb_ready, ask, monkeypatch):
    monkeypatch.setattr(watching, "WATCH", "BEGIN NOT THERE")
    with closing(opened(mariadb_ready)) as store:
        while store.wait(MOMENT):
            pass
        for _ in range(3):
            enqueue(telling)
            assert store.wait(SOON)
