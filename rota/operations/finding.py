"""What an id belongs to, where it may be that of a run, of a round, of a chain or of a batch."""

from msgspec import Struct

from rota.core.access import Capability
from rota.core.model import Round
from rota.operations.operation import Desk, Question, operation
from rota.views.flows import FlowDetail, flow_detail, runs_of_flow
from rota.views.rounds import RoundDetail, round_detail
from rota.views.runs import RunDetail, find, run_detail


class IdAsked(Question, frozen=True, kw_only=True):
    """An id that somebody was given."""

    id: str
    """The beginning will do, six digits or more, if only one has it; of a chain or batch all of it."""


class Found(Struct, frozen=True, kw_only=True):
    """What has an id: one of these."""

    run: RunDetail | None = None
    round: RoundDetail | None = None
    flow: FlowDetail | None = None


@operation("GET", "/api/v1/find/{id}", needs=Capability.READ)
def find_by_id(desk: Desk, asked: IdAsked) -> Found:
    """Show the run, the round, the chain or the batch that has this id."""
    of_flow = runs_of_flow(desk.app, asked.id)
    if of_flow:
        return Found(flow=flow_detail(asked.id, of_flow))
    found = find(desk.app, asked.id)
    if isinstance(found, Round):
        return Found(round=round_detail(desk.app, found))
    return Found(run=run_detail(desk.app, found))
