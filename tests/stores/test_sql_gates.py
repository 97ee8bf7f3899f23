"""Places of a batch are never overdrawn, whoever admits at the same time."""

import pytest

from rota.core.model import State
from rota.errors import StoreUnavailable
from rota.queries import RunQuery
from rota.stores.sql.store import SqlStore
from tests.contract.races import together
from tests.stores.conftest import opened
from tests.values import MINUTE, NOON, a_run, claim, failed, given_up, settle_all

BATCH = "campaign/1"


def test_many_who_admit_at_once_never_overdraw_the_places(store: SqlStore, url: str) -> None:  # R8, R13
    others = [opened(url) for _ in range(3)]
    try:
        for _ in range(8):
            runs = [a_run(held_by=BATCH, batch=BATCH) for _ in range(12)]
            store.enqueue(runs, now=NOON)

            admitted = together(*[lambda one=one: one.admit(BATCH, now=NOON, places=3) for one in (store, *others)])

            ids = [run_id for each in admitted for run_id in each]
            assert len(ids) == len(set(ids)) == 3
            assert store.batch_counts(BATCH)[State.QUEUED] == 3
            store.cancel([run.id for run in store.runs(RunQuery(batch=BATCH, limit=100))], now=NOON, reason="done")
    finally:
        for one in others:
            one.close()


def test_a_place_is_free_again_only_when_its_run_has_ended(store: SqlStore) -> None:  # R13
    store.enqueue([a_run(held_by=BATCH, batch=BATCH) for _ in range(6)], now=NOON)
    assert len(store.admit(BATCH, now=NOON, places=2)) == 2
    first, second = claim(store)

    settle_all(store, failed(first), given_up(second))

    assert len(store.admit(BATCH, now=NOON, places=2)) == 1, "the other one waits for its retry"
    assert store.promote(now=NOON + 2 * MINUTE) == 1
    assert store.admit(BATCH, now=NOON, places=2) == []


def test_what_waits_at_a_gate_of_its_own_keeps_its_place(store: SqlStore) -> None:  # R11, R13
    store.enqueue([a_run(held_by=BATCH, batch=BATCH) for _ in range(4)], now=NOON)

    # A campaign asks for dependencies after its own gate; what is paused passes before it.
    assert len(store.admit(BATCH, now=NOON, places=1, to="depends")) == 1
    assert store.admit(BATCH, now=NOON, places=1) == []
    assert len(store.admit(BATCH, now=NOON, limit=1, to="tenant/acme")) == 1
    assert store.admit(BATCH, now=NOON, places=1) == []
    assert len(store.admit(BATCH, now=NOON, places=2)) == 1


def test_an_admission_that_fails_leaves_everything_held(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.enqueue([a_run(held_by=BATCH, batch=BATCH) for _ in range(4)], now=NOON)

    def lost(*_: object) -> None:
        raise StoreUnavailable("the connection was lost")

    with monkeypatch.context() as then, pytest.raises(StoreUnavailable):
        then.setattr(store._database, "_commit", lost)
        store.admit(BATCH, now=NOON, places=2)

    assert len(store.held(BATCH)) == 4
