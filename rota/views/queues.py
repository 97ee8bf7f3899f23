"""Queues: what waits and runs in each, since when, and who works it."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from rota.app import Rota
from rota.core.controls import Paused
from rota.core.model import OPEN, State
from rota.queries import RunQuery
from rota.views.status import alive_workers

MOST_NAMED = 10
MOST_READ = 20_000
"""Runs of a queue that are looked at for who fills it."""


class QueueRow(Struct, frozen=True, kw_only=True):
    """One queue."""

    name: str
    state: str
    """`ok`, `idle` where nothing is in it, `paused`, or `unserved`: runs wait and no worker takes them."""
    queued: int
    scheduled: int
    """Due later, waiting for their turn, or held back."""
    running: int
    oldest_queued_at: datetime | None
    """Since when the run that waits longest is due."""
    waited_s: float | None
    """How long ago that is."""
    workers: int
    """How many live workers take from it."""
    jobs: list[str]
    """Jobs of this application that go there when nobody says otherwise."""
    reason: str | None
    """By whom it is paused, and why."""


class QueueDetail(Struct, frozen=True, kw_only=True):
    """One queue with who fills it."""

    queue: QueueRow
    by_job: dict[str, int]
    """Open runs of the jobs that have most of them."""
    by_tenant: dict[str, int]
    """The same of tenants; "" is none."""
    workers: list[str]
    is_cut: bool
    """Whether there were more runs than are looked at."""


def queue_rows(app: Rota) -> list[QueueRow]:
    """Return every queue that has runs, a worker, a job or a pause, by name."""
    now = app.clock.now()
    counts = app.store.counts()
    served = _served(app, now=now)
    paused = {pause.name: pause.said for pause in app.pauses.list() if pause.kind is Paused.QUEUE}
    jobs: dict[str, list[str]] = {}
    for name, function in sorted(app.jobs.items()):
        jobs.setdefault(function.job.queue, []).append(name)
    return [
        _row(
            name,
            counts.by_queue.get(name, {}),
            oldest=counts.oldest_by_queue.get(name),
            workers=len(served.get(name, ())),
            jobs=jobs.get(name, []),
            reason=paused.get(name),
            now=now,
        )
        for name in sorted({*counts.by_queue, *served, *paused, *jobs})
    ]


def queue_detail(app: Rota, name: str) -> QueueDetail | None:
    """Return one queue with who fills it, or None where there is no such queue."""
    row = next((row for row in queue_rows(app) if row.name == name), None)
    if row is None:
        return None
    runs = app.store.runs(RunQuery(queues=(name,), states=tuple(OPEN), kind=None, limit=MOST_READ))
    return QueueDetail(
        queue=row,
        by_job=_most(Counter(run.job for run in runs)),
        by_tenant=_most(Counter(run.tenant or "" for run in runs)),
        workers=_served(app, now=app.clock.now()).get(name, []),
        is_cut=len(runs) == MOST_READ,
    )


def _row(
    name: str,
    counts: Mapping[State, int],
    *,
    oldest: datetime | None,
    workers: int,
    jobs: list[str],
    reason: str | None,
    now: datetime,
) -> QueueRow:
    return QueueRow(
        name=name,
        state=_state(counts, workers=workers, is_paused=reason is not None),
        queued=counts.get(State.QUEUED, 0),
        scheduled=counts.get(State.SCHEDULED, 0),
        running=counts.get(State.RUNNING, 0),
        oldest_queued_at=oldest,
        waited_s=None if oldest is None else round(max((now - oldest).total_seconds(), 0.0), 3),
        workers=workers,
        jobs=jobs,
        reason=reason,
    )


def _state(counts: Mapping[State, int], *, workers: int, is_paused: bool) -> str:
    if is_paused:
        return "paused"
    if not any(counts.values()):
        return "idle"
    return "ok" if workers or not counts.get(State.QUEUED) else "unserved"


def _served(app: Rota, *, now: datetime) -> dict[str, list[str]]:
    """Return by queue the live workers that take from it."""
    served: dict[str, list[str]] = {}
    for worker in alive_workers(app, app.store.workers(), now=now):
        for queue in worker.queues:
            served.setdefault(queue, []).append(worker.id)
    return served


def _most(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:MOST_NAMED])
