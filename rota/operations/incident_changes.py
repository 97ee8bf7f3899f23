"""What people say about incidents, and a try of the channels that tell of them (R50)."""

from datetime import datetime

from msgspec import Struct

from rota.core.access import Capability
from rota.core.alert import Alert
from rota.operations.operation import Desk, Question, operation
from rota.views.incidents import IncidentRow, incident_detail


class IncidentSaid(Question, frozen=True, kw_only=True):
    """Which incident, and what the others should know."""

    id: str
    """Its id, or the beginning or the end of it, if only one has it."""
    note: str = ""
    """Kept with it and in the audit; it goes along with the next message."""


class MuteAsked(IncidentSaid, frozen=True, kw_only=True):
    """Which incident is to be told of no more."""

    until: datetime | None = None
    """When it is told of again; null: when it is over."""


class NoteAsked(Question, frozen=True, kw_only=True):
    """What is to be written down about an incident."""

    id: str
    """Its id, or the beginning or the end of it, if only one has it."""
    text: str


class ChannelAsked(Question, frozen=True, kw_only=True):
    """Which channel."""

    name: str


class Acked(Struct, frozen=True, kw_only=True):
    """An incident that somebody is at."""

    incident: IncidentRow
    by: str
    """Who it is; who has muted it may be another one."""


@operation("POST", "/api/v1/incidents/{id}/ack", needs=Capability.MANAGE)
def ack_incident(desk: Desk, asked: IncidentSaid) -> Acked:
    """Say that somebody is at it: it is not repeated any more, and its end is told."""
    known = desk.app.incidents.ack(asked.id, note=asked.note, actor=desk.actor)
    return Acked(incident=incident_detail(desk.app, known.id).incident, by=known.acked_by)


@operation("POST", "/api/v1/incidents/{id}/mute", needs=Capability.MANAGE)
def mute_incident(desk: Desk, asked: MuteAsked) -> IncidentRow:
    """Tell nobody of it, until a time or until it is over. It stays in every list."""
    known = desk.app.incidents.mute(asked.id, until=asked.until, note=asked.note, actor=desk.actor)
    return incident_detail(desk.app, known.id).incident


@operation("POST", "/api/v1/incidents/{id}/unmute", needs=Capability.MANAGE)
def unmute_incident(desk: Desk, asked: IncidentSaid) -> IncidentRow:
    """Tell of it again."""
    known = desk.app.incidents.unmute(asked.id, note=asked.note, actor=desk.actor)
    return incident_detail(desk.app, known.id).incident


@operation("POST", "/api/v1/incidents/{id}/notes", needs=Capability.MANAGE)
def note_incident(desk: Desk, asked: NoteAsked) -> IncidentRow:
    """Write something down about an incident: it goes along with the next message."""
    known = desk.app.incidents.note(asked.id, asked.text, actor=desk.actor)
    return incident_detail(desk.app, known.id).incident


@operation("POST", "/api/v1/channels/{name}/test", needs=Capability.MANAGE, is_whole=True)
def try_channel(desk: Desk, asked: ChannelAsked) -> Alert:
    """Send a channel a message that says that nothing is wrong, now and from the server; return it."""
    return desk.app.incidents.test(asked.name)
