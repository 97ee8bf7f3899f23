"""Chains and batches as they are shown and explained (R32)."""

import pytest

from rota import State
from rota.errors import RunOrRoundNotFound
from rota.views.flows import flow_detail, flow_runs, runs_of_flow
from rota.views.selection import cancellable, retriable
from rota.views.why import Code, ask_run
from tests.clocks import FakeClock
from tests.engine.flows import Heard
from tests.engine.house import Driven, an_app


def a_batch(*failing: str) -> tuple[Driven, str]:
    heard, clock = Heard(), FakeClock()
    heard.failing = set(failing)
    app = an_app(clock=clock)
    heard.declare(app)
    jobs = app.jobs
    batch = app.batch(
        [jobs["fetch"].step(0), jobs["fetch"].step(1)],
        on_success=jobs["after"].step(),
        on_complete=jobs["after"].step(),
    ).enqueue()
    return Driven(app, clock), batch.id


def test_a_flow_is_shown_with_each_run_and_the_sum_of_its_members():
    process, flow = a_batch("fetch 1")
    process.settle_down()

    detail = flow_detail(flow, flow_runs(process.app, flow))

    assert (detail.kind, detail.total) == ("batch", 2)
    assert detail.counts == {State.SUCCEEDED: 1, State.FAILED: 1}
    assert [(part.role, part.number, part.run.state) for part in detail.parts] == [
        ("member", 1, State.SUCCEEDED),
        ("member", 2, State.FAILED),
        ("on_success", 1, State.CANCELLED),
        ("on_complete", 1, State.SUCCEEDED),
    ]


def test_what_waits_for_a_batch_says_how_many_are_not_over():
    process, flow = a_batch()
    *_, on_complete = flow_runs(process.app, flow)

    why = ask_run(process.app, on_complete)

    assert why.reasons[0].code is Code.FLOW
    assert why.reasons[0].text == "it waits for its batch: 2 of 2 members are not over (2 queued)"


def test_what_has_all_that_it_waited_for_goes_on_within_seconds():
    process, flow = a_batch()
    for _ in range(2):
        process.crew.worker.tick(process.clock.now())
    *_, on_complete = flow_runs(process.app, flow)

    [why] = ask_run(process.app, on_complete).reasons

    assert why.code in (Code.HELD, Code.NO_SCHEDULER)


def test_a_flow_stands_for_its_runs_where_they_are_cancelled_or_retried():
    process, flow = a_batch("fetch 1")
    assert [row.state for row in cancellable(process.app, [flow])] == [State.SCHEDULED] * 2 + [State.QUEUED] * 2
    process.settle_down()

    assert cancellable(process.app, [flow]) == []
    assert [row.state for row in retriable(process.app, [flow])] == [State.FAILED, State.CANCELLED]


def test_the_id_of_a_run_is_not_that_of_its_flow_and_nothing_has_every_other():
    process, flow = a_batch()

    assert runs_of_flow(process.app, flow_runs(process.app, flow)[0].id) == []
    with pytest.raises(RunOrRoundNotFound):
        runs_of_flow(process.app, "0" * 32)
