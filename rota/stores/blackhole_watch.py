"""What a black hole keeps for watchdog, alerts and metrics: nothing. Nothing runs there, so nothing goes wrong."""

from collections.abc import Mapping
from datetime import datetime

from rota.core.rollup import Grain, Measure, Rollup, Sheet
from rota.queries import MeasureQuery, RollupQuery

# They read none of their arguments; the names are the contract.


class NoFreshness:
    """Expects nothing of anybody."""


class NoAlerts:
    """Knows of no incident and tells nobody."""


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
