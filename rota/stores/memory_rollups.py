"""The sums of a `MemoryStore`."""

import threading
from collections.abc import Mapping
from datetime import datetime

from rota.core.rollup import (
    BEGINNING,
    Grain,
    Measure,
    MeasureKey,
    Rollup,
    RollupKey,
    Sheet,
    added,
    collapsed,
    measured,
)
from rota.queries import MeasureQuery, RollupQuery


class MemoryRollups:
    """Sums of what ran. What a verb promises stands in `RollupStore`."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._sources: dict[str, tuple[int, datetime]] = {}
        self._rollups: dict[RollupKey, Rollup] = {}
        self._measures: dict[MeasureKey, Measure] = {}

    def add(self, sheet: Sheet, *, now: datetime) -> bool:
        with self._lock:
            if sheet.number <= self._sources.get(sheet.source, (0, now))[0]:
                return False
            self._sources[sheet.source] = (sheet.number, now)
            for rollup in sheet.rollups:
                known = self._rollups.get(rollup.key)
                self._rollups[rollup.key] = rollup if known is None else added(known, rollup)
            for measure in sheet.measures:
                told = self._measures.get(measure.key)
                self._measures[measure.key] = measure if told is None else measured(told, measure)
            return True

    def rollups(self, query: RollupQuery) -> list[Rollup]:
        with self._lock:
            meant = [rollup for rollup in self._rollups.values() if _is_meant(rollup.key, query)]
        return collapsed(meant, query.by, since=query.since or BEGINNING)

    def measures(self, query: MeasureQuery) -> list[Measure]:
        with self._lock:
            meant = [measure for measure in self._measures.values() if _is_measure_meant(measure.key, query)]
        return sorted(meant, key=lambda measure: measure.key)

    def prune(self, before: Mapping[Grain, datetime], *, sources_before: datetime, limit: int) -> int:
        with self._lock:
            old = [key for key in self._rollups if _is_old(key, before)][:limit]
            for key in old:
                del self._rollups[key]
            told = [key for key in self._measures if _is_old(key, before)][:limit]
            for name in told:
                del self._measures[name]
            for source in [one for one, (_, at) in self._sources.items() if at < sources_before]:
                del self._sources[source]
            return len(old) + len(told)


def _is_old(key: RollupKey | MeasureKey, before: Mapping[Grain, datetime]) -> bool:
    return key.grain in before and key.grain is not Grain.EVER and key.start_at < before[key.grain]


def _is_meant(key: RollupKey, query: RollupQuery) -> bool:
    return (
        key.grain is query.grain
        and (query.subject is None or key.subject is query.subject)
        and (query.since is None or key.start_at >= query.since)
        and (query.until is None or key.start_at < query.until)
        and (not query.jobs or key.job in query.jobs)
        and (not query.tenants or key.tenant in query.tenants)
        and (not query.queues or key.queue in query.queues)
    )


def _is_measure_meant(key: MeasureKey, query: MeasureQuery) -> bool:
    return (
        key.grain is query.grain
        and (query.since is None or key.start_at >= query.since)
        and (query.until is None or key.start_at < query.until)
        and (not query.jobs or key.job in query.jobs)
        and (not query.tenants or key.tenant in query.tenants)
    )
