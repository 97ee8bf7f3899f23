"""What is asked of a long history reads little of it."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from rota.clock import id_after
from rota.core.model import State
from rota.queries import RunQuery
from rota.stores.sql import expiry, history, pruning
from rota.stores.sql.store import SqlStore
from tests.stores.conftest import opened
from tests.stores.test_sql_plans import SORTS, plan
from tests.values import HOUR, NOON, a_run, claim, ids, settle_all, succeeded


@pytest.fixture
def long(url: str) -> Iterator[SqlStore]:
    """A store with a history, before which and behind which runs are open, whose statistics are known."""
    with closing(opened(url)) as store:
        store.enqueue([a_run(tenant=f"t{number}") for number in range(20)], now=NOON)
        ended = {"state": State.SUCCEEDED, "ended_at": NOON}
        store.enqueue([a_run(tenant=f"t{number % 9}", **ended) for number in range(4000)], now=NOON)
        store.enqueue([a_run(due_at=NOON + HOUR) for _ in range(20)], now=NOON)
        analyze = {"sqlite": "ANALYZE", "postgres": "ANALYZE", "mysql": "ANALYZE TABLE {runs}"}
        store._database.write(lambda link: link.run(analyze[link.dialect.name]))
        yield store


def test_what_is_open_is_counted_without_its_history(long: SqlStore) -> None:
    found = plan(long, history.OPEN)

    assert "Seq Scan" not in found and "SCAN r\n" not in found, found
    assert "'ALL'" not in found, found


def test_what_may_be_forgotten_is_read_in_the_order_of_the_table(long: SqlStore) -> None:  # R72
    found = plan(long, pruning.OLD, "~", 2**60, 2**60, 2**60, 5)

    assert not any(word in found for word in SORTS), found


@pytest.mark.parametrize("template", [pruning.DROP_RUNS, pruning.DROP_ATTEMPTS, pruning.DROP_LOGS, expiry.FORGET])
def test_what_is_forgotten_is_looked_up_one_by_one(mariadb_ready: str, template: str) -> None:  # R72
    # A list from a subquery was read for each row of the table: of 100,000 runs none went within the time of a lock.
    with closing(opened(mariadb_ready)) as store:
        store.enqueue([a_run() for _ in range(300)], now=NOON)

        found = plan(store, template, '[["a"], ["b"]]')

    assert "eq_ref" in found or "'ref'" in found, found


def test_old_runs_go_by_the_hundred_from_a_long_history(long: SqlStore) -> None:  # R72
    cutoffs = dict.fromkeys(("succeeded_before", "failed_before", "slots_before"), NOON + HOUR)

    dropped = [long.prune(**cutoffs, logs_before=NOON, limit=1500).runs for _ in range(4)]

    assert dropped == [1500, 1500, 1000, 0]
    assert len(ids(long.runs(RunQuery(kind=None, limit=100)))) == 40


def test_a_run_grows_into_the_room_that_it_brought(mariadb_ready: str) -> None:
    # Else InnoDB writes a page anew for every few runs that are claimed.
    with closing(opened(mariadb_ready)) as store:
        store.enqueue([a_run() for _ in range(3)], now=NOON)
        ended, _running = claim(store, limit=2)
        settle_all(store, succeeded(ended))

        rooms = store._database.read(lambda link: link.all("SELECT length(room) FROM {runs} ORDER BY id"))

    assert rooms == [(0,), (20,), (72,)]


def test_what_came_after_the_end_of_a_search_is_left_out_by_its_id() -> None:  # T40
    text, parameters = history.listing(RunQuery(until=NOON, limit=5))

    assert "r.id < ?" in text
    assert id_after(NOON + history.APART) in parameters


def test_what_came_before_the_beginning_of_a_search_is_left_out_by_its_id() -> None:  # T40
    text, parameters = history.listing(RunQuery(since=NOON, limit=5))

    assert "r.id >= ?" in text
    assert id_after(NOON - history.APART) in parameters
