"""A run that is due but may not go on yet is held at its gate, in nobody's claim, until it is admitted."""

from datetime import timedelta

import pytest

from rota.core.model import RunKind, State
from rota.queries import RoundQuery
from tests.values import (
    HOUR,
    MINUTE,
    NOON,
    a_request,
    a_round,
    a_run,
    a_slot_run,
    add_rounds,
    claim,
    failed,
    found,
    ids,
    lost,
    open_counts,
    settle_all,
    states,
    succeeded,
)

BATCH = "campaign/7"


def gated(**fields):
    return a_run(**{"held_by": "depends"} | fields)


def batched(**fields):
    return a_run(**{"held_by": BATCH, "batch": BATCH, "max_attempts": 3} | fields)


# --- held ---


def test_a_run_with_a_gate_to_pass_is_held(store):  # R11
    run = gated()

    assert store.enqueue([run], now=NOON) == [run.id]

    held = found(store, run.id)
    assert (held.state, held.held_by, held.waits_for) == (State.SCHEDULED, "depends", None)
    assert store.gates() == ["depends"]
    assert ids(store.held("depends")) == [run.id]
    assert open_counts(store) == {"default": {State.SCHEDULED: 1}}
    assert store.counts().waiting == 0


def test_a_held_run_is_in_nobodys_claim(store):
    store.enqueue([gated(due_at=NOON - HOUR)], now=NOON)

    assert store.promote(now=NOON + HOUR) == 0
    assert store.unblock(now=NOON + HOUR) == 0
    assert claim(store, now=NOON + HOUR) == []


def test_gates_are_named_once_each_in_order(store):
    names = ["tenant/b", "depends", "tenant/a", "depends", "job/report"]
    store.enqueue([gated(held_by=name) for name in names], now=NOON)

    assert store.gates() == ["depends", "job/report", "tenant/a", "tenant/b"]


def test_without_held_runs_there_is_no_gate(store):
    store.enqueue([a_run()], now=NOON)

    assert store.gates() == []
    assert store.held("depends") == []
    assert store.admit("depends", now=NOON) == []


def test_gates_tell_upper_case_accents_and_blanks_apart(store):
    names = ["tenant/cafe", "tenant/CAFE", "tenant/café", "tenant/cafe "]
    runs = [gated(held_by=name) for name in names]
    store.enqueue(runs, now=NOON)

    assert store.gates() == sorted(names)
    assert [ids(store.held(name)) for name in names] == [[run.id] for run in runs]
    assert store.admit("tenant/CAFE", now=NOON) == [runs[1].id]


def test_gate_batch_and_weight_come_back_as_they_were_given(store):
    run = a_slot_run(held_by="canary/1", batch="round/1", weight=2.5)
    store.enqueue([run], now=NOON)

    stored = found(store, run.id)

    assert (stored.held_by, stored.batch, stored.weight) == ("canary/1", "round/1", 2.5)
    assert store.held("canary/1") == [stored]


def test_the_places_of_a_round_come_back_as_they_were_given(store):
    add_rounds(store, a_round(places=20), a_round(slot=NOON + HOUR))

    assert [round_.places for round_ in store.rounds(RoundQuery())] == [None, 20]


def test_held_runs_come_in_line_page_by_page(store):
    due = [NOON - minutes * MINUTE for minutes in (1, 3, 3, 2)]
    runs = [gated(due_at=at) for at in due]
    store.enqueue(runs, now=NOON)
    in_line = [runs[1].id, runs[2].id, runs[3].id, runs[0].id]

    first = store.held("depends", limit=2)
    second = store.held("depends", after=(first[-1].due_at, first[-1].id), limit=2)

    assert ids(store.held("depends")) == in_line
    assert ids(first) + ids(second) == in_line
    assert store.held("depends", after=(second[-1].due_at, second[-1].id)) == []


def test_a_run_of_the_future_comes_to_its_gate_when_it_is_due(store):
    run = gated(due_at=NOON + HOUR)
    store.enqueue([run], now=NOON)

    assert store.gates() == []
    assert store.admit("depends", now=NOON) == []
    assert store.promote(now=NOON + HOUR) == 1
    assert store.promote(now=NOON + HOUR) == 0

    assert ids(store.held("depends")) == [run.id]
    assert found(store, run.id).state is State.SCHEDULED


def test_promoting_holds_and_queues_side_by_side_within_its_limit(store):
    due = [NOON + minutes * MINUTE for minutes in (1, 2, 3)]
    runs = [gated(due_at=due[0]), a_run(due_at=due[1]), gated(due_at=due[2])]
    store.enqueue(runs, now=NOON)

    assert [store.promote(now=NOON + HOUR, limit=2) for _ in range(3)] == [2, 1, 0]

    assert states(store, *ids(runs)) == [State.SCHEDULED, State.QUEUED, State.SCHEDULED]
    assert ids(store.held("depends")) == [runs[0].id, runs[2].id]


def test_a_held_run_holds_its_key(store):  # R10
    first, second = gated(concurrency_key="k"), a_run(concurrency_key="k")
    store.enqueue([first], now=NOON)
    store.enqueue([second], now=NOON)

    assert found(store, second.id).waits_for == "k"
    assert store.unblock(now=NOON) == 0
    assert claim(store) == []
    assert store.counts().waiting == 1


def test_a_run_that_waits_is_held_when_its_key_is_free(store):  # R10, R11
    first, second = a_run(concurrency_key="k"), gated(concurrency_key="k")
    store.enqueue([first, second], now=NOON)
    [running] = claim(store)
    assert store.gates() == []

    answer = store.settle([succeeded(running)], now=NOON, claim=a_request())

    assert answer.claimed == []
    assert ids(store.held("depends")) == [second.id]
    assert found(store, second.id).waits_for is None


def test_a_run_that_waits_is_not_admitted_past_its_key(store):  # R10
    first, second = a_run(concurrency_key="k"), gated(concurrency_key="k")
    store.enqueue([first, second], now=NOON)

    assert store.admit("depends", now=NOON, ids=[second.id]) == []
    assert found(store, second.id).waits_for == "k"


def test_unblocking_holds_what_has_a_gate_to_pass_and_schedules_what_is_not_due(store):
    holders = [a_run(concurrency_key=key) for key in ("k", "l")]
    due, later = gated(concurrency_key="k"), gated(concurrency_key="l", due_at=NOON + HOUR)
    store.enqueue([*holders, due, later], now=NOON)

    store.cancel(ids(holders), now=NOON, reason="ann")

    assert ids(store.held("depends")) == [due.id]
    assert found(store, later.id).waits_for is None
    assert store.promote(now=NOON + HOUR) == 1
    assert ids(store.held("depends")) == [due.id, later.id]


def test_a_cancelled_run_leaves_its_gate_and_its_key(store):
    first, second = gated(concurrency_key="k"), a_run(concurrency_key="k")
    store.enqueue([first, second], now=NOON)

    assert store.cancel([first.id], now=NOON + MINUTE, reason="ann") == [first.id]

    cancelled = found(store, first.id)
    assert (cancelled.state, cancelled.held_by, cancelled.ended_at) == (State.CANCELLED, None, NOON + MINUTE)
    assert store.gates() == []
    assert ids(claim(store)) == [second.id]


@pytest.mark.parametrize("ending", [failed, lost, "release"])
def test_a_run_passes_its_gate_once(store, ending):  # R11
    run = gated(max_attempts=3)
    store.enqueue([run], now=NOON)
    store.admit("depends", now=NOON)
    [running] = claim(store)

    if ending == "release":
        store.release("w1", [(running.id, running.token)], now=NOON)
    else:
        settle_all(store, ending(running))
    store.promote(now=NOON + HOUR)

    assert found(store, run.id).held_by is None
    assert store.gates() == []
    assert ids(claim(store, now=NOON + HOUR)) == [run.id]


def test_a_round_with_a_held_run_is_not_finished(store):  # R23
    round_ = a_round(expanded=True)
    add_rounds(store, round_)
    store.enqueue([gated(round_id=round_.id)], now=NOON)

    assert store.finished_rounds() == []
    assert store.round_counts([round_.id]) == {round_.id: {State.SCHEDULED: 1}}


# --- hold ---


def test_what_is_queued_of_a_job_is_put_aside(store):  # R12
    reports, mail = [a_run(), a_run(kind=RunKind.EXPANSION)], a_run(job="mail")
    later, running = a_run(due_at=NOON + HOUR), a_run(priority=1)
    store.enqueue([*reports, mail, later, running], now=NOON)
    claim(store, limit=1)

    assert store.hold("job/report", job="report", now=NOON) == 2

    assert ids(store.held("job/report")) == ids(reports)
    assert {found(store, run.id).held_by for run in reports} == {"job/report"}
    assert states(store, running.id) == [State.RUNNING]
    assert found(store, later.id).held_by is None
    assert ids(claim(store)) == [mail.id]
    assert store.hold("job/report", job="report", now=NOON) == 0


def test_what_is_queued_of_a_tenant_is_put_aside(store):  # R12, R25
    mine = [a_run(tenant="acme"), a_run(tenant="acme", job="mail")]
    others = [a_run(tenant="globex"), a_run(), a_run(kind=RunKind.EXPANSION)]
    store.enqueue(mine + others, now=NOON)

    assert store.hold("tenant/acme", tenant="acme", now=NOON) == 2

    assert sorted(ids(claim(store))) == sorted(ids(others))
    assert ids(store.held("tenant/acme")) == ids(mine)


def test_holding_goes_in_steps(store):
    store.enqueue([a_run(tenant="acme") for _ in range(5)], now=NOON)

    assert [store.hold("tenant/acme", tenant="acme", now=NOON, limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_what_was_put_aside_goes_on_unharmed(store):  # R12
    run = a_run(tenant="acme", max_attempts=3)
    store.enqueue([run], now=NOON)
    store.hold("tenant/acme", tenant="acme", now=NOON)

    store.admit("tenant/acme", now=NOON + HOUR)

    [claimed] = claim(store, now=NOON + HOUR)
    assert (claimed.id, claimed.attempt, claimed.held_by) == (run.id, 1, None)


def test_a_run_that_was_put_aside_keeps_its_key(store):  # R10
    first, second = a_run(concurrency_key="k", job="a"), a_run(concurrency_key="k", job="b")
    store.enqueue([first, second], now=NOON)

    store.hold("job/a", job="a", now=NOON)

    assert store.unblock(now=NOON) == 0
    assert claim(store) == []


# --- admit ---


def test_runs_are_admitted_in_line(store):
    due = [NOON - minutes * MINUTE for minutes in (1, 3, 2)]
    runs = [gated(due_at=at) for at in due]
    store.enqueue(runs, now=NOON)

    assert store.admit("depends", now=NOON, limit=2) == [runs[1].id, runs[2].id]

    assert states(store, *ids(runs)) == [State.SCHEDULED, State.QUEUED, State.QUEUED]
    assert [found(store, run.id).held_by for run in runs] == ["depends", None, None]
    assert store.admit("depends", now=NOON) == [runs[0].id]
    assert store.admit("depends", now=NOON) == []


def test_only_those_that_are_named_are_admitted(store):
    runs, other, free = [gated() for _ in range(3)], gated(held_by="job/report"), a_run()
    store.enqueue([*runs, other, free], now=NOON)
    named = [runs[2].id, other.id, free.id, runs[0].id, runs[2].id]

    assert store.admit("depends", now=NOON, ids=named) == [runs[0].id, runs[2].id]
    assert store.admit("depends", now=NOON, ids=[]) == []

    assert ids(store.held("depends")) == [runs[1].id]
    assert ids(store.held("job/report")) == [other.id]


def test_many_are_admitted_at_once(store):
    runs = [gated() for _ in range(1_500)]
    store.enqueue(runs, now=NOON)

    assert len(store.admit("depends", now=NOON, ids=ids(runs), limit=2_000)) == 1_500


def test_a_run_is_admitted_to_the_next_gate(store):
    runs = [batched(), batched()]
    store.enqueue(runs, now=NOON)

    assert store.admit(BATCH, now=NOON, limit=1, to="depends") == [runs[0].id]

    assert store.gates() == [BATCH, "depends"]
    assert ids(store.held("depends")) == [runs[0].id]
    assert (found(store, runs[0].id).state, claim(store)) == (State.SCHEDULED, [])


def test_an_admitted_run_takes_its_turn_behind_what_its_tenant_has_queued(store):  # R24
    store.enqueue([a_run(tenant="acme") for _ in range(3)], now=NOON)
    late, other = gated(tenant="acme"), gated(tenant="globex")
    store.enqueue([late, other], now=NOON)

    store.admit("depends", now=NOON)

    assert [found(store, run.id).turn for run in (late, other)] == [3.0, 0.0]


def test_admitting_wakes_a_worker(store):
    store.enqueue([gated()], now=NOON)
    store.wait(timedelta(0))

    store.admit("depends", now=NOON)

    assert store.wait(timedelta(seconds=10))


# --- skipped in place ---


def test_a_held_run_is_skipped_with_a_reason(store):  # R8, R25
    run = a_slot_run(held_by="tenant/acme", batch="catch-up/nightly")
    store.enqueue([run], now=NOON)

    assert store.skip_held([run.id, "no-such-run"], now=NOON + MINUTE, reason="made up by a later slot") == [run.id]

    skipped = found(store, run.id)
    assert (skipped.state, skipped.reason, skipped.ended_at) == (
        State.SKIPPED,
        "made up by a later slot",
        NOON + MINUTE,
    )
    assert (skipped.held_by, skipped.waits_for) == (None, None)
    assert store.gates() == []
    assert store.skip_held([run.id], now=NOON + HOUR, reason="again") == []
    assert found(store, run.id) == skipped


def test_only_what_has_a_gate_to_pass_is_skipped(store):
    queued, future, running = a_run(), a_run(due_at=NOON + HOUR), a_run(priority=1)
    waiting = a_run(concurrency_key="k")
    store.enqueue([queued, future, running, a_run(concurrency_key="k", due_at=NOON - HOUR), waiting], now=NOON)
    claim(store, limit=1)
    runs = [queued, future, running, waiting]
    before = states(store, *ids(runs))

    assert store.skip_held(ids(runs), now=NOON, reason="made up") == []

    assert states(store, *ids(runs)) == before


def test_a_run_on_the_way_to_its_gate_is_skipped_too(store):
    holder, waiting = a_run(concurrency_key="k"), gated(concurrency_key="k")
    future = gated(due_at=NOON + HOUR)
    store.enqueue([holder, waiting, future], now=NOON)

    assert store.skip_held([future.id, waiting.id], now=NOON, reason="made up") == [future.id, waiting.id]

    assert store.counts().waiting == 0
    assert store.promote(now=NOON + HOUR) == 0


def test_when_held_runs_of_a_key_are_skipped_the_first_that_is_left_goes_on(store):  # R10
    runs = [gated(concurrency_key="k") for _ in range(3)] + [a_run(concurrency_key="k")]
    store.enqueue(runs, now=NOON)

    store.skip_held([runs[0].id, runs[1].id], now=NOON, reason="made up")

    assert ids(store.held("depends")) == [runs[2].id]
    assert found(store, runs[3].id).waits_for == "k"
    store.skip_held([runs[2].id], now=NOON, reason="made up")
    assert ids(claim(store)) == [runs[3].id]
