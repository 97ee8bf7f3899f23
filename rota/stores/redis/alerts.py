"""What a store on Redis keeps for alerts."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct

from rota.core.alert import Alert
from rota.core.controls import AuditEntry
from rota.core.delivery import Delivery, DeliveryState
from rota.core.incident import Incident, Member
from rota.core.signal import Signal
from rota.queries import DeliveryQuery, IncidentQuery
from rota.stores.memory_alerts import is_delivery_meant, is_incident_meant
from rota.stores.redis.audit import told
from rota.stores.redis.mapping import at, at_if, micros, micros_if, to_json
from rota.stores.redis.paging import newest_first
from rota.stores.redis.records import Whole
from rota.stores.redis.server import Server


class IncidentRecord(Struct, kw_only=True, omit_defaults=True):
    """An incident: what scripts look into, and all of it as JSON."""

    version: int
    body: str
    key: str | None = None
    look_at: Whole | None = None
    closed_at: Whole | None = None


class DeliveryRecord(Struct, kw_only=True, omit_defaults=True):
    """A delivery. The fields of `Delivery`, as Redis keeps them; the alert is JSON."""

    id: str
    incident: str
    channel: str
    alert: str
    state: str
    due_at: Whole
    attempt: int
    token: int
    error: str
    created_at: Whole
    ended_at: Whole | None = None


_signal = msgspec.json.Decoder(Signal)
_incident = msgspec.json.Decoder(Incident)
_member = msgspec.json.Decoder(Member)
_alert = msgspec.json.Decoder(Alert)
_incident_record = msgspec.msgpack.Decoder(IncidentRecord)
_delivery_record = msgspec.msgpack.Decoder(DeliveryRecord)
_claimed = msgspec.msgpack.Decoder(list[DeliveryRecord])


class RedisAlerts:
    """What went wrong until it is over, and what is to be told of it. What a verb promises stands in `AlertStore`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def signals(self, *, limit: int = 500) -> list[Signal]:
        # All ids, which are few: whoever looks out takes them away as they come.
        ids = sorted(self._server.ask("HKEYS", self._server.key("signals")))[:limit]
        kept = self._server.ask("HMGET", self._server.key("signals"), *ids) if ids else []
        return [_signal.decode(one) for one in kept if one is not None]

    def incidents(self, query: IncidentQuery) -> list[Incident]:
        found = (incident for incident in self._every_incident(query) if is_incident_meant(incident, query))
        return list(islice(found, query.limit))

    def members(self, incident: str) -> list[Member]:
        kept = self._server.ask("HVALS", self._server.key("incident-members", incident))
        return sorted((_member.decode(one) for one in kept), key=lambda member: member.name)

    def write(
        self,
        incident: Incident,
        *,
        expected_version: int | None,
        members: Sequence[Member] = (),
        taken: Sequence[str] = (),
        deliveries: Sequence[Delivery] = (),
        audit: AuditEntry | None = None,
    ) -> bool:
        request = {
            "id": incident.id,
            "record": IncidentRecord(
                version=incident.version,
                body=to_json(incident),
                key=incident.key,
                look_at=micros_if(incident.look_at),
                closed_at=micros_if(incident.closed_at),
            ),
            "expected_version": expected_version,
            "members": [text for member in members for text in (member.name, to_json(member))],
            "taken": list(dict.fromkeys(taken)),
            "deliveries": [_record_of(delivery) for delivery in deliveries],
            "audit": told(audit),
        }
        return bool(self._server.call("write_incident", request))

    def deliveries(self, query: DeliveryQuery) -> list[Delivery]:
        every = self._every_delivery(query.before_id)
        return list(islice((one for one in every if is_delivery_meant(one, query)), query.limit))

    def claim_deliveries(self, channel: str, *, lease: timedelta, now: datetime, limit: int = 1) -> list[Delivery]:
        request = {"channel": channel, "now": micros(now), "until_at": micros(now + lease), "limit": limit}
        return [_delivery_of(record) for record in _claimed.decode(self._server.call("claim_deliveries", request))]

    def settle_delivery(self, delivery: Delivery) -> bool:
        request = {
            "id": delivery.id,
            "token": delivery.token,
            "state": delivery.state.value,
            "due_at": micros(delivery.due_at),
            "error": delivery.error,
            "ended_at": micros_if(delivery.ended_at),
        }
        return bool(self._server.call("settle_delivery", request))

    def prune(self, *, before: datetime, limit: int = 500) -> int:
        return int(self._server.call("prune_alerts", {"before": micros(before), "limit": limit}))

    def _every_incident(self, query: IncidentQuery) -> Iterator[Incident]:
        """Yield incidents, newest first; of those that are held, or are to be looked at, no others are read."""
        if query.look_before is not None:
            looks = self._server.key("incident-looks")
            ids = self._server.ask("ZRANGEBYSCORE", looks, "-inf", micros(query.look_before))
        elif query.held:
            ids = self._server.ask("HVALS", self._server.key("incident-keys"))
        else:
            for page in newest_first(self._server, "incident-ids", query.before_id):
                yield from self._incidents_of(page)
            return
        yield from self._incidents_of(sorted((one.decode() for one in ids), reverse=True))

    def _incidents_of(self, ids: Sequence[str]) -> Iterator[Incident]:
        for kept in self._server.ask("HMGET", self._server.key("incidents"), *ids) if ids else []:
            # One may have been pruned since.
            if kept is not None:
                yield _incident.decode(_incident_record.decode(kept).body)

    def _every_delivery(self, before_id: str | None) -> Iterator[Delivery]:
        for ids in newest_first(self._server, "delivery-ids", before_id):
            for kept in self._server.ask("HMGET", self._server.key("deliveries"), *ids):
                if kept is not None:
                    yield _delivery_of(_delivery_record.decode(kept))


def _record_of(delivery: Delivery) -> DeliveryRecord:
    return DeliveryRecord(
        id=delivery.id,
        incident=delivery.incident,
        channel=delivery.channel,
        alert=to_json(delivery.alert),
        state=delivery.state.value,
        due_at=micros(delivery.due_at),
        attempt=delivery.attempt,
        token=delivery.token,
        error=delivery.error,
        created_at=micros(delivery.created_at),
        ended_at=micros_if(delivery.ended_at),
    )


def _delivery_of(record: DeliveryRecord) -> Delivery:
    fields: dict[str, Any] = {name: getattr(record, name) for name in ("id", "incident", "channel", "error")}
    return Delivery(
        **fields,
        alert=_alert.decode(record.alert),
        state=DeliveryState(record.state),
        due_at=at(record.due_at),
        attempt=record.attempt,
        token=record.token,
        created_at=at(record.created_at),
        ended_at=at_if(record.ended_at),
    )
