"""What a `MemoryStore` keeps for alerts."""

import heapq
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.clock import to_micros
from rota.core.controls import AuditEntry
from rota.core.delivery import Delivery, DeliveryState
from rota.core.incident import Incident, Member
from rota.core.model import Settlement
from rota.core.signal import Signal, claimed_before, signals_of
from rota.queries import DeliveryQuery, IncidentQuery


class Signals:
    """Signals that nobody has taken yet, by id. Not locked: the store is."""

    def __init__(self) -> None:
        self.by_id: dict[str, Signal] = {}

    def add(self, settlements: Iterable[Settlement]) -> None:
        """Keep the signals of settlements that were applied."""
        self.by_id.update({signal.id: signal for signal in signals_of(settlements)})

    def forget(self, before: datetime) -> None:
        """Drop signals of before this instant: for so long nobody has looked out for trouble."""
        first = claimed_before(to_micros(before))
        for signal in [one for one in self.by_id if one < first]:
            del self.by_id[signal]


class MemoryAlerts:
    """What went wrong until it is over, and what is to be told of it. What a verb promises stands in `AlertStore`."""

    def __init__(self, lock: threading.RLock, signals: Signals, tell: Callable[[AuditEntry], None]) -> None:
        self._lock = lock
        self._signals = signals.by_id
        self._tell = tell
        self._incidents: dict[str, Incident] = {}
        self._members: dict[str, dict[str, Member]] = {}
        self._deliveries: dict[str, Delivery] = {}

    def signals(self, *, limit: int = 500) -> list[Signal]:
        with self._lock:
            return [self._signals[one] for one in heapq.nsmallest(limit, self._signals)]

    def incidents(self, query: IncidentQuery) -> list[Incident]:
        with self._lock:
            meant = (incident for incident in self._incidents.values() if is_incident_meant(incident, query))
            return heapq.nlargest(query.limit, meant, key=lambda incident: incident.id)

    def members(self, incident: str) -> list[Member]:
        with self._lock:
            members = self._members.get(incident, {})
            return [members[name] for name in sorted(members)]

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
        with self._lock:
            stored = self._incidents.get(incident.id)
            if (None if stored is None else stored.version) != expected_version or self._is_key_taken(incident):
                return False
            if not self._signals.keys() >= set(taken):
                return False
            for signal in taken:
                del self._signals[signal]
            self._incidents[incident.id] = incident
            self._members.setdefault(incident.id, {}).update({member.name: member for member in members})
            self._deliveries.update({delivery.id: delivery for delivery in deliveries})
            if audit is not None:
                self._tell(audit)
            return True

    def deliveries(self, query: DeliveryQuery) -> list[Delivery]:
        with self._lock:
            meant = (delivery for delivery in self._deliveries.values() if is_delivery_meant(delivery, query))
            return heapq.nlargest(query.limit, meant, key=lambda delivery: delivery.id)

    def claim_deliveries(self, channel: str, *, lease: timedelta, now: datetime, limit: int = 1) -> list[Delivery]:
        with self._lock:
            claimed: list[Delivery] = []
            begun: set[str] = set()
            for _, delivery in sorted(self._deliveries.items()):
                is_first = delivery.incident not in begun
                if delivery.channel != channel or delivery.state is not DeliveryState.WAITING:
                    continue
                begun.add(delivery.incident)
                if is_first and delivery.due_at <= now and len(claimed) < limit:
                    attempt, token = delivery.attempt + 1, delivery.token + 1
                    claimed.append(replace(delivery, attempt=attempt, token=token, due_at=now + lease))
            self._deliveries.update({delivery.id: delivery for delivery in claimed})
            return claimed

    def settle_delivery(self, delivery: Delivery) -> bool:
        with self._lock:
            stored = self._deliveries.get(delivery.id)
            if stored is None or stored.state is not DeliveryState.WAITING or stored.token != delivery.token:
                return False
            self._deliveries[delivery.id] = delivery
            return True

    def prune(self, *, before: datetime, limit: int = 500) -> int:
        with self._lock:
            ended = [one.id for one in self._deliveries.values() if one.ended_at is not None and one.ended_at < before]
            for delivery in heapq.nsmallest(limit, ended):
                del self._deliveries[delivery]
            over = [one.id for one in self._incidents.values() if _is_over(one, before)]
            old = frozenset(heapq.nsmallest(limit, over))
            for incident in old:
                del self._incidents[incident]
                self._members.pop(incident, None)
            left = {one.id: one for one in self._deliveries.values() if one.incident not in old}
            self._deliveries = left
            return len(old)

    def _is_key_taken(self, incident: Incident) -> bool:
        if incident.key is None:
            return False
        return any(other.key == incident.key and other.id != incident.id for other in self._incidents.values())


def is_incident_meant(incident: Incident, query: IncidentQuery) -> bool:
    """Whether an incident is one of those asked for."""
    return (
        (not query.ids or incident.id in query.ids)
        and (not query.states or incident.state in query.states)
        and (not query.jobs or incident.job in query.jobs)
        and (not query.held or incident.key is not None)
        and (query.look_before is None or (incident.look_at is not None and incident.look_at <= query.look_before))
        and (query.before_id is None or incident.id < query.before_id)
    )


def is_delivery_meant(delivery: Delivery, query: DeliveryQuery) -> bool:
    """Whether a delivery is one of those asked for."""
    return (
        (query.channel is None or delivery.channel == query.channel)
        and (query.incident is None or delivery.incident == query.incident)
        and (not query.states or delivery.state in query.states)
        and (query.created_before is None or delivery.created_at < query.created_before)
        and (query.before_id is None or delivery.id < query.before_id)
    )


def _is_over(incident: Incident, before: datetime) -> bool:
    return incident.key is None and incident.closed_at is not None and incident.closed_at < before
