"""Chains and batches at the command line: shown, explained, narrowed to, retried, cancelled (R32)."""

from rota.core.model import State
from tests.surfaces.conftest import data
from tests.values import claim, given_up, settle_all, succeeded


def a_chain(app) -> str:
    """Queue a chain of two, and return its id."""
    step = app.jobs["broken"].step
    return app.chain(step(), step().without_result()).enqueue().id


def test_a_chain_is_shown_with_where_each_step_stands(noon_rota, noon_app):
    flow = a_chain(noon_app)
    first, second = noon_app.flow(flow).runs()

    shown = noon_rota("show", flow).stdout.splitlines()
    detail = data(noon_rota("show", flow, "--json"))

    assert shown[:2] == [f"flow      {flow}", "chain     2 steps: 1 scheduled, 1 queued"]
    assert shown[2].split() == ["step", "1", "queued", "broken", first.id]
    assert shown[3].split() == ["step", "2", "scheduled", "broken", second.id]
    assert [part["run"]["id"] for part in detail["parts"]] == [first.id, second.id]
    assert f"flow      {flow}, step 2 of 2 (broken)" in noon_rota("show", second.id).stdout


def test_a_chain_is_explained_by_the_step_that_keeps_the_others_waiting(noon_rota, noon_app):
    flow = a_chain(noon_app)
    first, second = noon_app.flow(flow).runs()

    assert f"run {first.id}" in noon_rota("explain", flow).stdout
    assert (
        f"it waits for step 1 of 2 (broken), which is queued: run {first.id}" in noon_rota("explain", second.id).stdout
    )


def test_a_batch_is_explained_by_a_member_that_is_not_over_before_one_that_failed(noon_rota, noon_app):
    step = noon_app.jobs["broken"].step
    flow = noon_app.batch([step(), step()]).enqueue().id
    failed, queued = noon_app.flow(flow).runs()
    [claimed] = claim(noon_app.store, limit=1)
    settle_all(noon_app.store, given_up(claimed))

    assert f"run {queued.id}" in noon_rota("explain", flow).stdout

    [claimed] = claim(noon_app.store)
    settle_all(noon_app.store, succeeded(claimed))
    assert f"run {failed.id}" in noon_rota("explain", flow).stdout


def test_runs_are_narrowed_to_those_of_a_flow(noon_rota, noon_app):
    flow = a_chain(noon_app)
    noon_app.jobs["broken"].enqueue()

    rows = data(noon_rota("runs", "--flow", flow, "--json"))

    assert {row["id"] for row in rows} == {run.id for run in noon_app.flow(flow).runs()}


def test_who_waits_for_a_flow_waits_for_each_of_its_runs(rota, app):  # R38
    flow = a_chain(app)
    first, second = app.flow(flow).runs()

    early = rota("wait", flow, "--timeout", "1ms")
    rota("cancel", flow, "--yes")
    late = rota("wait", flow, "--json")

    assert "2 of 2 not over" in early.stderr
    assert [(row["id"], row["state"]) for row in data(late)] == [(first.id, "cancelled"), (second.id, "cancelled")]
    assert late.exit_code == 1
    assert rota("wait", "0" * 32).exit_code == 3


def test_a_flow_is_cancelled_and_retried_whole(noon_rota, noon_app):
    flow = a_chain(noon_app)

    noon_rota("cancel", flow, "--yes")
    assert {run.state for run in noon_app.flow(flow).runs()} == {State.CANCELLED}
    noon_rota("retry", flow)

    assert [run.state for run in noon_app.flow(flow).runs()] == [State.SCHEDULED, State.SCHEDULED]
