"""What a store on SQL keeps for metrics."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from rota.clock import from_micros, to_micros
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
)
from rota.queries import MeasureQuery, RollupQuery
from rota.stores.sql.database import Database, Link, json_of
from rota.stores.sql.dialects import KeyTaken
from rota.stores.sql.narrowing import Narrowing
from rota.stores.sql.rows import clean

MICROSECOND = timedelta(microseconds=1)
PIECE = 500
"""Sums in one statement: its rows come as one JSON text, which is read whole."""

NAMES = ("subject", "grain", "start_at", "job", "tenant", "queue", "outcome")
SUMS = ("number", "duration_sum", "wait_sum", *(f"bucket_{i}" for i in range(BUCKETS)))
MOSTS = ("duration_most", "wait_most")
ROLLUP = ("id", *NAMES, *SUMS, *MOSTS)
ROLLUP_FIELDS = ", ".join(
    ["row_id:id", "about:id", "span:id", "began:int", "named:text", "who:text", "line:text", "ending:id"]
    + [f"sum_{i}:int" for i in range(len(SUMS))]
    + [f"most_{i}:int" for i in range(len(MOSTS))]
)
ADDED = ", ".join(
    [f"{name} = r.{name} + new.{name}" for name in SUMS]
    + [f"{name} = {{greatest}}(r.{name}, new.{name})" for name in MOSTS]
)

MEASURE_NAMES = ("grain", "start_at", "job", "tenant", "name")
MEASURE = ("id", *MEASURE_NAMES, "number", "total", "least", "most")
MEASURE_FIELDS = (
    "row_id:id, span:id, began:int, named:text, who:text, label:text, times:int, together:float, low:float, high:float"
)
MEASURED = """
number = r.number + new.number, total = r.total + new.total, least = {least}(r.least, new.least),
most = {greatest}(r.most, new.most)
"""

COUNTED = "UPDATE {rollup_sources} SET number = ?, seen_at = ? WHERE source = ? AND number < ?"
SOURCE = "SELECT number FROM {rollup_sources} WHERE source = ?"
# Served by the index `start` of either table.
OLD = "SELECT r.id FROM {rollups} AS r WHERE r.grain = ? AND r.start_at < ? ORDER BY r.start_at LIMIT ?{lock}"
OLD_MEASURES = "SELECT r.id FROM {measures} AS r WHERE r.grain = ? AND r.start_at < ? ORDER BY r.start_at LIMIT ?{lock}"
DROP = "{drop(rollups, id)}"
DROP_MEASURES = "{drop(measures, id)}"
# A table with a row for each process of the last days.
DROP_SOURCES = "DELETE FROM {rollup_sources} WHERE seen_at < ?"


class SqlRollups:
    """Sums of what ran. What a verb promises stands in `RollupStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, sheet: Sheet, *, now: datetime) -> bool:
        try:
            return self._database.write(lambda link: _add(link, sheet, now=now))
        except KeyTaken:
            # The first sheet of a source, by an earlier try of this call whose answer was lost.
            return False

    def rollups(self, query: RollupQuery) -> list[Rollup]:
        return self._database.read(lambda link: _rollups(link, query))

    def measures(self, query: MeasureQuery) -> list[Measure]:
        return self._database.read(lambda link: _measures(link, query))

    def prune(self, before: Mapping[Grain, datetime], *, sources_before: datetime, limit: int) -> int:
        ends: dict[Grain, int] = {grain: to_micros(at) for grain, at in before.items() if grain is not Grain.EVER}
        return self._database.write(
            lambda link: _prune(link, ends, sources_before=to_micros(sources_before), limit=limit)
        )


def _add(link: Link, sheet: Sheet, *, now: datetime) -> bool:
    if not link.run(COUNTED, sheet.number, to_micros(now), sheet.source, sheet.number):
        if link.one(SOURCE, sheet.source) is not None:
            return False
        link.insert("rollup_sources", ("source", "number", "seen_at"), [(sheet.source, sheet.number, to_micros(now))])
    # By id, so that two who add to the same sums lock them in one order.
    rows = sorted(_row(rollup) for rollup in sheet.rollups)
    for first in range(0, len(rows), PIECE):
        link.upsert("rollups", ROLLUP, ROLLUP_FIELDS, rows[first : first + PIECE], key="id", sets=ADDED)
    told = sorted(_measure_row(measure) for measure in sheet.measures)
    for first in range(0, len(told), PIECE):
        link.upsert("measures", MEASURE, MEASURE_FIELDS, told[first : first + PIECE], key="id", sets=MEASURED)
    return True


def _rollups(link: Link, query: RollupQuery) -> list[Rollup]:
    text, parameters = statement(query)
    kept, since = _kept(query), to_micros(query.since or BEGINNING)
    found = [_rollup(row, kept, since=since) for row in link.all(text, *parameters)]
    return sorted(found, key=lambda rollup: rollup.key)


def statement(query: RollupQuery) -> tuple[str, list[Any]]:
    """Return what asks for sums, with its parameters. Served by the index `job` where jobs are named, else by
    `start`."""
    narrowing = Narrowing("r")
    narrowing.equal("grain", query.grain)
    narrowing.equal("subject", query.subject)
    narrowing.among("job", query.jobs)
    narrowing.within("start_at", query.since, query.until)
    narrowing.among("tenant", query.tenants)
    narrowing.among("queue", query.queues)
    sums = [f"sum(r.{name})" for name in SUMS] + [f"max(r.{name})" for name in MOSTS]
    group = ", ".join(f"r.{name}" for name in _kept(query))
    text = f"SELECT {group}, {', '.join(sums)} FROM {{rollups}} AS r{narrowing.where} GROUP BY {group}"
    return text, narrowing.parameters


def _kept(query: RollupQuery) -> list[str]:
    # What is counted, and in what periods, is never added up.
    return [name for name in NAMES if name in query.by or name in ("subject", "grain")]


def _measures(link: Link, query: MeasureQuery) -> list[Measure]:
    """Served by the index `start`."""
    narrowing = Narrowing("r")
    narrowing.equal("grain", query.grain)
    narrowing.among("job", query.jobs)
    narrowing.within("start_at", query.since, query.until)
    narrowing.among("tenant", query.tenants)
    columns = ", ".join(f"r.{name}" for name in MEASURE[1:])
    rows = link.all(f"SELECT {columns} FROM {{measures}} AS r{narrowing.where}", *narrowing.parameters)
    return sorted((_measure(row) for row in rows), key=lambda measure: measure.key)


def _prune(link: Link, ends: Mapping[Grain, int], *, sources_before: int, limit: int) -> int:
    deleted = 0
    for find, drop in ((OLD, DROP), (OLD_MEASURES, DROP_MEASURES)):
        room = limit
        for grain in sorted(ends):
            ids = [(row[0],) for row in link.all(find, grain.value, ends[grain], room)] if room else []
            if ids:
                link.run(drop, json_of(ids))
            room -= len(ids)
        deleted += limit - room
    link.run(DROP_SOURCES, sources_before)
    return deleted


def _row(rollup: Rollup) -> tuple[Any, ...]:
    key = rollup.key
    names = (
        key.subject.value, key.grain.value, to_micros(key.start_at), clean(key.job), clean(key.tenant),
        clean(key.queue), key.outcome,
    )  # fmt: skip
    return (
        _id_of(names), *names, rollup.number, rollup.duration_sum // MICROSECOND, rollup.wait_sum // MICROSECOND,
        *rollup.buckets, rollup.duration_most // MICROSECOND, rollup.wait_most // MICROSECOND,
    )  # fmt: skip


def _measure_row(measure: Measure) -> tuple[Any, ...]:
    key = measure.key
    names = (key.grain.value, to_micros(key.start_at), clean(key.job), clean(key.tenant), clean(key.name))
    return (_id_of(names), *names, measure.number, measure.total, measure.least, measure.most)


def _id_of(names: tuple[Any, ...]) -> str:
    """Return a key of all that tells one sum from another: together that is longer than an index may hold."""
    return blake2b(json_of(names).encode(), digest_size=16).hexdigest()


def _rollup(row: Sequence[Any], kept: Sequence[str], *, since: int) -> Rollup:
    named = dict(zip(kept, row, strict=False))
    # Sums of whole numbers come as decimals from PostgreSQL and MariaDB.
    numbers = [int(value) for value in row[len(kept) :]]
    return Rollup(
        key=RollupKey(
            subject=Subject(named["subject"]),
            grain=Grain(named["grain"]),
            start_at=from_micros(int(named.get("start_at", since))),
            job=named.get("job", ""),
            tenant=named.get("tenant", ""),
            queue=named.get("queue", ""),
            outcome=named.get("outcome", ""),
        ),
        number=numbers[0],
        duration_sum=timedelta(microseconds=numbers[1]),
        wait_sum=timedelta(microseconds=numbers[2]),
        buckets=tuple(numbers[3 : 3 + BUCKETS]),
        duration_most=timedelta(microseconds=numbers[-2]),
        wait_most=timedelta(microseconds=numbers[-1]),
    )


def _measure(row: Sequence[Any]) -> Measure:
    grain, start_at, job, tenant, name, number, total, least, most = row
    return Measure(
        key=MeasureKey(Grain(grain), from_micros(int(start_at)), job, tenant, name),
        number=int(number),
        total=float(total),
        least=float(least),
        most=float(most),
    )
