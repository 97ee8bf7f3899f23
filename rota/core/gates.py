"""What may hold a run back though it is due, as texts that a store keeps, and where a run goes from there.

A held run is `scheduled`, not in anybody's way and in nobody's claim. It goes on when its gate opens: `Store.admit`.
"""

from rota.core.model import Run, RunKind
from rota.core.part import FOLLOWERS
from rota.core.policy import Job

DEPENDS = "depends"
"""Waits until the jobs that its job depends on have succeeded (R11)."""

FLOW = "flow"
"""Waits for what comes before it in its flow: the step before, or the members of the batch (R32). One gate for all:
thousands of chains are thousands of names otherwise, each of them looked up in every pass."""

BEFORE = frozenset({"canary", "canary-run", "job", "tenant", "parked"})
"""Kinds of gates that come before every batch."""


def job_gate(job: str) -> str:
    """Return what holds the runs of a paused job (R12)."""
    return f"job/{job}"


def tenant_gate(tenant: str) -> str:
    """Return what holds the runs of a paused tenant until it is resumed; then all of them go on (R12)."""
    return f"tenant/{tenant}"


def parked_gate(tenant: str) -> str:
    """Return what holds the runs of a parked tenant. Of the slots that were kept, its schedules' catch-up decides which
    go on when it is reached again (R25)."""
    return f"parked/{tenant}"


def canary_gate(round_id: str) -> str:
    """Return what holds a round until the run of its first tenant has succeeded (R24)."""
    return f"canary/{round_id}"


def canary_run_gate(run_id: str) -> str:
    """Return what holds the runs of a retry until this one, which goes first, has succeeded (R24)."""
    return f"canary-run/{run_id}"


def round_batch(round_id: str) -> str:
    """Return the batch, and the gate, of a round whose runs share a number of places."""
    return f"round/{round_id}"


def catch_up_batch(schedule: str) -> str:
    """Return the batch, and the gate, of a schedule's missed slots (R8: `max_catch_up_parallel`)."""
    return f"catch-up/{schedule}"


def campaign_batch(campaign: str) -> str:
    """Return the batch, and the gate, of a backfill campaign (R13)."""
    return f"campaign/{campaign}"


def flow_batch(flow: str) -> str:
    """Return the batch of the runs of a flow."""
    return f"flow/{flow}"


def follow_batch(flow: str) -> str:
    """Return the batch of what follows the members of a flow. Not that of the members: those are counted."""
    return f"follow/{flow}"


def flow_of(run: Run) -> str | None:
    """Return the id of the flow that a run is part of."""
    return split(run.batch or "")[1] if run.part is not None else None


def split(gate: str) -> tuple[str, str]:
    """Return the kind of a gate and the name of what holds it: ("tenant", "acme")."""
    kind, _, name = gate.partition("/")
    return kind, name


def is_before_batch(gate: str, batch: str) -> bool:
    """Whether a run passes this gate before that of its batch: while it is held there it takes no place of the batch.

    A paused or parked tenant, and one whose dependency has failed, must not keep places from the others (R21). A
    campaign alone asks for dependencies after its own gate: its pace is kept by that, and what waits there is out.
    """
    kind, _ = split(gate)
    return kind in BEFORE or (gate == DEPENDS and not _is_campaign(batch))


def first_gate(run: Run, job: Job, *, canary: bool = False) -> str | None:
    """Return what holds a new run at first: the canary of its round, its dependencies, its batch, or nothing.

    `canary`: its round has a canary, and this is not that run.
    """
    if canary and run.round_id is not None:
        return canary_gate(run.round_id)
    return next(iter(_path(run, job)), None)


def next_gate(run: Run, job: Job) -> str | None:
    """Return what holds a run after the gate that holds it now has opened.

    From the gate of a canary, or of a paused job or tenant, it goes through all the others, perhaps again.
    """
    path = _path(run, job)
    passed = path.index(run.held_by) + 1 if run.held_by in path else 0
    return next(iter(path[passed:]), None)


def _path(run: Run, job: Job) -> list[str]:
    if run.part is not None:
        return [FLOW] if follows(run) else []
    waits = [DEPENDS] if depends(run, job) else []
    batch = [run.batch] if run.batch is not None else []
    # Dependencies first: a place is for who can begin.
    return batch + waits if _is_campaign(run.batch or "") else waits + batch


def _is_campaign(batch: str) -> bool:
    return split(batch)[0] == "campaign"


def depends(run: Run, job: Job) -> bool:
    """Whether a run waits for the jobs that its job depends on: those of a slot do, what people start does not."""
    return bool(job.depends_on) and run.slot is not None and run.kind is RunKind.JOB


def follows(run: Run) -> bool:
    """Whether something of its flow comes before a run."""
    part = run.part
    return part is not None and (part.after is not None or part.role in FOLLOWERS)
