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
    "SELECT r.id, r.cancel_requested, {now} FROM {rows(row_id:id, held:int, worker:text, until:int)} AS s "
    "JOIN {runs} AS r ON " + FENCE
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
) -> tuple[frozenset[str], frozenset[str], int | None]:
    """Move the leases that are still held; return the ids of those, and of those that somebody asked to cancel, and
    the store's time if any is held: it comes along without a round trip of its own."""
    if not held:
        return frozenset(), frozenset(), None
    # In one order, as every statement that locks several runs: two of them must not meet head on.
    rows = [(run_id, token, worker, to_micros(until)) for run_id, token in sorted(set(held))]
    if link.dialect.returns_updated:
        told = f"id, cancel_requested, {link.dialect.fixed['now']}"
        found = link.updated("runs", FIELDS, rows, sets="lease_until = s.until", where=FENCE, returning=told)
    else:
        link.update("runs", FIELDS, rows, sets="lease_until = s.until", where=FENCE)
        # After it, and needs no transaction with it: tokens only grow, so who holds a run now held it then.
        found = link.rows(HELD, rows)
    kept = frozenset(row[0] for row in found)
    return kept, frozenset(row[0] for row in found if row[1]), int(found[0][2]) if found else None


def seen(link: Link, worker: str, *, now: datetime, stamps: Mapping[str, datetime]) -> None:
    """Note that a worker lives, and when its loops last came round."""
    link.run("UPDATE {workers} SET last_seen = ?, stamps = ? WHERE id = ?", to_micros(now), stamps_text(stamps), worker)
