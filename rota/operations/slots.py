"""What is asked about slots."""

from datetime import datetime, timedelta

from rota.core.access import Capability
from rota.errors import BadRequest
from rota.operations.operation import Desk, Page, Question, operation
from rota.views.chosen import chosen
from rota.views.slots import MISSING, SlotRow, slot_grid

USUAL = timedelta(days=7)
WRONG = (MISSING, "failed")


class SlotsAsked(Question, frozen=True, kw_only=True):
    """Which slots of what."""

    name: str
    """A job, or one schedule."""
    tenant: tuple[str, ...] = ()
    """Ids, or `@tag` for all that have it."""
    since: datetime | None = None
    """From here on; without it from 7 days before `until`."""
    until: datetime | None = None
    """Up to here, not included; without it up to now."""
    missed: bool = False
    """Only those that are missing or failed for somebody."""


@operation("GET", "/api/v1/slots/{name}", needs=Capability.READ)
def list_slots(desk: Desk, asked: SlotsAsked) -> Page[SlotRow]:
    """List which slots ran, failed or are missing, oldest first: at most 12,000 of a schedule."""
    app = desk.app
    until = asked.until if asked.until is not None else app.clock.now()
    since = asked.since if asked.since is not None else until - USUAL
    if since >= until:
        raise BadRequest("since", "it is not before `until`: there is no slot between them")
    rows = slot_grid(app, asked.name, since=since, until=until, tenants=chosen(app, asked.tenant))
    return Page(data=[row for row in rows if row.state in WRONG] if asked.missed else rows)
