"""Which gate holds a run first, which one next, and which of them take a place of its batch."""

import pytest

from rota.core.gates import (
    DEPENDS,
    campaign_batch,
    canary_gate,
    catch_up_batch,
    first_gate,
    is_before_batch,
    job_gate,
    next_gate,
    round_batch,
    split,
    tenant_gate,
)
from rota.core.model import RunKind
from rota.core.policy import Job
from tests.values import a_run, a_slot_run

FREE = Job(name="report")
WAITING = Job(name="report", depends_on=("import",))
ROUND, CATCH_UP, CAMPAIGN = round_batch("r1"), catch_up_batch("nightly"), campaign_batch("c1")


def way(run, job, *, canary=False):
    """Return the gates that a run passes, in order."""
    gates = []
    gate = first_gate(run, job, canary=canary)
    while gate is not None:
        gates.append(gate)
        assert len(gates) < 9, "it goes in circles"
        gate = next_gate(a_slot_run(round_id="r1", batch=run.batch, held_by=gate), job)
    return gates


@pytest.mark.parametrize(
    ("batch", "job", "canary", "gates"),
    [
        (None, FREE, False, []),
        (None, WAITING, False, [DEPENDS]),
        (ROUND, FREE, False, [ROUND]),
        # A place is for who can begin: dependencies first (R21).
        (ROUND, WAITING, False, [DEPENDS, ROUND]),
        (CATCH_UP, WAITING, True, [canary_gate("r1"), DEPENDS, CATCH_UP]),
        # A campaign's gate keeps its pace, and sends to the dependencies itself.
        (CAMPAIGN, WAITING, False, [CAMPAIGN, DEPENDS]),
    ],
)
def test_a_run_passes_its_gates_in_this_order(batch, job, canary, gates):  # R8, R11, R13, R24
    assert way(a_slot_run(round_id="r1", batch=batch), job, canary=canary) == gates


@pytest.mark.parametrize("gate", [tenant_gate("acme"), job_gate("report")])
def test_after_a_pause_a_run_passes_all_other_gates(gate):  # R12, R25
    run = a_slot_run(round_id="r1", batch=ROUND, held_by=gate)

    assert next_gate(run, WAITING) == DEPENDS


@pytest.mark.parametrize(
    "run", [a_run(tenant="acme"), a_slot_run(kind=RunKind.EXPANSION)], ids=["started by hand", "an expansion"]
)
def test_only_runs_of_slots_wait_for_dependencies(run):  # R11
    assert first_gate(run, WAITING) is None


@pytest.mark.parametrize(
    ("gate", "batch", "is_before"),
    [
        (canary_gate("r1"), ROUND, True),
        (tenant_gate("acme"), CATCH_UP, True),
        (job_gate("report"), CAMPAIGN, True),
        (DEPENDS, CATCH_UP, True),
        (DEPENDS, CAMPAIGN, False),
        (ROUND, CATCH_UP, False),
    ],
)
def test_a_run_that_is_held_before_its_batch_takes_no_place_of_it(gate, batch, is_before):  # R21
    assert is_before_batch(gate, batch) is is_before


def test_a_name_with_a_slash_stays_whole():
    assert split(catch_up_batch("cron_jobs/7")) == ("catch-up", "cron_jobs/7")
