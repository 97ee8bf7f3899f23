"""What a store on Redis keeps for metrics."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from rota.core.rollup import (
    BEGINNING,
    BUCKETS,
    Grain,
    Measure,
    MeasureKey,
    Rollup,
    RollupKey,
    Sheet,
    Subject,
    collapsed,
)
from rota.queries import MeasureQuery, RollupQuery
from rota.stores.redis.mapping import at, micros
from rota.stores.redis.server import Server

MICROSECOND = timedelta(microseconds=1)
PAGE = 100
"""Periods whose sums are fetched at once."""

_periods = msgspec.msgpack.Decoder(list[tuple[str, list[str]]])
_names = msgspec.json.Decoder(list[str])


class RedisRollups:
    """Sums of what ran. What a verb promises stands in `RollupStore`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def add(self, sheet: Sheet, *, now: datetime) -> bool:
        periods: dict[tuple[Grain, datetime], dict[str, Any]] = {}
        for rollup in sheet.rollups:
            _period(periods, rollup.key)["rollups"].append((_text(_rollup_names(rollup.key)), _numbers(rollup)))
        for measure in sheet.measures:
            told = (measure.number, measure.total, measure.least, measure.most)
            _period(periods, measure.key)["measures"].append((_text(measure.key[2:]), told))
        request = {"source": sheet.source, "number": sheet.number, "now": micros(now), "periods": [*periods.values()]}
        return bool(self._server.call("add_sheet", request))

    def rollups(self, query: RollupQuery) -> list[Rollup]:
        found = [
            _rollup(query.grain, start, names, [int(number) for number in text.split()])
            for start, names, text in self._stored("rollups", query.grain, query.since, query.until)
            if _is_meant(names, query)
        ]
        return collapsed(found, query.by, since=query.since or BEGINNING)

    def measures(self, query: MeasureQuery) -> list[Measure]:
        found = []
        for start, names, text in self._stored("measures", query.grain, query.since, query.until):
            job, tenant, name = names
            if (query.jobs and job not in query.jobs) or (query.tenants and tenant not in query.tenants):
                continue
            number, total, least, most = text.split()
            found.append(
                Measure(
                    key=MeasureKey(query.grain, start, job, tenant, name),
                    number=int(number),
                    total=float(total),
                    least=float(least),
                    most=float(most),
                )
            )
        return sorted(found, key=lambda measure: measure.key)

    def prune(self, before: Mapping[Grain, datetime], *, sources_before: datetime, limit: int) -> int:
        grains = [(grain.value, micros(end)) for grain, end in sorted(before.items()) if grain is not Grain.EVER]
        request = {"grains": grains, "sources_before": micros(sources_before), "limit": limit}
        deleted: int = self._server.call("prune_sheets", request)
        return deleted

    def _stored(
        self, name: str, grain: Grain, since: datetime | None, until: datetime | None
    ) -> Iterator[tuple[datetime, list[str], str]]:
        """Yield each that is kept of the periods that start in [since, until): its start, its names, its numbers."""
        first = "-inf" if since is None else micros(since)
        end = "+inf" if until is None else f"({micros(until)}"
        starts = [
            start.decode()
            for start in self._server.ask("ZRANGEBYSCORE", self._server.key("rollup-starts", grain.value), first, end)
        ]
        for begin in range(0, len(starts), PAGE):
            page = {"name": name, "grain": grain.value, "starts": starts[begin : begin + PAGE]}
            for start, pairs in _periods.decode(self._server.call("sheets", page)):
                for field, text in zip(pairs[::2], pairs[1::2], strict=True):
                    yield at(int(start)), _names.decode(field), text


def _period(periods: dict[tuple[Grain, datetime], dict[str, Any]], key: RollupKey | MeasureKey) -> dict[str, Any]:
    named: dict[str, Any] = {
        "grain": key.grain.value,
        "start": str(micros(key.start_at)),
        "rollups": [],
        "measures": [],
    }
    return periods.setdefault((key.grain, key.start_at), named)


def _rollup_names(key: RollupKey) -> tuple[str, ...]:
    return key.subject.value, key.job, key.tenant, key.queue, key.outcome


def _text(names: Sequence[str]) -> str:
    return msgspec.json.encode(names).decode()


def _numbers(rollup: Rollup) -> list[int]:
    return [
        rollup.number, rollup.duration_sum // MICROSECOND, rollup.wait_sum // MICROSECOND, *rollup.buckets,
        rollup.duration_most // MICROSECOND, rollup.wait_most // MICROSECOND,
    ]  # fmt: skip


def _rollup(grain: Grain, start: datetime, names: Sequence[str], numbers: Sequence[int]) -> Rollup:
    subject, job, tenant, queue, outcome = names
    return Rollup(
        key=RollupKey(Subject(subject), grain, start, job, tenant, queue, outcome),
        number=numbers[0],
        duration_sum=timedelta(microseconds=numbers[1]),
        wait_sum=timedelta(microseconds=numbers[2]),
        buckets=tuple(numbers[3 : 3 + BUCKETS]),
        duration_most=timedelta(microseconds=numbers[-2]),
        wait_most=timedelta(microseconds=numbers[-1]),
    )


def _is_meant(names: Sequence[str], query: RollupQuery) -> bool:
    subject, job, tenant, queue, _ = names
    return (
        (query.subject is None or subject == query.subject.value)
        and (not query.jobs or job in query.jobs)
        and (not query.tenants or tenant in query.tenants)
        and (not query.queues or queue in query.queues)
    )
