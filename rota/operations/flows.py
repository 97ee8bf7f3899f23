"""What is asked about chains and batches."""

from rota.core.access import Capability
from rota.errors import FlowNotFound
from rota.operations.operation import Desk, Question, operation
from rota.views.flows import FlowDetail, flow_detail, flow_runs


class FlowAsked(Question, frozen=True, kw_only=True):
    """Which chain or batch."""

    id: str
    """Its whole id."""


@operation("GET", "/api/v1/flows/{id}", needs=Capability.READ)
def show_flow(desk: Desk, asked: FlowAsked) -> FlowDetail:
    """Show a chain or batch: where each of its runs stands."""
    runs = flow_runs(desk.app, asked.id)
    if not runs:
        raise FlowNotFound(asked.id)
    return flow_detail(asked.id, runs)
