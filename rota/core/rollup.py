"""Sums of what ran: their periods, their buckets, how they are added up and what can be read from them (R53)."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from rota.core.model import Outcome, Settlement, State

EDGES_S: tuple[float, ...] = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0,
    1000.0, 2000.0, 5000.0, 10000.0, 20000.0,
)  # fmt: skip
"""The upper edges of the buckets, in seconds, each within its bucket; beyond the last one there is one more. From a
millisecond to five and a half hours in steps of 2 to 2.5, so that a percentile read from them is never further off
than that, and round, so that people can read them. Never changed: what is stored counts by them."""

BUCKETS: int = len(EDGES_S) + 1

NO_TIME = timedelta(0)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""Where the period of everything starts."""


class Grain(StrEnum):
    """How long the periods are that sums are for. Each run is in one of every length."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    EVER = "ever"
    """One period without an end, for counters that only grow."""


LENGTHS = {Grain.MINUTE: timedelta(minutes=1), Grain.HOUR: timedelta(hours=1), Grain.DAY: timedelta(days=1)}


class Subject(StrEnum):
    """What is counted. Each apart: what jobs record of their parts is no run."""

    RUN = "run"
    ROUND = "round"
    TENANT = "tenant"
    """The runs of rounds, by how they ended; a round has one for each of its tenants."""
    PART = "part"


class End(StrEnum):
    """How an attempt ended, and its run with it; the last four are those after which the run goes on."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    RETRIED = "retried"
    SNOOZED = "snoozed"
    INTERRUPTED = "interrupted"
    LOST = "lost"

    @property
    def is_last(self) -> bool:
        """Whether the run is over."""
        return self not in GOING_ON


GOING_ON = frozenset({End.RETRIED, End.SNOOZED, End.INTERRUPTED, End.LOST})
BAD = frozenset({End.FAILED, End.TIMED_OUT})
"""A run that ended so has failed for good."""

_GOES_ON = {Outcome.SNOOZED: End.SNOOZED, Outcome.INTERRUPTED: End.INTERRUPTED, Outcome.LOST: End.LOST}
_ENDS = {
    (outcome, state): (
        (End.TIMED_OUT if outcome is Outcome.TIMED_OUT and state is State.FAILED else End(state.value))
        if state.is_final
        else _GOES_ON.get(outcome, End.RETRIED)
    )
    for outcome in Outcome
    for state in State
}


def end_of(settlement: Settlement) -> End:
    """Return as what an attempt is counted."""
    return _ENDS[settlement.outcome, settlement.state]


class RollupKey(NamedTuple):
    """What tells one sum from another; "" is none, or all where it was added up."""

    subject: Subject
    grain: Grain
    start_at: datetime
    job: str
    tenant: str
    queue: str
    outcome: str
    """An `End`; of a round its state; of a part `succeeded` or `failed`."""


class Rollup(Struct, frozen=True, kw_only=True):
    """How many of the same kind there were in a period, and how long they took and waited."""

    key: RollupKey
    number: int
    duration_sum: timedelta = NO_TIME
    """Of those that had begun; of a round, from its firing to its end."""
    duration_most: timedelta = NO_TIME
    wait_sum: timedelta = NO_TIME
    """From when they were due to when they began."""
    wait_most: timedelta = NO_TIME
    buckets: tuple[int, ...] = (0,) * BUCKETS
    """How many took how long, by `EDGES_S`. Those that had not begun are in none."""


class MeasureKey(NamedTuple):
    """What tells one of the jobs' own numbers from another."""

    grain: Grain
    start_at: datetime
    job: str
    tenant: str
    name: str


class Measure(Struct, frozen=True, kw_only=True):
    """A number of a job's own, as often as it was told in a period."""

    key: MeasureKey
    number: int
    """How often it was told."""
    total: float
    least: float
    most: float


class Sheet(Struct, frozen=True, kw_only=True):
    """What one process adds to the sums at once."""

    source: str
    """The process; an id that no other ever has."""
    number: int
    """Counts its sheets from 1; a sheet is sent again under its number until it is known to have arrived."""
    rollups: tuple[Rollup, ...] = ()
    measures: tuple[Measure, ...] = ()


def bucket_of(seconds: float) -> int:
    """Return in which bucket a duration is counted."""
    return bisect_left(EDGES_S, seconds)


def start_of(grain: Grain, instant: datetime) -> datetime:
    """Return when the period starts that this instant is in. Days are those of UTC."""
    if grain is Grain.EVER:
        return BEGINNING
    return instant - (instant - BEGINNING) % LENGTHS[grain]


def added(one: Rollup, other: Rollup) -> Rollup:
    """Return the sum of two, under the key of the first."""
    return Rollup(
        key=one.key,
        number=one.number + other.number,
        duration_sum=one.duration_sum + other.duration_sum,
        duration_most=max(one.duration_most, other.duration_most),
        wait_sum=one.wait_sum + other.wait_sum,
        wait_most=max(one.wait_most, other.wait_most),
        buckets=tuple(a + b for a, b in zip(one.buckets, other.buckets, strict=True)),
    )


def measured(one: Measure, other: Measure) -> Measure:
    """Return the sum of two numbers of the same name, under the key of the first."""
    return Measure(
        key=one.key,
        number=one.number + other.number,
        total=one.total + other.total,
        least=min(one.least, other.least),
        most=max(one.most, other.most),
    )


def merged(rollups: Iterable[Rollup]) -> list[Rollup]:
    """Return one sum for each key, in the order of the keys: all who write them lock in one order."""
    found: dict[RollupKey, Rollup] = {}
    for one in rollups:
        known = found.get(one.key)
        found[one.key] = one if known is None else added(known, one)
    return [found[key] for key in sorted(found)]


def merged_measures(measures: Iterable[Measure]) -> list[Measure]:
    """Return one sum for each key, in the order of the keys."""
    found: dict[MeasureKey, Measure] = {}
    for one in measures:
        known = found.get(one.key)
        found[one.key] = one if known is None else measured(known, one)
    return [found[key] for key in sorted(found)]


def collapsed(rollups: Iterable[Rollup], by: Collection[str], *, since: datetime) -> list[Rollup]:
    """Return sums over everything but the fields of the key that are named in `by`; without `start_at` among them, the
    period of all is said to start at `since`."""
    # What is counted, and in what periods, is never added up.
    blank = {name: "" for name in ("job", "tenant", "queue", "outcome") if name not in by}
    at: dict[str, datetime] = {} if "start_at" in by else {"start_at": since}
    # The names are those of the fields.
    return merged(replace(one, key=one.key._replace(**blank, **at)) for one in rollups)  # type: ignore[arg-type]


def spread(sheet: Sheet, *, apart: Callable[[str], bool]) -> Sheet:
    """Return a sheet of minutes with the hours, days and the whole time that they are part of as well.

    Over the whole time only tenants are kept apart of which `apart` is true: what is shown of that never goes away, and
    has to stay few.
    """
    rollups = (replace(one, key=_widened(one.key, grain, apart)) for grain in Grain for one in sheet.rollups)
    measures = (replace(one, key=_widened_measure(one.key, grain, apart)) for grain in Grain for one in sheet.measures)
    return replace(sheet, rollups=tuple(merged(rollups)), measures=tuple(merged_measures(measures)))


def divided(sheet: Sheet, *, most: int) -> Iterator[Sheet]:
    """Yield a sheet in pieces of at most `most` sums, and as many numbers; nothing of an empty one."""
    for first in range(0, max(len(sheet.rollups), len(sheet.measures)), most):
        yield replace(sheet, rollups=sheet.rollups[first : first + most], measures=sheet.measures[first : first + most])


def _widened(key: RollupKey, grain: Grain, apart: Callable[[str], bool]) -> RollupKey:
    tenant = key.tenant if grain is not Grain.EVER or apart(key.tenant) else ""
    return key._replace(grain=grain, start_at=start_of(grain, key.start_at), tenant=tenant)


def _widened_measure(key: MeasureKey, grain: Grain, apart: Callable[[str], bool]) -> MeasureKey:
    tenant = key.tenant if grain is not Grain.EVER or apart(key.tenant) else ""
    return key._replace(grain=grain, start_at=start_of(grain, key.start_at), tenant=tenant)


def percentile(buckets: Sequence[int], share: float, *, most: timedelta) -> timedelta | None:
    """Return the duration that this share (0 to 1) of what was counted did not exceed; None of nothing.

    Within a bucket it is taken to be spread evenly, and never beyond `most`, the longest that there was.
    """
    total = sum(buckets)
    if not total:
        return None
    rank, before = share * total, 0
    for i, number in enumerate(buckets):
        if before + number >= rank and number:
            low = EDGES_S[i - 1] if i else 0.0
            high = min(EDGES_S[i], most.total_seconds()) if i < len(EDGES_S) else most.total_seconds()
            inside = (rank - before) / number
            return timedelta(seconds=min(low + max(high - low, 0.0) * inside, most.total_seconds()))
        before += number
    return most


def grain_for(span: timedelta) -> Grain:
    """Return which periods to read for so long a time: some hundreds of them at most."""
    if span <= timedelta(hours=6):
        return Grain.MINUTE
    return Grain.HOUR if span <= timedelta(days=14) else Grain.DAY
