"""Ending open runs on request: waiting ones at once, running ones by asking their worker."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rota.clock import to_micros
from rota.core.lifecycle import EXPIRED
from rota.core.model import State
from rota.stores.sql.database import Link
from rota.stores.sql.rows import OPEN, clean

STOPPED = f"""
SELECT r.id, r.state, r.concurrency_key FROM {{rows(id:id)}} AS s JOIN {{runs}} AS r ON r.id = s.id
WHERE r.state IN {OPEN}%s ORDER BY r.id{{lock}}
"""
AT_THIS_GATE = " AND r.state IN ('scheduled', 'waiting', 'held') AND r.held_by = ?"
HAS_FAILED = "SELECT 1 FROM {runs} AS r WHERE r.id = ? AND r.state IN ('failed', 'cancelled', 'skipped'){lock}"

AT_GATE = """
SELECT r.id, r.concurrency_key FROM {rows(id:id)} AS s JOIN {runs} AS r ON r.id = s.id
WHERE r.state IN ('scheduled', 'waiting', 'held') AND r.held_by IS NOT NULL ORDER BY r.id{lock}
"""
# As `lifecycle.is_expired` has it.
LATE = """
SELECT r.id, r.concurrency_key FROM {rows(id:id)} AS s JOIN {runs} AS r ON r.id = s.id
WHERE r.state IN ('scheduled', 'waiting', 'held', 'limited', 'queued') AND r.attempt = 0 AND r.expires_at <= ?
ORDER BY r.id{lock}
"""
END = "reason = s.why, ended_at = s.finished, held_by = NULL, limited_by = NULL"


def has_failed(link: Link, run_id: str) -> bool:
    """Whether a run has ended and has not succeeded; that stays so until the end of the transaction."""
    return link.one(HAS_FAILED, run_id) is not None


def stop(link: Link, ids: Iterable[str], *, reason: str, now: datetime, held_by: str | None = None) -> list[Any]:
    """Cancel those that are open, running ones by asking their worker; return (id, state before, concurrency key).

    `held_by`: only those that have this gate still to pass. Nobody goes on for it yet.
    """
    condition, gate = ("", ()) if held_by is None else (AT_THIS_GATE, (held_by,))
    rows = link.rows(STOPPED % condition, [(run_id,) for run_id in dict.fromkeys(ids)], *gate)
    text = clean(reason)
    running = [(run_id, text) for run_id, state, _ in rows if state == State.RUNNING.value]
    resting = [(run_id, text, to_micros(now)) for run_id, state, _ in rows if state != State.RUNNING.value]
    if running:
        link.update(
            "runs",
            "row_id:id, why:long",
            running,
            sets="cancel_requested = 1, reason = s.why",
            where="r.id = s.row_id",
        )
    if resting:
        link.update(
            "runs",
            "row_id:id, why:long, finished:int",
            resting,
            sets=f"state = 'cancelled', {END}",
            where="r.id = s.row_id",
        )
    return rows


def skip(link: Link, ids: Iterable[str], *, reason: str, now: datetime) -> list[Any]:
    """Record runs with a gate to pass as skipped; return (id, concurrency key). Nobody goes on for it yet."""
    rows = link.rows(AT_GATE, [(run_id,) for run_id in dict.fromkeys(ids)])
    _skip(link, rows, reason=reason, now=now)
    return rows


def expire(link: Link, ids: Iterable[str], *, now: datetime) -> list[Any]:
    """Record runs as skipped that have not begun in time; return (id, concurrency key). Nobody goes on for it yet."""
    rows = link.rows(LATE, [(run_id,) for run_id in dict.fromkeys(ids)], to_micros(now))
    _skip(link, rows, reason=EXPIRED, now=now)
    return rows


def _skip(link: Link, rows: Sequence[Any], *, reason: str, now: datetime) -> None:
    if rows:
        link.update(
            "runs",
            "row_id:id, why:long, finished:int",
            [(row[0], clean(reason), to_micros(now)) for row in rows],
            sets=f"state = 'skipped', {END}",
            where="r.id = s.row_id",
        )
