"""What metrics say, read from the store: the same from any process (R53)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from rota.core.freshness import Freshness
from rota.core.incident import Incident, IncidentState
from rota.core.model import State
from rota.core.rollup import Grain, Measure, Rollup, Subject, merged, merged_measures
from rota.ports import Store
from rota.queries import IncidentQuery, MeasureQuery, PairQuery, RollupQuery
from rota.settings import Settings

KEPT = frozenset({"job", "tenant", "queue", "outcome"})
NOTHING = timedelta(0)
MOST_PAIRS = 10_000
"""Pairs that are counted, for the same reason as incidents."""
MOST_INCIDENTS = 1000
"""Incidents that are counted: of more, one knows enough."""


class Standing(Struct, frozen=True, kw_only=True):
    """How things stand now."""

    queued: Mapping[str, Mapping[State, int]]
    """Open runs by queue and state."""
    oldest: Mapping[str, timedelta]
    """How long ago the run was due that waits longest, by queue."""
    lag: timedelta
    """How late the slot is that should have been fired longest ago."""
    loops: Mapping[str, timedelta]
    """How long ago each loop last came round, in the worker where it is longest; as of that one's last heartbeat."""
    workers: Mapping[str, int]
    """How many worker processes are `alive`, or `silent`: not heard of for as long as leases last."""
    overdue: Mapping[str, int]
    """How many pairs of schedule and tenant are `late`, or `stale`."""
    incidents: Mapping[str, int]
    """How many incidents are open, by kind."""


class Reading(Struct, frozen=True, kw_only=True):
    """All metrics at one time."""

    sums: Mapping[Subject, tuple[Rollup, ...]]
    """Since the beginning, by what they are of. Tenants that have no series of their own are "" together."""
    measures: tuple[Measure, ...]
    standing: Standing
    declared: frozenset[tuple[str, str]] = frozenset()
    """The jobs of the code, each with its queue: also those that never ran."""


def read(store: Store, *, now: datetime, settings: Settings, declared: Iterable[tuple[str, str]] = ()) -> Reading:
    """Return what there is to say; `declared` are jobs, each with its queue.

    Raises:
        StoreUnavailable: it could not be read.
    """
    apart = settings.metrics.tenant_label
    sums = store.rollups.rollups(RollupQuery(grain=Grain.EVER, by=KEPT if apart else KEPT - {"tenant"}))
    measures = store.rollups.measures(MeasureQuery(grain=Grain.EVER))
    if "*" not in apart:
        # The list may have been longer when they were counted.
        sums = merged(_named(one, apart) for one in sums) if apart else sums
        measures = merged_measures(_named_measure(one, apart) for one in measures)
    by_subject = {subject: tuple(one for one in sums if one.key.subject is subject) for subject in Subject}
    return Reading(
        sums=by_subject,
        measures=tuple(measures),
        standing=standing(store, now=now, lease=settings.worker.lease),
        declared=frozenset(declared),
    )


def _named(one: Rollup, apart: tuple[str, ...]) -> Rollup:
    return one if one.key.tenant in apart else replace(one, key=one.key._replace(tenant=""))


def _named_measure(one: Measure, apart: tuple[str, ...]) -> Measure:
    return one if one.key.tenant in apart else replace(one, key=one.key._replace(tenant=""))


def standing(store: Store, *, now: datetime, lease: timedelta) -> Standing:
    """Return how things stand; a worker that has not been heard of for a lease is silent.

    Raises:
        StoreUnavailable: it could not be read.
    """
    counts, due = store.counts(), store.due(now=now, limit=1)
    overdue = store.freshness.pairs(PairQuery(states=(Freshness.LATE, Freshness.STALE), limit=MOST_PAIRS))
    loops: dict[str, timedelta] = {}
    workers = {"alive": 0, "silent": 0}
    for worker in store.workers():
        is_alive = now - worker.last_seen <= lease
        workers["alive" if is_alive else "silent"] += 1
        for name, at in worker.stamps.items() if is_alive else ():
            loops[name] = max(loops.get(name, NOTHING), worker.last_seen - at)
    return Standing(
        queued=counts.by_queue,
        oldest=MappingProxyType({queue: _ago(at, now) for queue, at in counts.oldest_by_queue.items()}),
        lag=max((_ago(schedule.next_at, now) for schedule in due if schedule.next_at is not None), default=NOTHING),
        loops=loops,
        workers=workers,
        overdue={"late": 0, "stale": 0} | Counter(pair.state.value for pair in overdue),
        incidents=Counter(incident.kind.value for incident in _open_incidents(store)),
    )


def _open_incidents(store: Store) -> list[Incident]:
    return store.alerts.incidents(IncidentQuery(states=(IncidentState.OPEN,), limit=MOST_INCIDENTS))


def _ago(at: datetime, now: datetime) -> timedelta:
    return max(now - at, NOTHING)
