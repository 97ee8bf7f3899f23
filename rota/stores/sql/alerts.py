"""What a store on SQL keeps for alerts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from rota.clock import from_micros, to_micros
from rota.core.alert import Alert
from rota.core.controls import AuditEntry
from rota.core.delivery import Delivery, DeliveryState
from rota.core.incident import Incident, Member
from rota.core.model import Settlement
from rota.core.signal import Signal, claimed_before, signals_of
from rota.queries import DeliveryQuery, IncidentQuery
from rota.stores.sql.audit import told
from rota.stores.sql.database import Database, Link, json_of
from rota.stores.sql.dialects import KeyTaken
from rota.stores.sql.narrowing import Narrowing
from rota.stores.sql.rows import columns, since_epoch, to_json

SIGNAL = ("id", "body")
INCIDENT = ("id", "open_key", "state", "job", "body", "version", "closed_at", "look_at")
MEMBER = ("incident_id", "tenant", "body")
DELIVERY = (
    "id", "incident_id", "channel", "alert", "state", "due_at", "attempt", "token", "error", "created_at", "ended_at",
)  # fmt: skip
COLUMNS = columns(DELIVERY, "r")

# Served by the primary key.
TAKE = "{drop(signals, id)}"
REPLACE = """
UPDATE {incidents} SET open_key = ?, state = ?, job = ?, body = ?, version = ?, closed_at = ?, look_at = ?
WHERE id = ? AND version = ?
"""
# Served by the index `waiting`, and for each of the few that are due by the index `incident`.
DUE = f"""
SELECT {COLUMNS} FROM {{deliveries}} AS r
WHERE r.state = 'waiting' AND r.channel = ? AND r.due_at <= ? AND NOT EXISTS (
    SELECT 1 FROM {{deliveries}} AS e
    WHERE e.incident_id = r.incident_id AND e.channel = r.channel AND e.state = 'waiting' AND e.id < r.id
) ORDER BY r.id LIMIT ?
"""
CLAIM = """
UPDATE {deliveries} SET due_at = ?, attempt = ?, token = ?
WHERE id = ? AND token = ? AND state = 'waiting' AND due_at <= ?
"""
SETTLE = """
UPDATE {deliveries} SET state = ?, due_at = ?, error = ?, ended_at = ? WHERE id = ? AND token = ? AND state = 'waiting'
"""
# Served by the indexes `old`.
OLD_DELIVERIES = "SELECT r.id FROM {deliveries} AS r WHERE r.ended_at < ? ORDER BY r.ended_at LIMIT ?"
OLD_INCIDENTS = """
SELECT r.id FROM {incidents} AS r WHERE r.closed_at < ? AND r.open_key IS NULL ORDER BY r.closed_at LIMIT ?
"""

_signal = msgspec.json.Decoder(Signal)
_incident = msgspec.json.Decoder(Incident)
_member = msgspec.json.Decoder(Member)
_alert = msgspec.json.Decoder(Alert)


class _Refused(Exception):
    """What was read is no longer so: the transaction is to be rolled back."""


class SqlAlerts:
    """What went wrong until it is over, and what is to be told of it. What a verb promises stands in `AlertStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def signals(self, *, limit: int = 500) -> list[Signal]:
        text = "SELECT body FROM {signals} ORDER BY id LIMIT ?"
        return [_signal.decode(row[0]) for row in self._database.read(lambda link: link.all(text, limit))]

    def incidents(self, query: IncidentQuery) -> list[Incident]:
        return self._database.read(lambda link: _meant(link, query))

    def members(self, incident: str) -> list[Member]:
        # Served by the primary key.
        text = "SELECT body FROM {incident_tenants} WHERE incident_id = ? ORDER BY tenant"
        return [_member.decode(row[0]) for row in self._database.read(lambda link: link.all(text, incident))]

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
        def work(link: Link) -> bool:
            _put(link, incident, expected_version)
            if taken and link.run(TAKE, json_of([(one,) for one in taken])) != len(set(taken)):
                raise _Refused
            if members:
                rows = [(incident.id, one.name, to_json(one)) for one in members]
                fields, key = "incident:id, who:text, said:long", "incident_id, tenant"
                link.upsert("incident_tenants", MEMBER, fields, rows, key=key, sets="body = new.body")
            link.insert("deliveries", DELIVERY, [_delivery_row(one) for one in deliveries])
            return True

        try:
            return self._database.write(told(work, audit))
        except (_Refused, KeyTaken):
            return False

    def deliveries(self, query: DeliveryQuery) -> list[Delivery]:
        narrowing = Narrowing("r")
        narrowing.equal("channel", query.channel)
        narrowing.equal("incident_id", query.incident)
        narrowing.among("state", query.states)
        narrowing.within("created_at", None, query.created_before)
        narrowing.below("id", query.before_id)
        text = f"SELECT {COLUMNS} FROM {{deliveries}} AS r{narrowing.where} ORDER BY r.id DESC LIMIT ?"
        rows = self._database.read(lambda link: link.all(text, *narrowing.parameters, query.limit))
        return [_delivery_of(row) for row in rows]

    def claim_deliveries(self, channel: str, *, lease: timedelta, now: datetime, limit: int = 1) -> list[Delivery]:
        # Asked each second, and mostly in vain: no transaction then.
        due = self._database.read(lambda link: link.all(DUE, channel, to_micros(now), limit))
        return self._database.write(lambda link: _claim(link, due, lease=lease, now=now)) if due else []

    def settle_delivery(self, delivery: Delivery) -> bool:
        row = (delivery.state.value, to_micros(delivery.due_at), delivery.error, since_epoch(delivery.ended_at))
        return self._database.write(lambda link: link.run(SETTLE, *row, delivery.id, delivery.token) == 1)

    def prune(self, *, before: datetime, limit: int = 500) -> int:
        old = self._database.read(lambda link: link.all(OLD_DELIVERIES, to_micros(before), limit))
        over = self._database.read(lambda link: link.all(OLD_INCIDENTS, to_micros(before), limit))
        return self._database.write(lambda link: _drop(link, old, over)) if old or over else 0


def add(link: Link, settlements: Sequence[Settlement]) -> None:
    """Write the signals of settlements that this transaction has just applied."""
    link.insert("signals", SIGNAL, [(signal.id, to_json(signal)) for signal in signals_of(settlements)])


def forget(link: Link, before: datetime) -> None:
    """Delete signals of before this instant: for so long nobody has looked out for trouble."""
    link.run("DELETE FROM {signals} WHERE id < ?", claimed_before(to_micros(before)))


def _put(link: Link, incident: Incident, expected_version: int | None) -> None:
    fields = (
        incident.key,
        incident.state.value,
        incident.job,
        to_json(incident),
        incident.version,
        since_epoch(incident.closed_at),
        since_epoch(incident.look_at),
    )
    if expected_version is None:
        link.insert("incidents", INCIDENT, [(incident.id, *fields)])
    elif link.run(REPLACE, *fields, incident.id, expected_version) != 1:
        raise _Refused


def _meant(link: Link, query: IncidentQuery) -> list[Incident]:
    """Return incidents, newest first. What is held or due is served by the index `open` or `look`, else by the key."""
    narrowing = Narrowing("r")
    narrowing.among("id", query.ids)
    narrowing.among("state", query.states)
    narrowing.among("job", query.jobs)
    if query.held:
        narrowing.also("r.open_key IS NOT NULL")
    if query.look_before is not None:
        narrowing.also("r.look_at IS NOT NULL AND r.look_at <= ?", to_micros(query.look_before))
    narrowing.below("id", query.before_id)
    text = f"SELECT r.body FROM {{incidents}} AS r{narrowing.where} ORDER BY r.id DESC LIMIT ?"
    return [_incident.decode(row[0]) for row in link.all(text, *narrowing.parameters, query.limit)]


def _claim(link: Link, due: Sequence[Any], *, lease: timedelta, now: datetime) -> list[Delivery]:
    claimed = []
    for row in due:
        one = _delivery_of(row)
        mine = replace(one, due_at=now + lease, attempt=one.attempt + 1, token=one.token + 1)
        sets = (to_micros(mine.due_at), mine.attempt, mine.token)
        if link.run(CLAIM, *sets, one.id, one.token, to_micros(now)) == 1:
            claimed.append(mine)
    return claimed


def _drop(link: Link, deliveries: Sequence[Any], incidents: Sequence[Any]) -> int:
    if deliveries:
        link.run("{drop(deliveries, id)}", json_of([row[:1] for row in deliveries]))
    if not incidents:
        return 0
    ids = json_of([row[:1] for row in incidents])
    link.run("{drop(deliveries, incident_id)}", ids)
    link.run("{drop(incident_tenants, incident_id)}", ids)
    return link.run("{drop(incidents, id)} AND open_key IS NULL", ids)


def _delivery_row(delivery: Delivery) -> tuple[Any, ...]:
    return (
        delivery.id,
        delivery.incident,
        delivery.channel,
        to_json(delivery.alert),
        delivery.state.value,
        to_micros(delivery.due_at),
        delivery.attempt,
        delivery.token,
        delivery.error,
        to_micros(delivery.created_at),
        since_epoch(delivery.ended_at),
    )


def _delivery_of(row: Any) -> Delivery:
    delivery_id, incident, channel, alert, state, due_at, attempt, token, error, created_at, ended_at = row
    return Delivery(
        id=delivery_id,
        incident=incident,
        channel=channel,
        alert=_alert.decode(alert),
        state=DeliveryState(state),
        due_at=from_micros(int(due_at)),
        attempt=attempt,
        token=token,
        error=error,
        created_at=from_micros(int(created_at)),
        ended_at=None if ended_at is None else from_micros(int(ended_at)),
    )
