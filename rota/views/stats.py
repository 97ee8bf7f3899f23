"""How often and how long what ran, from the sums (R53)."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from rota.app import Rota
from rota.core.rollup import (
    BAD,
    BEGINNING,
    LENGTHS,
    End,
    Grain,
    Rollup,
    Subject,
    added,
    grain_for,
    percentile,
    start_of,
)
from rota.queries import RollupQuery

COLUMNS = 24
"""Parts of the time that a row shows one by one."""


class By(StrEnum):
    """What a row of statistics is for."""

    JOB = "job"
    TENANT = "tenant"
    QUEUE = "queue"


class StatsRow(Struct, frozen=True, kw_only=True):
    """What ran of one job, for one tenant, or in one queue. Times are in seconds."""

    name: str
    """"" is no tenant."""
    runs: int
    """Runs that were over."""
    failed: int
    """Those that failed for good."""
    failed_percent: float
    retries: int
    """Attempts after which a run went on."""
    p50_s: float | None
    """What half of the runs took at most, read from buckets: right to within its bucket. None: none had begun."""
    p95_s: float | None
    p99_s: float | None
    most_s: float
    total_s: float
    """The time of all runs together."""
    waited_s: float
    """How long they waited on average."""
    spark: list[int]
    """Runs in each of 24 equal parts of the time, oldest first."""


class Stats(Struct, frozen=True, kw_only=True):
    """What ran in a time."""

    since: datetime
    until: datetime
    grain: Grain
    """How long the periods are that were added up: `since` is the start of one."""
    rows: list[StatsRow]


def stats(app: Rota, *, by: By, since: datetime, jobs: Sequence[str] = (), tenants: Sequence[str] = ()) -> Stats:
    """Return what ran since then, what took most time first. What ended in the last seconds may not be in it yet."""
    now = app.clock.now()
    grain = grain_for(now - since)
    start = max(start_of(grain, since), BEGINNING)
    query = RollupQuery(
        grain=grain,
        subject=Subject.RUN,
        since=start,
        jobs=tuple(jobs),
        tenants=tuple(tenants),
        by=frozenset({by.value, "outcome", "start_at"}),
    )
    found: dict[str, list[Rollup]] = {}
    for one in app.store.rollups.rollups(query):
        found.setdefault(getattr(one.key, by.value), []).append(one)
    # To the end of the period that is going on.
    span = max(start_of(grain, now) + LENGTHS[grain] - start, LENGTHS[grain])
    rows = [_row(name, sums, start=start, span=span) for name, sums in found.items()]
    return Stats(since=start, until=now, grain=grain, rows=sorted(rows, key=lambda row: (-row.total_s, row.name)))


def _row(name: str, sums: Sequence[Rollup], *, start: datetime, span: timedelta) -> StatsRow:
    over = [one for one in sums if End(one.key.outcome).is_last]
    runs, failed = _number(over), _number(one for one in over if End(one.key.outcome) in BAD)
    whole = over[0] if over else None
    for one in over[1:]:
        whole = one if whole is None else added(whole, one)
    spark = [0] * COLUMNS
    for one in over:
        spark[min(int((one.key.start_at - start) / span * COLUMNS), COLUMNS - 1)] += one.number
    begun = sum(whole.buckets) if whole is not None else 0
    return StatsRow(
        name=name,
        runs=runs,
        failed=failed,
        failed_percent=round(100 * failed / runs, 2) if runs else 0.0,
        retries=_number(sums) - runs,
        p50_s=_percentile(whole, 0.5),
        p95_s=_percentile(whole, 0.95),
        p99_s=_percentile(whole, 0.99),
        most_s=_seconds(whole.duration_most) if whole is not None else 0.0,
        total_s=_seconds(whole.duration_sum) if whole is not None else 0.0,
        waited_s=_seconds(whole.wait_sum / begun) if whole is not None and begun else 0.0,
        spark=spark,
    )


def _number(rollups: Iterable[Rollup]) -> int:
    return sum(one.number for one in rollups)


def _percentile(whole: Rollup | None, share: float) -> float | None:
    found = percentile(whole.buckets, share, most=whole.duration_most) if whole is not None else None
    return None if found is None else _seconds(found)


def _seconds(duration: timedelta) -> float:
    return round(duration.total_seconds(), 4)
