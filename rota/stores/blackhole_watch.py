"""What a black hole keeps for watchdog, alerts and metrics: nothing. Nothing runs there, so nothing goes wrong."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from rota.core.controls import AuditEntry
from rota.core.delivery import Delivery
from rota.core.freshness import Expectation
from rota.core.incident import Incident, Member
from rota.core.rollup import Grain, Measure, Rollup, Sheet
from rota.core.signal import Signal
from rota.core.watched import Flip, Key, Ping, Turn, Watched
from rota.queries import (
    EVERY_PAIR,
    DeliveryQuery,
    FlipQuery,
    IncidentQuery,
    MeasureQuery,
    PairQuery,
    RollupQuery,
)

# They read none of their arguments; the names are the contract.


class NoFreshness:
    """Expects nothing of anybody."""

    def looks(self, *, now: datetime, limit: int = 1000) -> list[Watched]:
        return []

    def turn(self, turns: Sequence[Turn]) -> list[Key]:
        return []

    def pairs(self, query: PairQuery = EVERY_PAIR) -> list[Watched]:
        return []

    def flips(self, query: FlipQuery) -> list[Flip]:
        return []

    def ping(self, ping: Ping, *, slot: datetime | None = None, expected: Expectation | None = None) -> bool:
        return True

    def pings(self, name: str, *, before_id: str | None = None, limit: int = 100) -> list[Ping]:
        return []

    def prune(self, *, flips_before: datetime, pings_before: datetime, limit: int = 1000) -> int:
        return 0


class NoAlerts:
    """Knows of no incident and tells nobody."""

    def signals(self, *, limit: int = 500) -> list[Signal]:
        return []

    def incidents(self, query: IncidentQuery) -> list[Incident]:
        return []

    def members(self, incident: str) -> list[Member]:
        return []

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
        return True

    def deliveries(self, query: DeliveryQuery) -> list[Delivery]:
        return []

    def claim_deliveries(self, channel: str, *, lease: timedelta, now: datetime, limit: int = 1) -> list[Delivery]:
        return []

    def settle_delivery(self, delivery: Delivery) -> bool:
        return False

    def prune(self, *, before: datetime, limit: int = 500) -> int:
        return 0


class NoRollups:
    """Counts nothing."""

    def add(self, sheet: Sheet, *, now: datetime) -> bool:
        return True

    def rollups(self, query: RollupQuery) -> list[Rollup]:
        return []

    def measures(self, query: MeasureQuery) -> list[Measure]:
        return []

    def prune(self, before: Mapping[Grain, datetime], *, sources_before: datetime, limit: int) -> int:
        return 0
