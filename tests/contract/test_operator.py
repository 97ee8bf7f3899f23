"""What a person does to runs: cancel them, open them again."""

import pytest
from msgspec.structs import replace

from rota.core.model import Outcome, RoundState, State
from rota.core.policy import Overlap
from rota.queries import InLine, RoundQuery
from tests.values import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    a_round,
    a_run,
    add_rounds,
    claim,
    ended,
    failed,
    found,
    given_up,
    ids,
    new_id,
    outcomes,
    settle_all,
    states,
    succeeded,
)


def one_failed(store, **fields):
    store.enqueue([a_run(**{"max_attempts": 1} | fields)], now=NOON)
    [run] = claim(store)
    settle_all(store, given_up(run))
    return found(store, run.id)


def test_waiting_runs_are_cancelled_at_once(store):
    queued, scheduled = a_run(), a_run(due_at=NOON + HOUR)
    store.enqueue([queued, scheduled], now=NOON)

    assert store.cancel([queued.id, scheduled.id], now=NOON + MINUTE, reason="ann: no") == [queued.id, scheduled.id]

    for run_id in (queued.id, scheduled.id):
        run = found(store, run_id)
        assert (run.state, run.reason, run.ended_at) == (State.CANCELLED, "ann: no", NOON + MINUTE)
        assert outcomes(store, run_id) == []
    assert claim(store) == []
    assert store.promote(now=NOON + HOUR) == 0


def test_a_run_between_attempts_is_cancelled_with_its_attempts_kept(store):
    store.enqueue([a_run(max_attempts=3)], now=NOON)
    [run] = claim(store)
    settle_all(store, failed(run))

    store.cancel([run.id], now=NOON, reason="ann")

    assert states(store, run.id) == [State.CANCELLED]
    assert len(outcomes(store, run.id)) == 1


def test_a_running_run_is_asked_to_stop(store):
    store.enqueue([a_run()], now=NOON)
    [claimed] = claim(store)

    assert store.cancel([claimed.id], now=NOON, reason="ann") == [claimed.id]

    run = found(store, claimed.id)
    assert run.state is State.RUNNING
    assert run.cancel_requested
    assert run.reason == "ann"
    assert run.token == claimed.token


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.SNOOZED])
def test_one_that_was_asked_to_stop_does_not_wait_for_another_attempt(store, outcome):  # R32
    store.enqueue([a_run()], now=NOON)
    [claimed] = claim(store)
    store.cancel([claimed.id], now=NOON, reason="ann")

    settle_all(store, ended(claimed, outcome, wait=DAY, now=NOON + MINUTE))

    assert found(store, claimed.id).due_at == NOON + MINUTE
    assert store.promote(now=NOON + MINUTE) == 1
    [again] = claim(store, now=NOON + MINUTE)
    assert (again.cancel_requested, again.reason) == (True, "ann")


def test_ended_and_unknown_runs_are_not_cancelled(store):
    run = one_failed(store)

    assert store.cancel([run.id, new_id()], now=NOON, reason="ann") == []
    assert found(store, run.id) == run


def test_cancelling_a_waiting_run_again_does_nothing(store):
    run = a_run()
    store.enqueue([run], now=NOON)
    store.cancel([run.id], now=NOON, reason="first")

    assert store.cancel([run.id], now=NOON + MINUTE, reason="second") == []
    assert found(store, run.id).reason == "first"


def test_cancelled_ids_come_in_the_order_given_each_once(store):
    runs = [a_run() for _ in range(5)]
    store.enqueue(runs, now=NOON)
    claim(store, limit=2)
    named = [run.id for run in (runs[4], runs[0], runs[2], runs[0])]

    assert store.cancel(named, now=NOON, reason="ann") == [runs[4].id, runs[0].id, runs[2].id]


def test_many_runs_are_cancelled_at_once(store):
    runs = [a_run() for _ in range(1_500)]
    store.enqueue(runs, now=NOON)

    assert len(store.cancel(ids(runs), now=NOON, reason="ann")) == 1_500


def test_an_ended_run_is_opened_again_with_all_its_attempts(store):  # R24
    run = one_failed(store, tenant="acme")

    assert store.requeue([run.id], now=NOON + HOUR, reason="ann: fixed") == [run.id]

    again = found(store, run.id)
    assert again.state is State.QUEUED
    assert (again.attempt, again.lost_count, again.token) == (0, 0, run.token)
    assert again.reason == "ann: fixed"
    assert again.due_at == NOON + HOUR
    assert (again.owner, again.ended_at, again.outcome, again.error) == (None, None, None, None)


def test_a_run_that_is_opened_again_stands_in_the_line_that_is_given(store):  # R13, R10
    first, second = one_failed(store, concurrency_key="live"), one_failed(store, concurrency_key="live")
    other = one_failed(store, concurrency_key="live")
    lines = {first.id: InLine(key="made up", due_at=NOON + HOUR), second.id: InLine(key="made up", due_at=NOON)}

    opened = store.requeue([first.id, second.id, other.id], now=NOON + DAY, reason="backfill", lines=lines)

    assert opened == [first.id, second.id, other.id]
    # By their places in the new line, while the old one is another's.
    assert {run.id for run in claim(store, now=NOON + DAY)} == {second.id, other.id}
    waits = found(store, first.id)
    assert (waits.waits_for, waits.due_at) == ("made up", NOON + HOUR)


def test_the_attempt_that_ended_it_stays_in_its_history(store):
    run = one_failed(store)
    before = outcomes(store, run.id)

    store.requeue([run.id], now=NOON, reason="ann")

    assert outcomes(store, run.id) == before
    [claimed] = claim(store)
    settle_all(store, succeeded(claimed))
    assert len(outcomes(store, run.id)) == 2


def test_a_result_does_not_outlive_its_success(store):
    store.enqueue([a_run()], now=NOON)
    [run] = claim(store)
    settle_all(store, succeeded(run, result="5"))

    store.requeue([run.id], now=NOON, reason="ann")

    assert found(store, run.id).result is None


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.CANCELLED, State.SKIPPED])
def test_every_ended_state_can_be_opened_again(store, state):
    run = a_run(state=state, reason="old", ended_at=NOON)
    store.enqueue([run], now=NOON)

    assert store.requeue([run.id], now=NOON, reason="ann") == [run.id]
    assert ids(claim(store)) == [run.id]


def test_a_run_that_was_asked_to_stop_is_not_asked_again_after_it_was_opened(store):
    store.enqueue([a_run()], now=NOON)
    [run] = claim(store)
    store.cancel([run.id], now=NOON, reason="ann")
    settle_all(store, given_up(run))

    store.requeue([run.id], now=NOON, reason="ann")

    [claimed] = claim(store)
    assert not claimed.cancel_requested


def test_open_and_unknown_runs_are_not_opened(store):
    queued, running = a_run(), a_run(priority=1)
    store.enqueue([queued, running], now=NOON)
    claim(store, limit=1)

    assert store.requeue([queued.id, running.id, new_id()], now=NOON, reason="ann") == []
    assert states(store, queued.id, running.id) == [State.QUEUED, State.RUNNING]


def test_opening_again_twice_does_nothing_the_second_time(store):
    run = one_failed(store)
    store.requeue([run.id], now=NOON, reason="ann")

    assert store.requeue([run.id], now=NOON, reason="ann") == []
    assert len(outcomes(store, run.id)) == 1


def test_a_run_that_is_named_twice_is_opened_once(store):
    first, second = one_failed(store), one_failed(store)

    assert store.requeue([second.id, first.id, second.id], now=NOON, reason="ann") == [second.id, first.id]
    assert len(outcomes(store, second.id)) == 1


def test_poison_that_is_opened_again_is_no_poison_any_more(store):  # R30
    run = one_failed(store, lost_count=2)

    store.requeue([run.id], now=NOON, reason="ann")

    assert found(store, run.id).lost_count == 0


def test_a_run_of_a_slot_is_due_at_its_slot_again(store):
    run = one_failed(store, slot=NOON - HOUR, schedule="nightly")

    store.requeue([run.id], now=NOON + HOUR, reason="ann")

    assert found(store, run.id).due_at == NOON - HOUR


def test_opened_slots_of_one_key_go_in_the_order_of_slots(store):  # R8
    slots = [NOON - hours * HOUR for hours in (1, 3, 2)]
    runs = [
        a_run(concurrency_key="k", slot=slot, schedule="nightly", state=State.FAILED, ended_at=NOON) for slot in slots
    ]
    store.enqueue(runs, now=NOON)

    store.requeue(ids(runs), now=NOON, reason="ann")

    order = []
    while claimed := claim(store):
        order += ids(claimed)
        settle_all(store, *[succeeded(run) for run in claimed])
    assert order == [runs[1].id, runs[2].id, runs[0].id]


def test_opened_runs_of_one_key_wait_in_line(store):  # R10
    runs = [a_run(concurrency_key="k", max_attempts=1, overlap=Overlap.SKIP) for _ in range(3)]
    for run in runs:
        store.enqueue([run], now=NOON)
        [claimed] = claim(store)
        settle_all(store, given_up(claimed))
    holder = a_run(concurrency_key="k")
    store.enqueue([holder], now=NOON)

    assert store.requeue(ids(runs), now=NOON, reason="ann") == ids(runs)

    order = []
    while claimed := claim(store):
        order += ids(claimed)
        settle_all(store, *[succeeded(run) for run in claimed])
    assert order == [holder.id, *ids(runs)]


def test_the_round_opens_again(store):  # R23
    round_ = a_round(expanded=True)
    add_rounds(store, round_)
    run = one_failed(store, round_id=round_.id)
    store.end_round(replace(round_, state=RoundState.FAILED, counts={"failed": 1}, ended_at=NOON))

    store.requeue([run.id], now=NOON, reason="ann")

    [opened] = store.rounds(RoundQuery())
    assert (opened.state, opened.counts, opened.ended_at) == (RoundState.RUNNING, {}, None)
    assert store.finished_rounds() == []
    [claimed] = claim(store)
    settle_all(store, succeeded(claimed))
    assert ids(store.finished_rounds()) == [round_.id]


# --- with a gate to pass ---


def test_an_opened_run_is_held_by_the_gate_that_is_named(store):  # R13
    run = one_failed(store, held_by=None, batch="round/1")

    assert store.requeue([run.id], now=NOON, reason="ann", held_by="campaign/7", batch="campaign/7") == [run.id]

    again = found(store, run.id)
    assert (again.state, again.held_by, again.batch) == (State.SCHEDULED, "campaign/7", "campaign/7")
    assert ids(store.held("campaign/7")) == [run.id]
    assert claim(store) == []
    assert store.admit("campaign/7", now=NOON, places=1) == [run.id]
    assert ids(claim(store)) == [run.id]


def test_an_opened_run_has_no_gate_and_no_batch_from_before(store):
    run = a_run(state=State.FAILED, ended_at=NOON, held_by="campaign/6", batch="campaign/6")
    store.enqueue([run], now=NOON)

    store.requeue([run.id], now=NOON, reason="ann")

    again = found(store, run.id)
    assert (again.state, again.held_by, again.batch) == (State.QUEUED, None, None)


def test_opened_runs_of_one_key_come_to_the_gate_one_at_a_time_by_slot(store):  # R8, R13
    slots = [NOON - hours * HOUR for hours in (1, 3, 2)]
    runs = [
        a_run(concurrency_key="k", slot=slot, schedule="nightly", state=State.FAILED, ended_at=NOON) for slot in slots
    ]
    store.enqueue(runs, now=NOON)

    store.requeue(ids(runs), now=NOON, reason="ann", held_by="campaign/7", batch="campaign/7")

    order = []
    while admitted := store.admit("campaign/7", now=NOON):
        assert store.gates() == []
        order += admitted
        settle_all(store, *[succeeded(run) for run in claim(store)])
    assert order == [runs[1].id, runs[2].id, runs[0].id]


def test_an_opened_run_of_the_future_comes_to_its_gate_in_time(store):
    run = a_run(slot=NOON + HOUR, schedule="nightly", state=State.SKIPPED, ended_at=NOON)
    store.enqueue([run], now=NOON)

    store.requeue([run.id], now=NOON, reason="ann", held_by="depends")

    assert store.gates() == []
    assert store.promote(now=NOON + HOUR) == 1
    assert ids(store.held("depends")) == [run.id]
