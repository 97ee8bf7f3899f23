"""What an operator does to runs: cancel them, or open them again."""

from collections.abc import Sequence
from datetime import datetime

from rota.clock import to_micros
from rota.core.model import State
from rota.stores.sql import queue, rounds
from rota.stores.sql.database import Link
from rota.stores.sql.queue import WITHOUT_ATTEMPT
from rota.stores.sql.rows import ATTEMPT, clean

OPEN = """
SELECT r.id, r.state, r.concurrency_key FROM {rows(id:id)} AS s JOIN {runs} AS r ON r.id = s.id
WHERE r.state IN ('scheduled', 'waiting', 'queued', 'running') ORDER BY r.id{lock}
"""
ENDED = """
SELECT r.id, r.queue, r.tenant, r.concurrency_key, r.round_id,
    r.token, r.owner, r.claimed_at, r.started_at, r.ended_at, r.outcome, r.error, r.slot
FROM {rows(id:id)} AS s JOIN {runs} AS r ON r.id = s.id
WHERE r.state IN ('succeeded', 'failed', 'cancelled', 'skipped') ORDER BY r.id{lock}
"""


def cancel(link: Link, ids: Sequence[str], *, now: datetime, reason: str) -> list[str]:
    """Cancel open runs: waiting ones at once, running ones by asking their worker. Return the ids affected."""
    rows = link.rows(OPEN, [(run_id,) for run_id in dict.fromkeys(ids)])
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
            sets="state = 'cancelled', reason = s.why, ended_at = s.finished",
            where="r.id = s.row_id",
        )
    queue.unblock(link, {key for _, _, key in rows if key is not None}, now=now)
    return _in_order(ids, {row[0] for row in rows})


def requeue(link: Link, ids: Sequence[str], *, now: datetime, reason: str) -> list[str]:
    """Open ended runs again, with all their attempts anew, and return the ids that were ended and are open now."""
    rows = link.rows(ENDED, [(run_id,) for run_id in dict.fromkeys(ids)])
    if not rows:
        return []
    link.insert("attempts", ATTEMPT, [(row[0], *row[5:12]) for row in rows if row[10] is not None])
    rounds.reopen(link, [row[4] for row in rows if row[4] is not None])
    due = {row[0]: to_micros(now) if row[12] is None else row[12] for row in rows}
    link.update(
        "runs",
        "row_id:id, next_state:id, why:long, next_due:int",
        [(row[0], "scheduled" if row[3] is None else "waiting", clean(reason), due[row[0]]) for row in rows],
        sets="state = s.next_state, reason = s.why, due_at = s.next_due, attempt = 0, lost_count = 0, "
        "cancel_requested = 0, " + WITHOUT_ATTEMPT,
        where="r.id = s.row_id",
    )
    plain = {row[0]: (row[0], row[1], row[2], due[row[0]]) for row in rows if row[3] is None}
    queue.go_on(link, [plain[run_id] for run_id in dict.fromkeys(ids) if run_id in plain], now=now)
    queue.unblock(link, {row[3] for row in rows if row[3] is not None}, now=now)
    return _in_order(ids, {row[0] for row in rows})


def _in_order(ids: Sequence[str], found: set[str]) -> list[str]:
    return [run_id for run_id in dict.fromkeys(ids) if run_id in found]
