"""Runs of a batch share a number of places, whoever admits them. (R13, R35)"""

import pytest

from rota.core.model import State
from rota.queries import RunQuery
from tests.values import HOUR, NOON, a_run, claim, failed, given_up, ids, settle_all, succeeded

BATCH = "campaign/7"


def batched(**fields):
    return a_run(**{"held_by": BATCH, "batch": BATCH, "max_attempts": 3} | fields)


def test_no_more_are_admitted_than_there_are_places(store):  # R13, R35
    runs = [batched() for _ in range(5)]
    store.enqueue(runs, now=NOON)

    assert store.admit(BATCH, now=NOON, places=2) == ids(runs[:2])
    assert store.admit(BATCH, now=NOON, places=2) == []
    assert store.admit(BATCH, now=NOON, places=4, limit=1) == [runs[2].id]
    assert store.admit(BATCH, now=NOON, places=0) == []


@pytest.mark.parametrize("standing", ["queued", "running", "waiting for a retry", "held by a gate behind it"])
def test_whatever_is_out_has_a_place(store, standing):  # R13, R35
    first, second = batched(tenant="acme"), batched()
    store.enqueue([first, second], now=NOON)
    store.admit(BATCH, now=NOON, places=1, to="depends" if standing == "held by a gate behind it" else None)
    if standing in ("running", "waiting for a retry"):
        [claimed] = claim(store)
    if standing == "waiting for a retry":
        settle_all(store, failed(claimed))

    assert store.admit(BATCH, now=NOON, places=1) == []


@pytest.mark.parametrize("ending", [succeeded, given_up, "cancel"])
def test_what_has_ended_gives_its_place_to_the_next(store, ending):  # R13
    first, second = batched(), batched()
    store.enqueue([first, second], now=NOON)
    store.admit(BATCH, now=NOON, places=1)

    if ending == "cancel":
        store.cancel([first.id], now=NOON, reason="ann")
    else:
        [claimed] = claim(store)
        settle_all(store, ending(claimed))

    assert store.admit(BATCH, now=NOON, places=1) == [second.id]


def test_what_has_not_come_to_the_gate_of_its_batch_takes_no_place(store):  # R13, R24
    future = batched(due_at=NOON + HOUR)
    line = [batched(concurrency_key="k"), batched(concurrency_key="k")]
    behind_a_canary = batched(held_by="canary/1")
    of_another = a_run(batch="campaign/8")
    store.enqueue([future, *line, behind_a_canary, of_another, a_run()], now=NOON)

    assert store.admit(BATCH, now=NOON, places=1) == [line[0].id]


@pytest.mark.parametrize("gate", ["tenant/acme", "job/report"])
def test_a_paused_tenant_or_job_keeps_no_place_from_the_others(store, gate):  # R21, R35
    first, second = batched(tenant="acme"), batched(job="mail")
    store.enqueue([first, second], now=NOON)
    store.admit(BATCH, now=NOON, places=1)
    store.hold(gate, job="report", now=NOON)

    assert store.admit(BATCH, now=NOON, places=1) == [second.id]

    # It comes to the gate of its batch again, and waits for a place there.
    assert store.admit(gate, now=NOON, to=BATCH) == [first.id]
    assert store.admit(BATCH, now=NOON, places=1) == []


def test_a_run_whose_dependency_has_failed_keeps_no_place_of_its_round(store):  # R11, R21
    first, second = (batched(held_by="round/1", batch="round/1") for _ in range(2))
    store.enqueue([first, second], now=NOON)
    store.admit("round/1", now=NOON, places=1, to="depends")

    assert store.admit("round/1", now=NOON, places=1) == [second.id]


def test_a_run_that_is_done_with_its_canary_comes_to_its_batch_and_takes_a_place_there(store):  # R24
    runs = [batched(held_by="canary/1") for _ in range(3)]
    store.enqueue(runs, now=NOON)

    assert len(store.admit("canary/1", now=NOON, to=BATCH)) == 3

    assert store.admit(BATCH, now=NOON, places=2) == ids(runs[:2])


def test_the_runs_of_a_batch_are_counted_where_they_stand(store):  # R13
    runs = [batched(max_attempts=1) for _ in range(6)]
    later = batched(due_at=NOON + HOUR)
    store.enqueue([*runs, later, a_run(batch="campaign/8"), a_run()], now=NOON)
    store.admit(BATCH, now=NOON, limit=4)
    good, bad, _running = [run for run in claim(store, limit=5) if run.batch == BATCH][:3]
    settle_all(store, succeeded(good), given_up(bad))
    store.cancel([runs[5].id], now=NOON, reason="ann")

    counts = store.batch_counts(BATCH)

    assert counts.pop(State.RUNNING) + counts.pop(State.QUEUED, 0) == 2
    assert counts == {State.SUCCEEDED: 1, State.FAILED: 1, State.CANCELLED: 1, State.SCHEDULED: 2}
    assert store.batch_counts("campaign/9") == {}


def test_the_runs_of_a_batch_are_found(store):
    runs = [batched(), batched(due_at=NOON + HOUR)]
    store.enqueue([*runs, a_run(), a_run(batch="campaign/8")], now=NOON)

    assert ids(store.runs(RunQuery(batch=BATCH))) == [runs[1].id, runs[0].id]
    assert ids(store.runs(RunQuery(batch=BATCH, before_id=runs[1].id))) == [runs[0].id]
