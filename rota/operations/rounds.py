"""What is asked about rounds."""

from rota.core.access import Capability
from rota.core.model import RoundState
from rota.errors import RoundNotFound
from rota.operations.operation import Cursor, Desk, Instant, Limit, Next, Page, Question, operation
from rota.queries import RoundQuery
from rota.views.rounds import RoundDetail, RoundRow, round_detail, round_rows
from rota.views.runs import find_round


class RoundsAsked(Question, frozen=True, kw_only=True):
    """Which rounds; every field that is set narrows the answer."""

    job: tuple[str, ...] = ()
    schedule: str | None = None
    state: tuple[RoundState, ...] = ()
    since: Instant | None = None
    """Made at or after."""
    cursor: Cursor | None = None
    """What `page.next` of the page before said."""
    limit: Limit = 50


@operation("GET", "/api/v1/rounds", needs=Capability.READ)
def list_rounds(desk: Desk, asked: RoundsAsked) -> Page[RoundRow]:
    """List rounds, newest first: firings and starts by hand, each with the sum of its runs."""
    query = RoundQuery(
        jobs=asked.job, schedule=asked.schedule, states=asked.state, before_id=asked.cursor, limit=asked.limit
    )
    found = round_rows(desk.app, query, since=asked.since)
    return Page(data=found, page=Next(next=found[-1].id if len(found) == asked.limit else None))


class RoundAsked(Question, frozen=True, kw_only=True):
    """Which round."""

    id: str
    """Its id, or the beginning of it: six digits or more, if only one has it."""


@operation("GET", "/api/v1/rounds/{id}", needs=Capability.READ)
def show_round(desk: Desk, asked: RoundAsked) -> RoundDetail:
    """Show a round: who is done, who failed and why, who waits, and how long it took."""
    found = find_round(desk.app, asked.id)
    if found is None:
        raise RoundNotFound(asked.id)
    return round_detail(desk.app, found)
