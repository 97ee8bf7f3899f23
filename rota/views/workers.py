"""The worker processes: which live, since when, what they run, and whether each of their loops comes round."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from rota.alerting import usual_times
from rota.app import Rota
from rota.core.liveness import is_late
from rota.core.model import Run, State, WorkerRecord
from rota.engine.host import is_dead_neighbour
from rota.queries import RunQuery

MOST_HELD = 1000
"""How many runs of one worker are read."""


class Held(Struct, frozen=True, kw_only=True):
    """A run that a worker has."""

    run: str
    job: str
    tenant: str | None
    elapsed_s: float
    done: int | None
    total: int | None


class LoopAge(Struct, frozen=True, kw_only=True):
    """When a loop last came round, as its worker said with its last heartbeat."""

    name: str
    age_s: float
    is_late: bool


class WorkerRow(Struct, frozen=True, kw_only=True):
    """One worker process. Its state is `alive`, `silent` (not heard of for as long as leases last), or `dead`: its
    process on this host is gone."""

    id: str
    state: str
    host: str
    pid: int
    version: str
    started_at: datetime
    last_seen: datetime
    seen_s: float
    """How long ago that was."""
    queues: Mapping[str, int]
    """How many runs it takes of each queue at most; 0 is as many as it has places."""
    busy: int
    places: int
    runs: list[Held]
    loops: list[LoopAge]


def worker_rows(app: Rota) -> list[WorkerRow]:
    """Return the workers that the store knows, longest started first."""
    now = app.clock.now()
    return [_row(app, worker, now=now) for worker in app.store.workers()]


def late_loops(row: WorkerRow) -> list[str]:
    """Return the names of the loops that do not come round, though their worker lives."""
    return [loop.name for loop in row.loops if loop.is_late] if row.state == "alive" else []


def _row(app: Rota, worker: WorkerRecord, *, now: datetime) -> WorkerRow:
    query = RunQuery(owner=worker.id, states=(State.RUNNING,), kind=None, limit=MOST_HELD)
    held = [_held(run, now=now) for run in app.store.runs(query)]
    return WorkerRow(
        id=worker.id,
        state=_state(app, worker, now=now),
        host=worker.host,
        pid=worker.pid,
        version=worker.version,
        started_at=worker.started_at,
        last_seen=worker.last_seen,
        seen_s=_seconds(worker.last_seen, until=now),
        queues=dict(worker.queues),
        busy=len(held),
        places=worker.places,
        runs=sorted(held, key=lambda one: -one.elapsed_s),
        loops=_loops(app, worker, now=now),
    )


def _state(app: Rota, worker: WorkerRecord, *, now: datetime) -> str:
    if is_dead_neighbour(worker):
        return "dead"
    return "alive" if now - worker.last_seen <= app.settings.worker.lease else "silent"


def _loops(app: Rota, worker: WorkerRecord, *, now: datetime) -> list[LoopAge]:
    heartbeat, usual = app.settings.worker.heartbeat, usual_times(app.settings)
    return [
        LoopAge(name=name, age_s=_seconds(at, until=now), is_late=is_late(worker, name, usual, heartbeat=heartbeat))
        for name, at in sorted(worker.stamps.items())
    ]


def _held(run: Run, *, now: datetime) -> Held:
    since = run.started_at or run.claimed_at or now
    return Held(
        run=run.id,
        job=run.job,
        tenant=run.tenant,
        elapsed_s=_seconds(since, until=now),
        done=run.done,
        total=run.total,
    )


def _seconds(since: datetime, *, until: datetime) -> float:
    # The store's clock may be a little behind the instant that a worker wrote.
    return round(max((until - since).total_seconds(), 0.0), 3)
