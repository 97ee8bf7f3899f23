"""What is asked about what is wrong, and about the channels that tell of it."""

from rota.core.access import Capability
from rota.operations.operation import Cursor, Desk, Limit, Next, Nothing, Page, Question, operation
from rota.views.channels import ChannelRow, channel_rows
from rota.views.incidents import (
    DeliveryRow,
    IncidentDetail,
    IncidentRow,
    delivery_row,
    incident_detail,
    incident_rows,
)


class IncidentsAsked(Question, frozen=True, kw_only=True):
    """Which incidents; every field that is set narrows the answer."""

    closed: bool = False
    """Also those that are over."""
    job: tuple[str, ...] = ()
    cursor: Cursor | None = None
    """What `page.next` of the page before said."""
    limit: Limit = 50


@operation("GET", "/api/v1/incidents", needs=Capability.READ)
def list_incidents(desk: Desk, asked: IncidentsAsked) -> Page[IncidentRow]:
    """List what is wrong now, newest first.

    An incident is one thing that is wrong, with all the tenants that it meets. It is over when each of them has
    succeeded since, or is as it should be. A channel that tells nobody of it is warned of.
    """
    app = desk.app
    rows = incident_rows(app, closed=asked.closed, jobs=asked.job, before_id=asked.cursor, limit=asked.limit)
    return Page(
        data=rows,
        page=Next(next=rows[-1].id if len(rows) == asked.limit else None),
        warnings=[f"channel {row.name} accepts nothing: {row.error}" for row in channel_rows(app) if row.is_failing],
    )


class IncidentAsked(Question, frozen=True, kw_only=True):
    """Which incident."""

    id: str
    """Its id, or the beginning or the end of it, if only one has it."""


@operation("GET", "/api/v1/incidents/{id}", needs=Capability.READ)
def show_incident(desk: Desk, asked: IncidentAsked) -> IncidentDetail:
    """Show one incident: whom it meets, what was told of it, and what people wrote down."""
    return incident_detail(desk.app, asked.id)


class DeliveriesAsked(Question, frozen=True, kw_only=True):
    """Which messages; every field that is set narrows the answer."""

    incident: str | None = None
    channel: str | None = None
    limit: Limit = 50


@operation("GET", "/api/v1/deliveries", needs=Capability.READ)
def list_deliveries(desk: Desk, asked: DeliveriesAsked) -> Page[DeliveryRow]:
    """List what channels were told, or are to be, newest first, with what became of it."""
    found = desk.app.incidents.deliveries(incident=asked.incident, channel=asked.channel, limit=asked.limit)
    return Page(data=[delivery_row(one) for one in found])


@operation("GET", "/api/v1/channels", needs=Capability.READ, is_whole=True)
def list_channels(desk: Desk, _asked: Nothing) -> Page[ChannelRow]:
    """List the channels that alerts go to, and whether they accept what they are told."""
    return Page(data=channel_rows(desk.app))
