"""What is wrong now and was lately: for people on call, and for pages of an application's own (R50)."""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec.structs import replace

from rota.alerting import notifiers
from rota.audit import entry
from rota.core.alert import Alert
from rota.core.delivery import Delivery
from rota.core.incident import Incident, IncidentState, Member, Remark
from rota.core.telling import trial_of
from rota.errors import ChannelNotFound, ConfigurationError, IncidentNotFound, Refused
from rota.footing import Footing
from rota.queries import DeliveryQuery, IncidentQuery
from rota.redaction import remark

LEAST_PREFIX = 6
"""Digits of an id by which an incident may be called."""

PAGE = 500
MOST_REMARKS = 50
"""Remarks of one incident that are kept: the last ones."""

SOMEBODY = "somebody"


class Incidents:
    """Reads incidents, and writes what people say about them. Every change leaves an entry in the audit."""

    def __init__(self, footing: Footing) -> None:
        self._store = footing.store
        self._clock = footing.clock
        self._settings = footing.settings

    def list(
        self,
        *,
        closed: bool = False,
        jobs: Sequence[str] = (),
        before_id: str | None = None,
        limit: int = 50,
    ) -> list[Incident]:
        """Return what is wrong now, newest first; with `closed` also what was."""
        states = () if closed else (IncidentState.OPEN,)
        query = IncidentQuery(states=states, jobs=tuple(jobs), before_id=before_id, limit=limit)
        return self._store().alerts.incidents(query)

    def get(self, incident: str) -> Incident:
        """Return an incident by its id, or by its first six digits or more, or its last ones.

        Raises:
            IncidentNotFound: there is no such incident, or several are called so.
        """
        exact = self._store().alerts.incidents(IncidentQuery(ids=(incident,)))
        found = exact or (self._called(incident) if len(incident) >= LEAST_PREFIX else [])
        if len(found) != 1:
            raise IncidentNotFound(incident)
        return found[0]

    def members(self, incident: str) -> Sequence[Member]:
        """Return whom an incident has met, by name: tenants, or schedules or loops where it is about those."""
        return self._store().alerts.members(self.get(incident).id)

    def deliveries(
        self, *, incident: str | None = None, channel: str | None = None, limit: int = 50
    ) -> Sequence[Delivery]:
        """Return what was told of incidents, or is to be, newest first, with what became of it."""
        known = None if incident is None else self.get(incident).id
        return self._store().alerts.deliveries(DeliveryQuery(incident=known, channel=channel, limit=limit))

    def ack(self, incident: str, *, note: str = "", actor: str | None = None) -> Incident:
        """Say that somebody is at it: it is not repeated any more, its end is told.

        Raises:
            IncidentNotFound: there is none of this id.
            Refused: it is over.
        """

        def acked(known: Incident) -> Incident:
            if not known.is_open:
                raise Refused(f"incident {known.id} is over: there is nothing to see to")
            return replace(known, acked_at=self._clock.now(), acked_by=_name(actor))

        return self._change(incident, "incident.ack", acked, note=note, actor=actor)

    def mute(
        self, incident: str, *, until: datetime | None = None, note: str = "", actor: str | None = None
    ) -> Incident:
        """Tell nobody of it until then, or without a time until it is over; it stays in every list.

        Raises:
            IncidentNotFound: there is none of this id.
            ConfigurationError: the time is over, or has no zone.
            Refused: it is over, and so would be the mute; with a time it holds for what opens it again.
        """
        if until is not None and (until.tzinfo is None or until <= self._clock.now()):
            raise ConfigurationError(f"muted until {until} is over already, or has no zone: name a time to come")

        def muted(known: Incident) -> Incident:
            if not known.is_open and until is None:
                raise Refused(f"incident {known.id} is over: name a time up to which nobody is told if it comes back")
            return replace(known, muted_at=self._clock.now(), muted_until=until, muted_by=_name(actor))

        return self._change(incident, "incident.mute", muted, note=note, actor=actor, until=until)

    def unmute(self, incident: str, *, note: str = "", actor: str | None = None) -> Incident:
        """Tell of it again.

        Raises:
            IncidentNotFound: there is none of this id.
            Refused: it is not muted.
        """

        def unmuted(known: Incident) -> Incident:
            if not known.is_muted(self._clock.now()):
                raise Refused(f"incident {known.id} is not muted")
            return replace(known, muted_at=None, muted_until=None, muted_by="")

        return self._change(incident, "incident.unmute", unmuted, note=note, actor=actor)

    def note(self, incident: str, text: str, *, actor: str | None = None) -> Incident:
        """Write something down about it: it goes along with the next message.

        Raises:
            IncidentNotFound: there is none of this id.
            ConfigurationError: it says nothing.
        """
        if not text.strip():
            raise ConfigurationError("a note needs words")
        return self._change(incident, "incident.note", lambda known: known, note=text, actor=actor)

    def test(self, channel: str) -> Alert:
        """Send a channel a message that says that nothing is wrong, now and from here; return it.

        Raises:
            ChannelNotFound: none is called so.
            ConfigurationError: it is not understood, or lacks something.
            DeliveryFailed: it was not accepted; the message says why.
        """
        settings = self._settings().alerts
        if channel not in [one.called for one in settings.named]:
            raise ChannelNotFound(channel, known=[one.called for one in settings.named])
        alert = trial_of(channel, new_id=self._clock.new_id(), now=self._clock.now())
        notifiers(settings, clock=self._clock)[channel].send(alert)
        return alert

    def _change(
        self,
        incident: str,
        action: str,
        change: Callable[[Incident], Incident],
        *,
        note: str,
        actor: str | None,
        **detail: object,
    ) -> Incident:
        """Write a change over whatever the incident has become meanwhile."""
        found = self.get(incident)
        audit = entry(self._clock, actor=actor, action=action, target=found.id, reason=note or None, **detail)
        said = Remark(at=audit.at, author=_name(actor), text=remark(note)) if note.strip() else None
        while True:
            known = self.get(found.id)
            remarks = known.remarks if said is None else (*known.remarks, said)[-MOST_REMARKS:]
            changed = replace(change(known), remarks=remarks, version=known.version + 1)
            if self._store().alerts.write(changed, expected_version=known.version, audit=audit):
                return changed

    def _called(self, digits: str) -> Sequence[Incident]:
        found: list[Incident] = []
        before: str | None = None
        while True:
            page = self._store().alerts.incidents(IncidentQuery(before_id=before, limit=PAGE))
            found += [one for one in page if one.id.startswith(digits) or one.id.endswith(digits)]
            if len(page) < PAGE:
                return found
            before = page[-1].id


def _name(actor: str | None) -> str:
    return (actor or "").rpartition(":")[2] or SOMEBODY
