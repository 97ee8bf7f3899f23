"""What becomes of a transaction that failed: repeated, given up, or shown to be our mistake."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from rota.errors import StoreUnavailable
from rota.stores.sql.database import Database
from rota.stores.sql.dialects import TRIES, Fault, KeyTaken, render, repeated
from rota.stores.sql.mysql import MySQL
from rota.stores.sql.postgres import Postgres
from rota.stores.sql.sqlite import SQLite


class Trouble(Exception):
    """A driver's exception."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class Troubled(SQLite):
    """A dialect whose driver raises what it is told to."""

    driver_errors = (Trouble,)

    def fault(self, error: Exception) -> Fault:
        assert isinstance(error, Trouble)
        return error.fault


def outcome(*faults: Fault) -> tuple[str, int]:
    """Return what comes of a transaction that meets these faults, and how many pauses it took."""
    left, pauses = list(faults), list[float]()

    def attempt() -> str:
        if left:
            raise Trouble(left.pop(0))
        return "done"

    return repeated(attempt, dialect=Troubled(), where="sqlite:///x", pause=pauses.append), len(pauses)


def test_a_collision_is_repeated_after_a_pause() -> None:  # C8
    assert outcome(Fault.COLLISION, Fault.COLLISION) == ("done", 2)


def test_collisions_without_end_are_reported() -> None:
    with pytest.raises(StoreUnavailable, match="sqlite:///x"):
        outcome(*[Fault.COLLISION] * TRIES)


def test_a_dead_connection_is_replaced_once() -> None:  # C3
    assert outcome(Fault.GONE) == ("done", 1)


def test_a_store_that_is_away_is_reported() -> None:  # C1
    with pytest.raises(StoreUnavailable, match="nothing was written"):
        outcome(Fault.GONE, Fault.GONE)


def test_a_key_that_was_taken_is_left_to_the_verb() -> None:
    with pytest.raises(KeyTaken):
        outcome(Fault.DUPLICATE)


def test_our_own_mistake_is_not_hidden() -> None:
    with pytest.raises(Trouble):
        outcome(Fault.OURS)


@pytest.mark.parametrize("dialect", [SQLite(), Postgres(prepared=True), MySQL(is_mariadb=True)])
def test_a_template_leaves_nothing_in_braces(dialect: SQLite) -> None:
    template = "SELECT {greatest}(r.a, ?) FROM {rows(id:id, turn:float)} AS s JOIN {runs} AS r ON r.id = s.id{lock}"

    text = render(template, dialect, {"runs": "rota_runs"})

    assert "{" not in text
    assert text.count(dialect.marker) == 2


class Driver:
    """A connection whose commit is sent, and its answer lost."""

    def __init__(self) -> None:
        self.commits = 0

    def cursor(self) -> None:
        return None

    def commit(self) -> None:
        self.commits += 1
        raise Trouble(Fault.GONE)

    def rollback(self) -> None:
        raise Trouble(Fault.GONE)


@pytest.fixture
def troubled(tmp_path: Path) -> Iterator[Database]:
    """A database whose connections are those that a test puts there."""
    url = make_url(f"sqlite:///{tmp_path / 'rota.db'}")
    database = Database(SQLite(), url, prefix="rota_", schema=None, pool_size=1)
    database.dialect = Troubled()
    database.dialect.begin = lambda _: None  # type: ignore[method-assign]
    yield database
    database.close()


def test_a_commit_without_an_answer_is_not_repeated_in_silence(troubled: Database) -> None:
    driver, calls = Driver(), list[int]()
    troubled._connection = lambda _: nullcontext(driver)  # type: ignore[method-assign, assignment]

    with pytest.raises(StoreUnavailable, match="may have been written"):
        troubled.write(lambda _: calls.append(1))

    assert (len(calls), driver.commits) == (1, 1)


def test_a_single_statement_whose_answer_was_lost_is_not_called_unwritten(troubled: Database) -> None:
    """When it is tried again the store is away, which says nothing of the first time."""
    connections = [nullcontext(Driver())]

    def connection(_: object) -> Any:
        if not connections:
            raise Trouble(Fault.GONE)
        return connections.pop()

    def insert(_: object) -> None:
        raise Trouble(Fault.GONE)

    troubled._connection = connection  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable, match="may have been written"):
        troubled.one(insert)


def test_a_single_statement_that_was_never_sent_is_called_unwritten(troubled: Database) -> None:
    def connection(_: object) -> Any:
        raise Trouble(Fault.GONE)

    troubled._connection = connection  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable, match="nothing was written"):
        troubled.one(lambda _: None)
