"""Chains and batches as they are shown: their runs in order, and how far they have come (R32)."""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from rota.app import Rota
from rota.core.flow import in_order, part_of
from rota.core.gates import flow_batch, follow_batch
from rota.core.model import Run, State
from rota.core.part import FOLLOWERS, Role
from rota.errors import RunNotFound
from rota.queries import RunQuery
from rota.views.runs import RunRow, all_runs, find, run_row


class PartRow(Struct, frozen=True, kw_only=True):
    """One run of a flow."""

    role: Role
    number: int
    """Which step or member, from 1."""
    run: RunRow


class FlowDetail(Struct, frozen=True, kw_only=True):
    """A chain or batch with its runs."""

    id: str
    kind: str
    """`chain` or `batch`."""
    total: int
    """Steps or members; what follows a batch does not count."""
    counts: Mapping[State, int]
    """How many of them stand where."""
    parts: list[PartRow]
    """In order: steps or members, then what follows the batch."""


def flow_runs(app: Rota, flow: str) -> list[Run]:
    """Return the runs of a chain or batch, by its whole id, in order; none when there is no such flow."""
    members = all_runs(app, RunQuery(batch=flow_batch(flow)))
    followers = all_runs(app, RunQuery(batch=follow_batch(flow))) if members else []
    return in_order(members) + sorted(followers, key=lambda run: run.id)


def flow_detail(flow: str, runs: list[Run]) -> FlowDetail:
    """Return a chain or batch with what is known of its runs."""
    members = [run for run in runs if part_of(run).role not in FOLLOWERS]
    parts = [PartRow(role=part_of(run).role, number=part_of(run).number, run=run_row(run)) for run in runs]
    return FlowDetail(
        id=flow,
        kind="chain" if parts[0].role is Role.STEP else "batch",
        total=len(members),
        counts=Counter(run.state for run in members),
        parts=parts,
    )


def runs_of_flow(app: Rota, text: str) -> list[Run]:
    """Return the runs of the flow of this id; none when it is the id of something else.

    Raises:
        RunOrRoundNotFound: nothing has this id.
    """
    try:
        find(app, text)
    except RunNotFound:
        if runs := flow_runs(app, text):
            return runs
        raise
    return []
