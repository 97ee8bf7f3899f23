"""Runs that are parts of a flow: what a store keeps of them, and what it leaves alone."""

from itertools import chain

import pytest

from rota.core.gates import FLOW
from rota.core.model import State
from rota.core.part import Part, Role
from rota.queries import RunQuery
from tests.contract.races import together
from tests.values import HOUR, MINUTE, NOON, a_run, claim, new_id, states

BATCH = "flow/7"


def a_step(number: int = 2, **fields):
    part = Part(role=Role.STEP, number=number, of=4, after=new_id())
    return a_run(**{"held_by": FLOW, "batch": BATCH, "part": part} | fields)


def test_a_part_and_what_is_carried_come_back_as_they_were_given(store):  # R32, R37
    run = a_step(carried='{"version":1,"values":{"locale":"é"}}')

    store.enqueue([run], now=NOON)

    stored = store.run(run.id).run
    assert (stored.part, stored.batch, stored.carried) == (run.part, BATCH, run.carried)


def test_a_part_that_takes_nothing_comes_back_so(store):  # R32
    part = Part(role=Role.ON_COMPLETE, of=3, takes=False)
    run = a_step(part=part)

    store.enqueue([run], now=NOON)

    assert store.run(run.id).run.part == part


def test_a_claim_hands_out_part_and_carried(store):  # R32, R37
    run = a_step(held_by=None, carried='{"version":1,"values":{}}')
    store.enqueue([run], now=NOON)

    [claimed] = claim(store)

    assert (claimed.part, claimed.carried) == (run.part, run.carried)


def test_a_step_that_is_opened_again_stays_in_its_flow_and_has_the_gate_that_is_named(store):  # R32
    run = a_step(state=State.FAILED, ended_at=NOON, held_by=None)
    store.enqueue([run], now=NOON)

    store.requeue([run.id], now=NOON, reason="ann", held_by=FLOW)

    again = store.run(run.id).run
    assert (again.state, again.held_by, again.batch, again.part) == (State.SCHEDULED, FLOW, BATCH, run.part)


def test_a_step_that_is_opened_again_by_somebody_who_knows_nothing_of_flows_stays_in_its_own(store):  # R32
    step = a_step(state=State.FAILED, ended_at=NOON, held_by=None)
    other = a_run(state=State.FAILED, ended_at=NOON, batch="round/1")
    store.enqueue([step, other], now=NOON)

    store.requeue([step.id, other.id], now=NOON, reason="ann", batch="campaign/1")

    assert [run.id for run in store.runs(RunQuery(batch=BATCH))] == [step.id]
    assert [run.id for run in store.runs(RunQuery(batch="campaign/1"))] == [other.id]


def test_of_many_who_let_the_same_steps_go_on_each_lets_others_go(store):  # R32
    runs = [a_step() for _ in range(20)]
    store.enqueue(runs, now=NOON)
    ids = [run.id for run in runs]

    answers = together(*[lambda: store.admit(FLOW, now=NOON, ids=ids) for _ in range(6)])

    assert sorted(chain(*answers)) == sorted(ids)
    assert store.batch_counts(BATCH) == {State.QUEUED: 20}


def test_a_step_that_is_given_up_while_it_goes_on_is_one_or_the_other(store):  # R32
    runs = [a_step() for _ in range(20)]
    store.enqueue(runs, now=NOON)
    ids = [run.id for run in runs]

    together(lambda: store.admit(FLOW, now=NOON, ids=ids), lambda: store.cancel(ids, now=NOON, reason="ann"))

    assert store.batch_counts(BATCH) == {State.CANCELLED: 20}
    assert store.gates() == []
    assert claim(store) == []


def test_what_is_given_up_is_held_still(store):  # R32
    held, future, waiting, through = (
        a_step(),
        a_step(due_at=NOON + HOUR),
        a_step(concurrency_key="k", due_at=NOON + MINUTE),
        a_step(),
    )
    before = a_step(held_by=None, concurrency_key="k", state=State.QUEUED)
    store.enqueue([before, held, future, waiting, through], now=NOON)
    store.admit(FLOW, now=NOON, ids=[through.id])
    everyone = [held.id, future.id, waiting.id, through.id, before.id]

    given_up = store.cancel(everyone, now=NOON, reason="flow stopped", held_by=FLOW)

    assert given_up == [held.id, future.id, waiting.id]
    assert states(store, *everyone) == [State.CANCELLED] * 3 + [State.QUEUED] * 2


def test_what_another_gate_holds_is_not_given_up(store):  # R32
    run = a_run(held_by="pause/job/report")
    store.enqueue([run], now=NOON)

    assert store.cancel([run.id], now=NOON, reason="flow stopped", held_by=FLOW) == []
    assert states(store, run.id) == [State.SCHEDULED]


def test_nothing_is_given_up_for_a_run_that_is_none_or_was_opened_again_or_succeeded(store):  # R32
    failed, done = (a_run(state=state, ended_at=NOON) for state in (State.FAILED, State.SUCCEEDED))
    step = a_step()
    store.enqueue([failed, done, step], now=NOON)
    store.requeue([failed.id], now=NOON, reason="ann")

    for behind in (failed.id, done.id, new_id()):
        assert store.cancel([step.id], now=NOON, reason="flow stopped", held_by=FLOW, behind=behind) == []
    assert states(store, step.id) == [State.SCHEDULED]


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED, State.SKIPPED])
def test_what_comes_after_a_run_that_ended_badly_is_given_up(store, state):  # R32
    before, step = a_run(state=state, ended_at=NOON), a_step()
    store.enqueue([before, step], now=NOON)

    given_up = store.cancel([step.id], now=NOON, reason="flow stopped", held_by=FLOW, behind=before.id)

    assert (given_up, states(store, step.id)) == ([step.id], [State.CANCELLED])


def test_who_opens_a_flow_again_and_who_gives_it_up_at_once_leave_nothing_given_up_behind_what_is_open(store):  # R32
    pairs = [(a_step(1, state=State.FAILED, ended_at=NOON, held_by=None), a_step()) for _ in range(10)]
    store.enqueue([run for pair in pairs for run in pair], now=NOON)

    def give_up() -> None:
        for before, after in pairs:
            store.cancel([after.id], now=NOON, reason="flow stopped", held_by=FLOW, behind=before.id)

    def open_again() -> None:
        # As a retry does: what is given up by now comes along, and what was meanwhile.
        for before, after in reversed(pairs):
            store.requeue([before.id, after.id], now=NOON, reason="ann", held_by=FLOW)
            store.requeue([after.id], now=NOON, reason="ann", held_by=FLOW)

    together(give_up, open_again)

    for before, after in pairs:
        assert states(store, before.id, after.id) == [State.SCHEDULED, State.SCHEDULED]
