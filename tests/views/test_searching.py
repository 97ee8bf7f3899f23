"""A search that no index answers ends when it took too long, and says where it goes on (T40)."""

from datetime import timedelta

import pytest

from rota import Rota
from rota.core.search import parse
from rota.operations.searching import cut_warnings
from rota.queries import RunQuery
from rota.stores.memory import MemoryStore
from rota.views.search import FIRST_LOOK, PAGE, hits_of
from tests.clocks import FakeClock
from tests.values import NOON, SECOND, a_run

STORED = 3_000


class Slow(MemoryStore):
    """Takes a second for each read of runs."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock
        self.reads = []

    def runs(self, query):
        self.clock.advance(SECOND)
        self.reads.append(query.limit)
        return super().runs(query)


@pytest.fixture
def app():
    clock = FakeClock()
    store = Slow(clock)
    store.enqueue(
        [a_run(id=f"{number:032x}", owner="w1" if number == 0 else None) for number in range(STORED)], now=NOON
    )
    return Rota(store, clock=clock)


def searched(text):
    return parse(text, instant=lambda written: NOON)


def test_what_is_found_at_once_is_found_in_a_small_read(app):
    hits = hits_of(app, searched("attempt:<9"), base=RunQuery(limit=20))

    assert len(hits.runs) == 20
    assert app.store.reads == [FIRST_LOOK]


def test_reads_grow_while_nothing_is_found(app):
    hits_of(app, searched("attempt:>9"), base=RunQuery(limit=20))

    assert app.store.reads == [FIRST_LOOK, 2 * FIRST_LOOK, 4 * FIRST_LOOK, PAGE]


def test_a_page_that_took_too_long_says_where_it_goes_on(app):
    cut = hits_of(app, searched("attempt:>9"), base=RunQuery(limit=20), patience=2 * SECOND)

    assert cut.runs == []
    assert cut.cut_after == 3 * FIRST_LOOK
    assert cut.next_page == f"{STORED - 3 * FIRST_LOOK:032x}"


@pytest.mark.parametrize(("is_first", "which"), [(True, "newest"), (False, "next")])
def test_a_page_that_was_cut_says_which_runs_it_looked_at(app, is_first, which):
    cut = hits_of(app, searched("attempt:>9"), base=RunQuery(limit=20), patience=2 * SECOND)

    [warning] = cut_warnings(cut, is_first=is_first)

    assert warning.startswith(f"looked at the {which} 750 runs only")


def test_pages_that_are_cut_find_what_one_page_finds(app):
    found, cursor, asked = [], None, 0
    while asked == 0 or cursor is not None:
        query = RunQuery(limit=20, before_id=cursor)
        hits = hits_of(app, searched("worker:w1"), base=query, patience=timedelta(microseconds=1))
        found, cursor, asked = [*found, *hits.runs], hits.next_page, asked + 1

    assert [run.id for run in found] == [f"{0:032x}"]
    assert asked > 1
