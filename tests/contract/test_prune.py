"""History is forgotten in small steps, and never what is still needed. (R72)"""

import pytest

from rota.core.model import RoundState, State
from rota.queries import RoundQuery, RunQuery
from tests.values import (
    DAY,
    HOUR,
    NOON,
    a_control,
    a_progress,
    a_round,
    a_run,
    a_skipped_round,
    a_slot_run,
    add_rounds,
    claim,
    failed,
    ids,
    outcomes,
    settle_all,
    succeeded,
)

LONG_AGO = NOON - 200 * DAY


def prune(store, *, limit=1_000, **cutoffs):
    before = {"succeeded_before": NOON - 30 * DAY, "failed_before": NOON - 90 * DAY, "slots_before": NOON - 90 * DAY}
    return store.prune(**before | {"logs_before": LONG_AGO} | cutoffs, limit=limit).runs


def remaining(store):
    return sorted(ids(store.runs(RunQuery(kind=None, limit=10_000))))


def ended(state, days, **fields):
    return a_run(state=state, ended_at=NOON - days * DAY, **fields)


@pytest.mark.parametrize(
    ("state", "days"),
    [(State.SUCCEEDED, 30), (State.SKIPPED, 30), (State.FAILED, 90), (State.CANCELLED, 90)],
)
def test_ended_runs_go_when_they_are_old_enough(store, state, days):
    kept = [ended(state, days - 1), ended(state, days)]
    gone = [ended(state, days + 1), ended(state, days + 300)]
    store.enqueue(kept + gone, now=NOON)

    assert prune(store) == 2
    assert remaining(store) == sorted(ids(kept))


def test_what_is_open_stays_however_old(store):
    runs = [
        a_run(due_at=LONG_AGO, created_at=LONG_AGO, priority=1),
        a_run(due_at=LONG_AGO, created_at=LONG_AGO, max_attempts=3),
        a_run(due_at=NOON + DAY, created_at=LONG_AGO),
        a_run(due_at=LONG_AGO, created_at=LONG_AGO, concurrency_key="k"),
        a_run(due_at=LONG_AGO, created_at=LONG_AGO, concurrency_key="k"),
        a_run(due_at=LONG_AGO, created_at=LONG_AGO, held_by="tenant/acme"),
        a_run(due_at=LONG_AGO, created_at=LONG_AGO, held_by="campaign/7", batch="campaign/7", concurrency_key="l"),
    ]
    store.enqueue(runs, now=LONG_AGO)
    _running, retried = claim(store, limit=2, now=LONG_AGO)
    settle_all(store, failed(retried, now=LONG_AGO), now=LONG_AGO)

    assert prune(store) == 0
    assert remaining(store) == sorted(ids(runs))


def test_attempts_go_with_their_run(store):
    store.enqueue([a_run(max_attempts=2, due_at=LONG_AGO)], now=LONG_AGO)
    [first] = claim(store, now=LONG_AGO)
    settle_all(store, failed(first, now=LONG_AGO), now=LONG_AGO)
    store.promote(now=LONG_AGO + DAY)
    [second] = claim(store, now=LONG_AGO + DAY)
    settle_all(store, succeeded(second, now=LONG_AGO + DAY), now=LONG_AGO + DAY)

    assert prune(store) == 1
    assert store.run(first.id) is None
    store.enqueue([a_run(id=first.id)], now=NOON)
    assert outcomes(store, first.id) == []


def test_a_run_whose_slot_may_come_again_stays(store):
    runs = [
        a_slot_run(slot=NOON - 89 * DAY, state=State.SUCCEEDED, ended_at=LONG_AGO),
        a_slot_run(slot=NOON - 90 * DAY, state=State.SUCCEEDED, ended_at=LONG_AGO),
        a_slot_run(slot=NOON - 91 * DAY, state=State.SUCCEEDED, ended_at=LONG_AGO),
        a_slot_run(slot=NOON, state=State.SUCCEEDED, ended_at=NOON),
    ]
    store.enqueue(runs, now=NOON)

    assert prune(store) == 1
    assert remaining(store) == sorted(ids([runs[0], runs[1], runs[3]]))
    assert store.enqueue([a_slot_run(slot=runs[0].slot)], now=NOON) == []


def test_the_last_run_of_a_schedule_and_tenant_stays(store):
    def old(number, tenant, schedule="nightly"):
        slot = LONG_AGO + number * DAY
        return a_slot_run(slot=slot, tenant=tenant, schedule=schedule, state=State.SUCCEEDED, ended_at=slot)

    runs = [old(number, tenant) for number in range(3) for tenant in ("acme", "globex", None)]
    runs.append(old(1, "acme", "weekly"))
    store.enqueue(runs, now=NOON)

    assert prune(store) == 6
    assert remaining(store) == sorted(ids(runs[6:]))
    assert prune(store) == 0


def test_runs_without_a_schedule_all_go(store):
    store.enqueue([ended(State.SUCCEEDED, 200, tenant="acme") for _ in range(3)], now=NOON)

    assert prune(store) == 3
    assert remaining(store) == []


def test_pruning_goes_in_steps(store):
    store.enqueue([ended(State.SUCCEEDED, 200) for _ in range(25)], now=NOON)

    assert [prune(store, limit=10) for _ in range(4)] == [10, 10, 5, 0]


def test_progress_stays_for_ever(store):
    progress = a_progress(last_success=LONG_AGO, last_state=State.SUCCEEDED, last_ended_at=LONG_AGO)
    store.mark(progress, expected=None)

    prune(store)

    assert store.progress() == [progress]


def test_ended_rounds_without_runs_go(store):
    old = a_skipped_round(slot=LONG_AGO, ended_at=LONG_AGO)
    failed_old = a_round(slot=LONG_AGO + HOUR, state=RoundState.FAILED, ended_at=LONG_AGO)
    new = a_skipped_round(slot=NOON, ended_at=NOON)
    running = a_round(slot=LONG_AGO + DAY)
    add_rounds(store, old, failed_old, new, running)

    prune(store)

    assert ids(store.rounds(RoundQuery())) == [running.id, new.id]


def test_a_round_stays_with_its_runs_and_goes_with_the_last(store):
    round_ = a_round(schedule=None, slot=None, state=RoundState.PARTIAL, ended_at=LONG_AGO)
    add_rounds(store, round_)
    good, bad = ended(State.SUCCEEDED, 40, round_id=round_.id), ended(State.FAILED, 40, round_id=round_.id)
    store.enqueue([good, bad], now=NOON)

    assert prune(store) == 1
    assert ids(store.rounds(RoundQuery())) == [round_.id]

    prune(store, failed_before=NOON)
    prune(store, failed_before=NOON)
    assert store.rounds(RoundQuery()) == []


def test_a_round_whose_runs_are_held_stays(store):
    round_ = a_round(slot=LONG_AGO, created_at=LONG_AGO, expanded=True)
    add_rounds(store, round_)
    held = a_run(due_at=LONG_AGO, created_at=LONG_AGO, held_by="tenant/acme", round_id=round_.id)
    store.enqueue([held], now=LONG_AGO)

    assert prune(store) == 0
    assert ids(store.rounds(RoundQuery())) == [round_.id]
    assert ids(store.held("tenant/acme")) == [held.id]


def test_controls_stay_for_ever(store):
    control = a_control(changed_at=LONG_AGO)
    store.put_control(control, expected_version=None)

    prune(store, audit_before=NOON)

    assert store.controls() == [control]
