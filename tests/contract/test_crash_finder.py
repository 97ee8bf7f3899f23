"""Whether crash points find what they are for."""

from typing import cast

import pytest

from rota.ports import Store
from rota.stores.memory import MemoryStore
from tests.contract.mill import Mill
from tests.crash import Died, Mortal, Side, crash_points
from tests.values import NOON, a_run


class Careless(Mill):
    """A worker whose successor does not look for what its predecessor left behind."""

    def restart(self, store: Store) -> None:
        store.enqueue(self.runs, now=NOON)


class Forgetful(Mill):
    """A worker that executes what it has settled already."""

    def _execute(self, run):
        self.journal += [run.id, run.id]
        return super()._execute(run)


def test_a_successor_that_does_not_rescue_is_found():
    with pytest.raises(AssertionError) as caught:
        crash_points(lambda: Careless(MemoryStore()))

    assert any("the process died" in note for note in caught.value.__notes__)


def test_a_scenario_that_is_wrong_without_any_death_is_found():
    with pytest.raises(AssertionError):
        crash_points(lambda: Forgetful(MemoryStore()))


def test_every_call_is_a_point_on_both_sides():
    points = crash_points(lambda: Mill(MemoryStore()))

    assert [str(point) for point in points[:2]] == ["before call 1 (enqueue)", "after call 1 (enqueue)"]
    assert {point.call for point in points} == set(range(1, len(points) // 2 + 1))


def test_what_died_before_a_call_did_not_make_it():
    store = MemoryStore()
    mortal = cast(Store, Mortal(store, side=Side.BEFORE, call=1))

    with pytest.raises(Died):
        mortal.enqueue([a_run()], now=NOON)

    assert store.counts().by_queue == {}


def test_what_died_after_a_call_has_made_it_and_makes_no_other():
    store = MemoryStore()
    mortal = cast(Store, Mortal(store, side=Side.AFTER, call=1))

    for _ in range(2):
        with pytest.raises(Died):
            mortal.enqueue([a_run()], now=NOON)

    assert sum(store.counts().by_queue["default"].values()) == 1
