"""Incidents as people on call see them: what needs attention, whom it meets, who is at it."""

from datetime import datetime

from msgspec import Struct

from rota.app import Rota
from rota.core.delivery import Delivery
from rota.core.incident import Incident, Member
from rota.core.telling import advice_of, title_of

NAMES = 5
"""Members that a list names."""


class IncidentRow(Struct, frozen=True, kw_only=True):
    """One incident in a list."""

    id: str
    state: str
    """`open`, `acked`, `muted` or `closed`."""
    kind: str
    job: str
    title: str
    error: str
    number: int
    """How often it was met."""
    affected: int
    """How many tenants, schedules or loops it meets now."""
    names: list[str]
    """The first of them."""
    opened_at: datetime
    last_at: datetime
    closed_at: datetime | None
    seen_by: str
    """Who acknowledged or muted it."""
    muted_until: datetime | None
    note: str
    advice: str


class MemberRow(Struct, frozen=True, kw_only=True):
    """Whom an incident has met."""

    name: str
    number: int
    first_at: datetime
    last_at: datetime
    run: str | None
    recovered_at: datetime | None


class DeliveryRow(Struct, frozen=True, kw_only=True):
    """What a channel was told, or is to be."""

    id: str
    incident: str
    channel: str
    stage: str
    title: str
    state: str
    attempts: int
    created_at: datetime
    due_at: datetime | None
    """When it is tried next; None once it is over."""
    ended_at: datetime | None
    error: str


class IncidentDetail(Struct, frozen=True, kw_only=True):
    """One incident with all that belongs to it."""

    incident: IncidentRow
    place: str
    run: str | None
    slot: datetime | None
    notes: list[str]
    members: list[MemberRow]
    deliveries: list[DeliveryRow]


def incident_rows(
    app: Rota, *, closed: bool = False, jobs: tuple[str, ...] = (), before_id: str | None = None, limit: int = 50
) -> list[IncidentRow]:
    """Return what is wrong now, newest first; with `closed` also what was."""
    found = app.incidents.list(closed=closed, jobs=jobs, before_id=before_id, limit=limit)
    return [_row(one, app.store.alerts.members(one.id), now=app.clock.now()) for one in found]


def incident_detail(app: Rota, incident: str) -> IncidentDetail:
    """Return one incident with whom it has met and what was told of it.

    Raises:
        IncidentNotFound: there is none of this id.
    """
    known = app.incidents.get(incident)
    members = app.store.alerts.members(known.id)
    return IncidentDetail(
        incident=_row(known, members, now=app.clock.now()),
        place=known.place,
        run=known.run_id,
        slot=known.slot,
        notes=[f"{one.at:%Y-%m-%d %H:%M} {one.author}: {one.text}" for one in known.remarks],
        members=[
            MemberRow(
                name=one.name,
                number=one.number,
                first_at=one.first_at,
                last_at=one.last_at,
                run=one.last_run_id,
                recovered_at=one.recovered_at,
            )
            for one in members
        ],
        deliveries=[delivery_row(one) for one in app.incidents.deliveries(incident=known.id)],
    )


def delivery_row(delivery: Delivery) -> DeliveryRow:
    """Return a delivery as a list shows it."""
    return DeliveryRow(
        id=delivery.id,
        incident=delivery.incident,
        channel=delivery.channel,
        stage=str(delivery.alert.stage),
        title=delivery.alert.title,
        state=str(delivery.state),
        attempts=delivery.attempt,
        created_at=delivery.created_at,
        due_at=delivery.due_at if delivery.ended_at is None else None,
        ended_at=delivery.ended_at,
        error=delivery.error,
    )


def _row(incident: Incident, members: list[Member], *, now: datetime) -> IncidentRow:
    names = [one.name for one in members if one.name and (one.recovered_at is None or not incident.is_open)]
    return IncidentRow(
        id=incident.id,
        state=_state(incident, now),
        kind=str(incident.kind),
        job=incident.job,
        title=title_of(incident, names),
        error=incident.error,
        number=incident.number,
        affected=incident.affected,
        names=names[:NAMES],
        opened_at=incident.opened_at,
        last_at=incident.last_at,
        closed_at=incident.closed_at,
        seen_by=incident.muted_by if incident.is_muted(now) else incident.acked_by,
        muted_until=incident.muted_until,
        note=incident.remarks[-1].text if incident.remarks else "",
        advice=advice_of(incident),
    )


def _state(incident: Incident, now: datetime) -> str:
    if not incident.is_open:
        return "closed"
    if incident.is_muted(now):
        return "muted"
    return "acked" if incident.acked_at is not None else "open"
