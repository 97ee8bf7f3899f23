"""An attempt ends: what it makes of its run is written once, and only by whoever still holds the run."""

import pytest
from msgspec.structs import replace

from rota.core.fingerprint import fingerprint
from rota.core.lifecycle import rescue
from rota.core.model import ErrorReport, Outcome, RunKind, State
from rota.queries import RoundQuery
from tests.values import (
    HOUR,
    LEASE,
    MINUTE,
    NOON,
    SECOND,
    a_request,
    a_round,
    a_run,
    a_slot_run,
    add_rounds,
    claim,
    ended,
    failed,
    found,
    given_up,
    history,
    ids,
    lost,
    open_counts,
    outcomes,
    settle_all,
    states,
    succeeded,
    the_progress,
)


def one_claimed(store, **fields):
    store.enqueue([a_run(**{"max_attempts": 3} | fields)], now=NOON)
    [claimed] = claim(store)
    return claimed


@pytest.mark.parametrize(
    ("outcome", "attempts", "state", "attempt"),
    [
        (Outcome.SUCCEEDED, 1, State.SUCCEEDED, 1),
        (Outcome.CANCELLED, 3, State.CANCELLED, 1),
        (Outcome.FAILED, 3, State.SCHEDULED, 1),
        (Outcome.FAILED, 1, State.FAILED, 1),
        (Outcome.TIMED_OUT, 3, State.SCHEDULED, 1),
        (Outcome.TIMED_OUT, 1, State.FAILED, 1),
        (Outcome.SNOOZED, 1, State.SCHEDULED, 0),
        (Outcome.INTERRUPTED, 1, State.QUEUED, 0),
        (Outcome.LOST, 1, State.QUEUED, 0),
    ],
)
def test_each_outcome_is_written_as_it_was_decided(store, outcome, attempts, state, attempt):  # R43
    run = one_claimed(store, max_attempts=attempts)
    settlement = ended(run, outcome, now=NOON + SECOND, started_at=NOON)

    assert settle_all(store, settlement, now=NOON + SECOND) == [run.id]

    stored = found(store, run.id)
    assert stored.state is state
    assert stored.attempt == attempt
    # History keeps when an ended run was due; only what is due again moves.
    assert stored.due_at == (NOON if state.is_final else settlement.due_at)
    assert stored.lost_count == (1 if outcome is Outcome.LOST else 0)
    assert outcomes(store, run.id) == [outcome]


def test_a_final_settlement_keeps_the_attempt_on_the_runs_row(store):
    run = one_claimed(store)
    settlement = succeeded(run, now=NOON + MINUTE, started_at=NOON + SECOND, result='{"rows":5}', reason="fine")

    settle_all(store, settlement, now=NOON + MINUTE)

    expected = replace(
        run,
        state=State.SUCCEEDED,
        outcome=Outcome.SUCCEEDED,
        started_at=NOON + SECOND,
        ended_at=NOON + MINUTE,
        result='{"rows":5}',
        reason="fine",
        lease_until=None,
    )
    assert found(store, run.id) == expected


def test_a_failed_attempt_that_is_tried_again_leaves_a_clean_row(store):
    run = one_claimed(store)

    settle_all(store, failed(run, now=NOON + SECOND, started_at=NOON), now=NOON + SECOND)

    stored = found(store, run.id)
    assert (stored.owner, stored.lease_until, stored.claimed_at, stored.started_at) == (None, None, None, None)
    assert (stored.ended_at, stored.outcome, stored.error) == (None, None, None)
    assert stored.token == run.token
    [attempt] = history(store, run.id).attempts
    assert (attempt.run_id, attempt.token, attempt.owner, attempt.claimed_at) == (run.id, run.token, "w1", NOON)
    assert (attempt.started_at, attempt.ended_at, attempt.outcome) == (NOON, NOON + SECOND, Outcome.FAILED)
    assert attempt.error == ErrorReport(
        type="ValueError",
        message="bad value",
        traceback="Traceback: ...",
        fingerprint=fingerprint("ValueError", "bad value", ""),
    )


def test_attempts_are_listed_oldest_first_the_last_on_the_runs_row(store):
    run = one_claimed(store)
    settle_all(store, failed(run))
    store.promote(now=NOON + MINUTE)
    [second] = claim(store, now=NOON + MINUTE)
    settle_all(store, ended(second, Outcome.TIMED_OUT, now=NOON + MINUTE))
    store.promote(now=NOON + HOUR)
    [third] = claim(store, now=NOON + HOUR)
    assert outcomes(store, run.id) == [Outcome.FAILED, Outcome.TIMED_OUT, None]

    settle_all(store, succeeded(third, now=NOON + HOUR))

    attempts = history(store, run.id).attempts
    assert [attempt.outcome for attempt in attempts] == [Outcome.FAILED, Outcome.TIMED_OUT, Outcome.SUCCEEDED]
    assert [attempt.token for attempt in attempts] == [run.token, second.token, third.token]
    assert found(store, run.id).attempt == 3


def test_the_error_of_a_run_that_is_given_up_stands_on_its_row(store):
    run = one_claimed(store)

    settle_all(store, given_up(run))

    stored = found(store, run.id)
    assert stored.error is not None
    assert stored.error.first_line == "ValueError: bad value"
    assert stored.outcome is Outcome.FAILED


def test_a_reason_that_was_given_for_cancelling_stays(store):
    run = one_claimed(store)
    store.cancel([run.id], now=NOON, reason="ann: wrong tenant")

    settle_all(store, ended(run, Outcome.CANCELLED))

    assert found(store, run.id).reason == "ann: wrong tenant"


def test_a_stale_settlement_is_refused(store):
    old = one_claimed(store)
    settle_all(store, lost(old))
    [new] = claim(store, "w2")

    assert settle_all(store, succeeded(old)) == []
    assert found(store, old.id) == new


def test_a_stale_settlement_is_refused_when_its_successor_has_ended(store):
    old = one_claimed(store)
    settle_all(store, lost(old))
    [new] = claim(store, "w2")
    settle_all(store, given_up(new))

    assert settle_all(store, succeeded(old)) == []
    assert states(store, old.id) == [State.FAILED]


def test_a_worker_taken_for_dead_that_comes_back_is_superseded(store):  # R30
    old = one_claimed(store)
    settle_all(store, lost(old))
    claim(store, "w2")

    settle_all(store, succeeded(old))

    assert outcomes(store, old.id) == [Outcome.SUPERSEDED, None]


def test_poison_that_comes_back_is_superseded_and_stays_failed(store):
    run = one_claimed(store, lost_count=2)
    settle_all(store, lost(run))
    assert states(store, run.id) == [State.FAILED]

    assert settle_all(store, succeeded(run)) == []
    assert states(store, run.id) == [State.FAILED]
    assert outcomes(store, run.id) == [Outcome.SUPERSEDED]


def test_the_second_rescuer_supersedes_nothing(store):
    run = one_claimed(store)
    settle_all(store, rescue(run, now=NOON + MINUTE))

    assert settle_all(store, rescue(run, now=NOON + MINUTE + SECOND)) == []
    assert outcomes(store, run.id) == [Outcome.LOST]
    assert found(store, run.id).lost_count == 1


@pytest.mark.parametrize("ending", [succeeded, failed, given_up, lost])
def test_repeating_a_settlement_names_it_again_and_writes_nothing_twice(store, ending):  # R30
    store.enqueue([a_slot_run(max_attempts=3)], now=NOON)
    [run] = claim(store)
    settle_all(store, ending(run))
    before = history(store, run.id), store.progress()

    assert settle_all(store, ending(run)) == [run.id]
    assert (history(store, run.id), store.progress()) == before


def test_repeating_a_settlement_names_it_also_when_the_run_has_gone_on(store):
    run = one_claimed(store)
    settle_all(store, failed(run))
    store.promote(now=NOON + MINUTE)
    [again] = claim(store, "w2", now=NOON + MINUTE)

    assert settle_all(store, failed(run)) == [run.id]
    assert found(store, run.id) == again
    assert outcomes(store, run.id) == [Outcome.FAILED, None]


def test_another_outcome_under_an_ended_token_is_no_repetition(store):
    run = one_claimed(store)
    settle_all(store, succeeded(run))

    assert settle_all(store, given_up(run)) == []
    assert states(store, run.id) == [State.SUCCEEDED]


def test_a_run_that_nobody_runs_cannot_be_settled(store):
    run = a_run()
    store.enqueue([run], now=NOON)

    assert settle_all(store, succeeded(run)) == []
    assert states(store, run.id) == [State.QUEUED]


def test_a_run_that_is_not_there_cannot_be_settled(store):
    assert settle_all(store, succeeded(a_run())) == []


def test_each_settlement_of_a_batch_is_judged_alone(store):
    store.enqueue([a_run() for _ in range(6)], now=NOON)
    runs = claim(store)
    store.release("w1", [(runs[1].id, runs[1].token), (runs[4].id, runs[4].token)], now=NOON)

    applied = settle_all(store, *[succeeded(run) for run in runs])

    assert applied == [runs[index].id for index in (0, 2, 3, 5)]
    assert states(store, runs[1].id, runs[4].id) == [State.QUEUED, State.QUEUED]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("late", [succeeded, failed, given_up])
def test_a_stale_settlement_does_not_ride_on_a_good_one_of_the_same_run(store, late, order):  # R30
    # A worker that lost a run, claimed it anew and finished it may send both endings in one batch.
    store.enqueue([a_slot_run(max_attempts=3)], now=NOON)
    [old] = claim(store)
    settle_all(store, lost(old))
    [new] = claim(store)

    applied = settle_all(store, *[late(old), succeeded(new, now=NOON + SECOND)][::order], now=NOON + SECOND)

    assert applied == [old.id]
    assert states(store, old.id) == [State.SUCCEEDED]
    assert outcomes(store, old.id) == [Outcome.SUPERSEDED, Outcome.SUCCEEDED]
    assert the_progress(store).failures == 0
    assert the_progress(store).last_success_at == NOON + SECOND


def test_applied_ids_come_in_the_order_given(store):
    store.enqueue([a_run(tenant=f"t{number % 3}") for number in range(30)], now=NOON)
    runs = list(reversed(claim(store)))

    assert settle_all(store, *[succeeded(run) for run in runs]) == ids(runs)


def test_a_batch_of_every_kind_is_written_as_decided(store):
    store.enqueue([a_slot_run(tenant=f"t{number}", max_attempts=3) for number in range(700)], now=NOON)
    runs = claim(store)
    endings = (succeeded, failed, given_up, lost)

    applied = settle_all(store, *[endings[number % 4](run) for number, run in enumerate(runs)])

    assert applied == ids(runs)
    wanted = (State.SUCCEEDED, State.SCHEDULED, State.FAILED, State.QUEUED)
    assert states(store, *ids(runs[:40])) == [wanted[number % 4] for number in range(40)]
    assert len(store.progress()) == 350


def test_the_next_runs_are_claimed_in_the_same_call(store):
    store.enqueue([a_run() for _ in range(4)], now=NOON)
    first = claim(store, limit=2)

    answer = store.settle([succeeded(run) for run in first], now=NOON + SECOND, claim=a_request("w9", limit=1))

    assert answer.applied == ids(first)
    [claimed] = answer.claimed
    assert claimed.owner == "w9"
    assert claimed.lease_until == NOON + SECOND + LEASE
    assert found(store, claimed.id) == claimed


def test_settling_nothing_may_still_claim(store):
    store.enqueue([a_run()], now=NOON)

    answer = store.settle([], now=NOON, claim=a_request())

    assert answer.applied == []
    assert len(answer.claimed) == 1


def test_an_expansion_marks_its_round(store):
    round_ = a_round()
    add_rounds(store, round_)
    store.enqueue([a_run(kind=RunKind.EXPANSION, round_id=round_.id, schedule="nightly", slot=NOON)], now=NOON)
    [run] = claim(store)

    settle_all(store, succeeded(run, expanded=40))

    [stored] = store.rounds(RoundQuery())
    assert (stored.expanded, stored.expected) == (True, 40)


def test_a_refused_expansion_marks_nothing(store):
    round_ = a_round()
    add_rounds(store, round_)
    store.enqueue([a_run(kind=RunKind.EXPANSION, round_id=round_.id)], now=NOON)
    [old] = claim(store)
    settle_all(store, lost(old))

    settle_all(store, ended(old, Outcome.SUCCEEDED, expanded=40))

    [stored] = store.rounds(RoundQuery())
    assert (stored.expanded, stored.expected) == (False, None)


def test_a_rescue_is_applied_while_the_lease_is_as_it_was_read(store):
    run = one_claimed(store)
    [seen] = store.expired(now=NOON + MINUTE)

    assert settle_all(store, rescue(seen, now=NOON + MINUTE)) == [run.id]
    assert states(store, run.id) == [State.QUEUED]
    assert found(store, run.id).lost_count == 1


def test_three_lost_attempts_are_poison(store):  # R30
    run = one_claimed(store, max_attempts=1)
    now = NOON
    for _ in range(2):
        settle_all(store, lost(run, now=now))
        now += HOUR
        store.promote(now=now)
        [run] = claim(store, now=now)

    settle_all(store, lost(run, now=now))

    assert states(store, run.id) == [State.FAILED]
    assert outcomes(store, run.id) == [Outcome.LOST, Outcome.LOST, Outcome.LOST]


def test_an_interrupted_run_keeps_its_turn(store):  # R45
    store.enqueue([a_run(tenant="acme") for _ in range(3)], now=NOON)
    _first, second = claim(store, limit=2)

    settle_all(store, ended(second, Outcome.INTERRUPTED))

    assert found(store, second.id).turn == second.turn
    assert ids(claim(store, limit=1)) == [second.id]


def test_a_settlement_under_a_token_that_nobody_was_given_is_refused(store):  # G5
    run = one_claimed(store)

    assert settle_all(store, succeeded(replace(run, token=run.token - 1))) == []

    assert states(store, run.id) == [State.RUNNING]


def test_a_settlement_that_is_named_twice_in_a_call_is_applied_once(store):  # G3
    run = one_claimed(store)

    assert settle_all(store, succeeded(run), succeeded(run)) == [run.id, run.id]

    assert states(store, run.id) == [State.SUCCEEDED]
    assert open_counts(store) == {}


def test_of_two_settlements_of_a_run_in_a_call_the_first_counts(store):  # G3
    run = one_claimed(store)

    assert settle_all(store, succeeded(run), ended(run, Outcome.CANCELLED)) == [run.id]

    assert states(store, run.id) == [State.SUCCEEDED]
