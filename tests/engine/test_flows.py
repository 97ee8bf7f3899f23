"""Chains and batches, worked off: what each run is given, and what becomes of the rest when one fails (R32)."""

import pytest

from rota import Snooze, State
from rota.core.controls import Paused
from rota.core.gates import FLOW
from rota.errors import RunFailed, WaitTimedOut
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.engine.flows import Heard, a_process, errors, reasons, states, steps
from tests.engine.house import Driven, an_app
from tests.values import HOUR, MINUTE

OK, FAILED, CANCELLED, HELD = State.SUCCEEDED, State.FAILED, State.CANCELLED, State.SCHEDULED


# --- chains ---


def test_each_step_is_given_the_result_of_the_one_before():
    heard, process = a_process()
    jobs = steps(process)

    chain = process.app.chain(jobs["fetch"].step(4), jobs["total"].step(plus=1), jobs["double"].step()).enqueue()
    process.settle_down()

    assert heard.seen == [("fetch", 4), ("total", [0, 1, 2, 3]), ("double", 7)]
    assert chain.result() == 14
    assert list(chain.results()) == [[0, 1, 2, 3], 7, 14]


def test_all_of_a_chain_is_there_at_once_and_only_the_first_step_may_begin():
    _, process = a_process()
    jobs = steps(process)

    chain = process.app.chain(jobs["fetch"].step(1), jobs["total"].step(), jobs["double"].step()).enqueue()

    runs = chain.runs()
    assert [(run.job, run.state, run.held_by) for run in runs] == [
        ("fetch", State.QUEUED, None),
        ("total", HELD, FLOW),
        ("double", HELD, FLOW),
    ]
    assert [run.part.after for run in runs] == [None, runs[0].id, runs[1].id]
    assert [child.id for child in chain.children] == [run.id for run in runs]


def test_a_step_that_is_said_to_gets_no_result():
    heard, process = a_process()
    jobs = steps(process)

    process.app.chain(
        jobs["fetch"].step(2), jobs["fetch"].step(3).without_result(), jobs["tidy"].step().without_result()
    ).enqueue()
    process.settle_down()

    assert heard.seen == [("fetch", 2), ("fetch", 3), ("tidy", None)]


def test_nothing_that_was_returned_is_given_as_none():
    heard, process = a_process()
    jobs = steps(process)

    chain = process.app.chain(jobs["anything"].step(None), jobs["anything"].step())
    chain.enqueue()
    process.settle_down()

    assert heard.seen == [("anything", None), ("anything", None)]


def test_a_chain_may_go_from_tenant_to_tenant():
    heard, process = a_process()
    visit = steps(process)["visit"]

    chain = process.app.chain(visit.using(tenant="acme").step(), visit.using(tenant="globex").step()).enqueue()
    process.settle_down()

    assert heard.seen == [("visit acme", ""), ("visit globex", "acme;")]
    assert chain.result() == "acme;globex;"


def test_a_step_that_fails_for_good_cancels_the_later_ones_with_the_reason():
    heard, process = a_process()
    jobs = steps(process)
    heard.failing.add("total")

    chain = process.app.chain(
        jobs["fetch"].step(1), jobs["total"].step(), jobs["double"].step(), jobs["double"].step()
    ).enqueue()
    process.settle_down()

    why = "flow stopped: step 2 of 4 (total) failed: ValueError: total does not work"
    assert states(chain) == [OK, FAILED, CANCELLED, CANCELLED]
    assert reasons(chain)[2:] == [why, why]
    with pytest.raises(RunFailed, match="step 2 of 4"):
        chain.result()


def test_a_step_between_attempts_keeps_the_later_ones_waiting():
    heard, clock = Heard(), FakeClock()
    app = an_app(store=MemoryStore(clock=clock), clock=clock)
    heard.declare(app)
    tried = []

    @app.job()
    def shaky() -> int:
        tried.append(1)
        if len(tried) == 1:
            raise ValueError("not yet")
        return len(tried) if len(tried) > 2 else Snooze(MINUTE)

    process = Driven(app, clock)
    chain = app.chain(shaky.step(), app.jobs["anything"].step()).enqueue()
    process.settle_down()
    assert states(chain) == [State.SCHEDULED, HELD]
    process.advance(HOUR)
    process.advance(HOUR)

    assert heard.seen == [("anything", 3)]


def test_a_failed_step_that_is_retried_opens_the_later_ones_again():
    heard, process = a_process()
    jobs = steps(process)
    heard.failing.add("total")
    chain = process.app.chain(jobs["fetch"].step(2), jobs["total"].step(), jobs["double"].step()).enqueue()
    process.settle_down()
    heard.failing.clear()

    opened = process.app.retry([chain.runs()[1].id])
    process.settle_down()

    assert set(opened) == {run.id for run in chain.runs()[1:]}
    assert states(chain) == [OK, OK, OK]
    assert heard.seen[-2:] == [("total", [0, 1]), ("double", 1)]


def test_a_flow_is_retried_whole_by_its_handle():
    heard, process = a_process()
    jobs = steps(process)
    heard.failing.add("total")
    chain = process.app.chain(jobs["fetch"].step(2), jobs["total"].step(), jobs["double"].step()).enqueue()
    process.settle_down()
    heard.failing.clear()

    assert chain.retry() == 2
    process.settle_down()

    assert chain.result() == 2


def test_waiting_for_a_flow_ends_with_the_time_given():
    _, process = a_process()
    chain = process.app.chain(steps(process)["fetch"].step(2)).enqueue()

    with pytest.raises(WaitTimedOut, match=f"flow {chain.id} is not over"):
        chain.wait("0s")


def test_a_step_that_is_retried_alone_waits_for_the_one_before():
    heard, process = a_process()
    jobs = steps(process)
    heard.failing.add("fetch")
    chain = process.app.chain(jobs["fetch"].step(2), jobs["total"].step()).enqueue()
    process.settle_down()

    process.app.retry([chain.runs()[1].id])
    process.settle_down()

    # The one before has not succeeded: it is given up again, with the reason.
    assert states(chain) == [FAILED, CANCELLED]
    assert heard.seen == [("fetch", 2)]


def test_a_step_that_is_run_again_gets_the_newest_result():
    heard, process = a_process()
    jobs = steps(process)
    chain = process.app.chain(jobs["fetch"].step(2), jobs["total"].step()).enqueue()
    process.settle_down()
    second = chain.runs()[1]

    process.app.retry([second.id])
    process.settle_down()

    assert heard.seen == [("fetch", 2), ("total", [0, 1]), ("total", [0, 1])]
    assert states(chain) == [OK, OK]


def test_a_result_that_does_not_fit_fails_the_step_naming_both_and_is_not_tried_again():
    _, process = a_process()
    jobs = steps(process)

    chain = process.app.chain(jobs["anything"].step("text"), jobs["total"].step(), jobs["double"].step()).enqueue()
    process.settle_down()

    assert states(chain) == [OK, FAILED, CANCELLED]
    [_, error, _] = errors(chain)
    assert error.startswith("BadArguments: the result of step 1 of 3 (anything) does not fit step 2 of 3 (total): ")
    assert chain.runs()[1].attempt == 1


def test_a_step_that_cancels_itself_ends_the_chain():
    _, process = a_process()
    jobs = steps(process)
    chain = process.app.chain(jobs["fetch"].step(2), jobs["total"].step(), jobs["double"].step()).enqueue()

    process.app.cancel([chain.runs()[1].id], reason="ana: not now")
    process.settle_down()

    assert states(chain) == [OK, CANCELLED, CANCELLED]
    assert reasons(chain)[2] == "flow stopped: step 2 of 3 (total) was cancelled: ana: not now"


def test_a_flow_is_cancelled_whole():
    heard, process = a_process()
    jobs = steps(process)
    chain = process.app.chain(jobs["fetch"].step(2), jobs["total"].step()).enqueue()
    batch = process.app.batch([jobs["fetch"].step(1)], on_complete=jobs["after"].step()).enqueue()

    assert (chain.cancel(reason="ana"), batch.cancel(reason="ana")) == (2, 2)
    process.settle_down()

    assert states(chain) + states(batch) == [CANCELLED] * 4
    assert heard.seen == []


def test_a_step_with_a_delay_begins_when_both_the_time_and_the_result_are_there():
    _, process = a_process()
    jobs = steps(process)
    chain = process.app.chain(
        jobs["fetch"].step(1), jobs["total"].using(delay=HOUR).step(), jobs["double"].step()
    ).enqueue()

    process.settle_down()
    assert states(chain) == [OK, HELD, HELD]
    process.advance(HOUR)

    assert states(chain) == [OK, OK, OK]


def test_a_paused_job_holds_its_step_and_the_chain_goes_on_when_it_is_resumed():
    heard, process = a_process()
    jobs = steps(process)
    process.app.pauses.pause(Paused.JOB, "total", reason="not now")
    chain = process.app.chain(jobs["fetch"].step(1), jobs["total"].step(), jobs["double"].step()).enqueue()

    process.settle_down()
    assert heard.seen == [("fetch", 1)]
    process.app.pauses.resume(Paused.JOB, "total")
    process.advance(MINUTE)

    assert states(chain) == [OK, OK, OK]


# --- batches ---


def test_what_follows_a_batch_is_told_how_it_ended():
    heard, process = a_process()
    jobs = steps(process)

    batch = process.app.batch(
        [jobs["fetch"].step(number) for number in range(5)],
        on_success=jobs["after"].step(label="success"),
        on_complete=jobs["after"].step(label="complete"),
    ).enqueue()
    process.settle_down()

    assert heard.seen[-2:] == [("after success", 5), ("after complete", 5)]
    [told, _] = heard.summaries
    assert (told.flow, told.total, told.is_success, told.failed_ids) == (batch.id, 5, True, ())
    assert list(batch.results()) == [list(range(number)) for number in range(5)]


def test_the_result_of_a_batch_is_what_each_of_its_members_returned():
    _, process = a_process()
    jobs = steps(process)

    batch = process.app.batch([jobs["double"].step(number) for number in (3, 1, 2)]).enqueue()
    process.settle_down()

    assert batch.result() == [6, 2, 4]


def test_a_batch_of_which_one_member_failed_has_no_result():
    heard, process = a_process()
    jobs = steps(process)
    heard.failing = {"double 1"}

    batch = process.app.batch([jobs["double"].step(number) for number in (3, 1, 2)]).enqueue()
    process.settle_down()

    with pytest.raises(RunFailed, match="double does not work") as refused:
        batch.result()
    assert refused.value.run_id == batch.children[1].id


def test_after_a_failure_only_on_complete_runs_and_is_told_who_failed():
    heard, process = a_process()
    jobs = steps(process)
    heard.failing = {"fetch 1", "fetch 3"}

    batch = process.app.batch(
        [jobs["fetch"].step(number) for number in range(5)],
        on_success=jobs["after"].step(label="success"),
        on_complete=jobs["after"].step(label="complete"),
    ).enqueue()
    process.settle_down()

    assert heard.seen[-1] == ("after complete", 3)
    assert states(batch)[-2:] == [CANCELLED, OK]
    assert reasons(batch)[-2] == "flow stopped: of 5 members 2 failed"
    [told] = heard.summaries
    assert (told.failed, set(told.failed_ids)) == (2, {batch.runs()[1].id, batch.runs()[3].id})


def test_progress_counts_the_members_and_not_what_follows():
    heard, process = a_process()
    jobs = steps(process)
    heard.failing = {"fetch 1"}
    batch = process.app.batch(
        [jobs["fetch"].step(0), jobs["fetch"].step(1), jobs["fetch"].using(delay=HOUR).step(2)],
        on_complete=jobs["after"].step(),
    ).enqueue()

    process.settle_down()

    progress = batch.progress
    assert (progress.total, progress.done, progress.succeeded, progress.failed, progress.waiting) == (3, 2, 1, 1, 1)
    assert not batch.is_over
    process.advance(HOUR)
    assert batch.is_over


def test_one_job_for_many_tenants_is_a_batch_of_their_runs():
    heard, process = a_process()
    jobs = steps(process)

    batch = process.app.batch(
        jobs["visit"].step("x").for_tenants(process.app.list_tenants()), on_success=jobs["after"].step()
    ).enqueue()
    process.settle_down()

    assert {run.tenant for run in batch.runs()} == {"acme", "globex", None}
    assert sorted(heard.seen) == [("after ", 2), ("visit acme", "x"), ("visit globex", "x")]


def test_a_member_that_is_retried_and_succeeds_brings_on_success_back():
    heard, process = a_process()
    jobs = steps(process)
    heard.failing = {"fetch 1"}
    batch = process.app.batch(
        [jobs["fetch"].step(0), jobs["fetch"].step(1)],
        on_success=jobs["after"].step(label="success"),
        on_complete=jobs["after"].step(label="complete"),
    ).enqueue()
    process.settle_down()
    heard.failing.clear()

    process.app.retry([batch.runs()[1].id])
    process.settle_down()

    assert states(batch) == [OK] * 4
    # On complete has run, with what it was told then: not again.
    assert [name for name, _ in heard.seen if name.startswith("after")] == ["after complete", "after success"]


def test_what_follows_may_take_nothing():
    heard, process = a_process()
    jobs = steps(process)

    process.app.batch([jobs["fetch"].step(1)], on_success=jobs["tidy"].step().without_result()).enqueue()
    process.settle_down()

    assert heard.seen[-1] == ("tidy", None)
