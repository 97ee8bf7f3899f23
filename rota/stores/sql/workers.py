"""Workers: who is there, and the leases they hold."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from rota.clock import to_micros
from rota.core.model import WorkerRecord
from rota.stores.sql.database import Link
from rota.stores.sql.rows import WORKER, columns, stamps_text, worker_of, worker_row

FENCE = "r.id = s.row_id AND r.token = s.held AND r.state = 'running' AND r.owner = s.worker"
FIELDS = "row_id:id, held:int, worker:text, until:int"
HELD = (
    "SELECT r.id, r.cancel_requested FROM {rows(row_id:id, held:int, worker:text, until:int)} AS s JOIN {runs} AS r ON "
    + FENCE
    + " ORDER BY r.id{lock}"
)


def register(link: Link, worker: WorkerRecord) -> None:
    """Record a worker; a known id is overwritten."""
    deregister(link, worker.id)
    link.insert("workers", WORKER, [worker_row(worker)])


def deregister(link: Link, worker: str) -> None:
    """Forget a worker."""
    link.run("DELETE FROM {workers} WHERE id = ?", worker)


def every(link: Link) -> list[WorkerRecord]:
    """Return the known workers, longest started first."""
    rows = link.all(f"SELECT {columns(WORKER)} FROM {{workers}} ORDER BY started_at, id")
    return [worker_of(row) for row in rows]


def renew(
    link: Link, worker: str, held: Sequence[tuple[str, int]], *, until: datetime
) -> tuple[frozenset[str], frozenset[str]]:
    """Move the leases that are still held; return the ids of those, and of those that somebody asked to cancel."""
    if not held:
        return frozenset(), frozenset()
    # In one order, as every statement that locks several runs: two of them must not meet head on.
    rows = [(run_id, token, worker, to_micros(until)) for run_id, token in sorted(set(held))]
    if link.dialect.returns_updated:
        found = link.updated(
            "runs", FIELDS, rows, sets="lease_until = s.until", where=FENCE, returning="id, cancel_requested"
        )
    else:
        found = link.rows(HELD, rows)
        if found:
            link.update("runs", FIELDS, rows, sets="lease_until = s.until", where=FENCE)
    return frozenset(row[0] for row in found), frozenset(row[0] for row in found if row[1])


def seen(link: Link, worker: str, *, now: datetime, stamps: Mapping[str, datetime]) -> None:
    """Note that a worker lives, and when its loops last came round."""
    link.run("UPDATE {workers} SET last_seen = ?, stamps = ? WHERE id = ?", to_micros(now), stamps_text(stamps), worker)
