"""What a flow does next, decided from its runs (R32)."""

import pytest
from msgspec.structs import replace

from rota.core.flow import batch_moves, chain_moves, in_order, named, reopened, summary
from rota.core.gates import FLOW, first_gate, next_gate
from rota.core.model import ErrorReport, State
from rota.core.part import Part, Role
from rota.core.policy import Job
from tests.values import HOUR, NOON, a_run

HELD, OPENED, DONE = State.SCHEDULED, State.QUEUED, State.SUCCEEDED


def a_chain(*states):
    """Return the runs of a chain in these states; what is scheduled is held."""
    runs = []
    for number, state in enumerate(states, start=1):
        after = runs[-1].id if runs else None
        part = Part(role=Role.STEP, number=number, of=len(states), after=after)
        held_by = FLOW if state is HELD else None
        runs.append(a_run(job=f"job{number}", state=state, batch="flow/1", part=part, held_by=held_by))
    return runs


def followers(*, state=HELD, of=10):
    return [
        a_run(state=state, batch="follow/1", part=Part(role=role, of=of), held_by=FLOW)
        for role in (Role.ON_SUCCESS, Role.ON_COMPLETE)
    ]


def numbers(runs, ids):
    return [run.part.number for run in runs if run.id in ids]


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, HELD])
def test_nothing_moves_while_a_step_is_not_over(state):
    first, *rest = a_chain(DONE, HELD, HELD)
    first = replace(first, state=state)

    moves = chain_moves([first, *rest])

    assert (moves.go_on, moves.give_up) == ((), ())


def test_the_step_after_one_that_succeeded_goes_on_and_no_further_one():
    runs = a_chain(DONE, DONE, HELD, HELD)

    assert numbers(runs, chain_moves(runs).go_on) == [3]
    assert chain_moves(runs).give_up == ()


@pytest.mark.parametrize(
    ("state", "fields", "reason"),
    [
        (State.FAILED, {"error": ErrorReport(type="ValueError", message="no\nmore")}, "failed: ValueError: no"),
        (State.FAILED, {}, "failed"),
        (State.CANCELLED, {"reason": "by ana"}, "was cancelled: by ana"),
        (State.SKIPPED, {"reason": "expired"}, "was skipped: expired"),
    ],
)
def test_all_steps_after_one_that_did_not_succeed_are_given_up_with_the_reason(state, fields, reason):
    runs = a_chain(DONE, state, HELD, HELD)
    runs[1] = replace(runs[1], **fields)

    moves = chain_moves(runs)

    assert (moves.go_on, numbers(runs, moves.give_up)) == ((), [3, 4])
    assert moves.reason == f"flow stopped: step 2 of 4 (job2) {reason}"


def test_what_was_cut_off_while_it_was_given_up_is_given_up_for_the_one_before():
    runs = a_chain(DONE, State.FAILED, State.CANCELLED, HELD)

    assert numbers(runs, chain_moves(runs).give_up) == [4]


def test_a_step_whose_predecessor_was_pruned_has_nothing_to_begin_with():
    _, *rest = a_chain(DONE, HELD, HELD)

    moves = chain_moves(rest)

    assert numbers(rest, moves.give_up) == [2, 3]
    assert moves.reason == "flow stopped: step 1 of 3 was pruned, and its result with it"


def test_steps_that_are_due_later_are_given_up_too_and_what_another_gate_holds_is_left_alone():
    runs = a_chain(State.FAILED, HELD, HELD)
    runs[1] = replace(runs[1], due_at=NOON + HOUR)
    runs[2] = replace(runs[2], held_by="tenant/acme")

    assert numbers(runs, chain_moves(runs).give_up) == [2]


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.SCHEDULED])
def test_nothing_follows_a_batch_while_a_member_is_not_over(state):
    moves = batch_moves({DONE: 9, state: 1}, followers())

    assert (moves.go_on, moves.give_up) == ((), ())


def test_both_follow_a_batch_that_succeeded():
    after = followers()

    assert batch_moves({DONE: 10}, after).go_on == tuple(run.id for run in after)


def test_after_a_batch_with_failures_on_complete_goes_on_and_on_success_is_given_up():
    on_success, on_complete = followers()

    moves = batch_moves({DONE: 7, State.FAILED: 2, State.SKIPPED: 1}, [on_success, on_complete])

    assert (moves.go_on, moves.give_up) == ((on_complete.id,), (on_success.id,))
    assert moves.reason == "flow stopped: of 10 members 2 failed, 1 skipped"


def test_what_has_gone_on_already_does_not_move_again():
    assert batch_moves({DONE: 10}, followers(state=OPENED)).go_on == ()


def test_a_step_that_is_opened_again_takes_the_later_ones_along_that_were_given_up_for_it():
    runs = a_chain(DONE, State.FAILED, State.CANCELLED, State.CANCELLED)
    runs[2] = replace(runs[2], reason="flow stopped: step 2 of 4 (job2) failed")
    runs[3] = replace(runs[3], reason="by ana")

    assert reopened(runs[1], runs) == [runs[2].id]
    assert reopened(runs[3], runs) == []


def test_a_member_that_is_opened_again_takes_on_success_along_and_not_what_has_run():
    on_success, on_complete = followers()
    on_success = replace(on_success, state=State.CANCELLED, reason="flow stopped: of 10 members 1 failed")
    on_complete = replace(on_complete, state=DONE)
    member = a_run(state=State.FAILED, part=Part(role=Role.MEMBER, number=3, of=10))

    assert reopened(member, [on_success, on_complete]) == [on_success.id]


def test_a_summary_counts_all_and_names_a_hundred():
    told = summary("1", total=300, counts={DONE: 100, State.FAILED: 200}, failed_ids=[str(n) for n in range(200)])

    assert (told.total, told.succeeded, told.failed, len(told.failed_ids)) == (300, 100, 200, 100)
    assert not told.is_success


def test_parts_are_named_for_people_and_stand_in_order():
    runs = a_chain(DONE, HELD)

    assert [named(run) for run in in_order(runs[::-1])] == ["step 1 of 2 (job1)", "step 2 of 2 (job2)"]
    assert named(followers()[0]) == "on_success of 10 (report)"


def test_a_part_passes_the_gate_of_its_flow_and_never_one_of_its_batch():
    job = Job(name="report")
    first, second = a_chain(DONE, HELD)

    assert (first_gate(first, job), first_gate(second, job)) == (None, FLOW)
    assert next_gate(second, job) is None
    # Put aside by a pause after it had gone on: it comes to its own gate again, which is open.
    assert next_gate(replace(second, held_by="job/job2"), job) == FLOW
    assert next_gate(replace(first, held_by="tenant/acme"), job) is None
