"""What an operator does to runs: cancel them, or open them again."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from rota.clock import to_micros
from rota.queries import InLine
from rota.stores.sql import expiry, queue, rounds, stopping
from rota.stores.sql.database import Link
from rota.stores.sql.queue import WITHOUT_ATTEMPT
from rota.stores.sql.rows import ATTEMPT, clean

ENDED = """
SELECT r.id, r.queue, r.tenant, r.concurrency_key, r.round_id,
    r.token, r.owner, r.claimed_at, r.started_at, r.ended_at, r.outcome, r.error, r.slot, r.weight, r.part, r.batch
FROM {rows(id:id)} AS s JOIN {runs} AS r ON r.id = s.id
WHERE r.state IN ('succeeded', 'failed', 'cancelled', 'skipped') ORDER BY r.id{lock}
"""


def cancel(
    link: Link, ids: Sequence[str], *, now: datetime, reason: str, held_by: str | None, behind: str | None
) -> list[str]:
    """Cancel open runs: waiting ones at once, running ones by asking their worker. Return the ids affected."""
    # First: what comes before others was made before them, so rows are locked by id here too.
    if behind is not None and not stopping.has_failed(link, behind):
        return []
    rows = stopping.stop(link, ids, reason=reason, held_by=held_by, now=now)
    # After the last one: a run of the same key that is cancelled too must not go on in between.
    queue.unblock(link, {key for _, _, key in rows if key is not None}, now=now)
    return _in_order(ids, {row[0] for row in rows})


def skip_held(link: Link, ids: Sequence[str], *, now: datetime, reason: str) -> list[str]:
    """Record runs that have a gate to pass as skipped; return the ids of those that were."""
    rows = stopping.skip(link, ids, reason=reason, now=now)
    queue.unblock(link, {key for _, key in rows if key is not None}, now=now)
    return _in_order(ids, {row[0] for row in rows})


def expire(link: Link, ids: Sequence[str], *, now: datetime) -> list[str]:
    """Record those of these runs as skipped that have not begun in time; none of them is asked about again."""
    rows = stopping.expire(link, ids, now=now)
    queue.unblock(link, {key for _, key in rows if key is not None}, now=now)
    expiry.forget(link, ids)
    return _in_order(ids, {row[0] for row in rows})


def requeue(
    link: Link,
    ids: Sequence[str],
    *,
    now: datetime,
    reason: str,
    held_by: str | None,
    batch: str | None,
    lines: Mapping[str, InLine],
) -> list[str]:
    """Open ended runs again, with all their attempts anew, and return the ids that were ended and are open now."""
    rows = link.rows(ENDED, [(run_id,) for run_id in dict.fromkeys(ids)])
    if not rows:
        return []
    link.insert("attempts", ATTEMPT, [(row[0], *row[5:12]) for row in rows if row[10] is not None])
    rounds.reopen(link, [row[4] for row in rows if row[4] is not None])
    due = {row[0]: to_micros(now) if row[12] is None else row[12] for row in rows}
    due |= {run_id: to_micros(line.due_at) for run_id, line in lines.items()}
    keys = {row[0]: lines[row[0]].key if row[0] in lines else row[3] for row in rows}
    link.update(
        "runs",
        "row_id:id, next_state:id, why:long, next_due:int, gate:text, places:text, line:text",
        [
            (
                row[0],
                "scheduled" if keys[row[0]] is None else "waiting",
                clean(reason),
                due[row[0]],
                held_by,
                batch if row[14] is None else row[15],
                keys[row[0]],
            )
            for row in rows
        ],
        sets="state = s.next_state, reason = s.why, due_at = s.next_due, held_by = s.gate, batch = s.places, "
        "concurrency_key = s.line, attempt = 0, lost_count = 0, cancel_requested = 0, expires_at = NULL, "
        + WITHOUT_ATTEMPT,
        where="r.id = s.row_id",
    )
    plain = {row[0]: (row[0], row[1], row[2], due[row[0]], row[13], held_by) for row in rows if keys[row[0]] is None}
    queue.go_on(link, [plain[run_id] for run_id in dict.fromkeys(ids) if run_id in plain], now=now)
    queue.unblock(link, {key for key in keys.values() if key is not None}, now=now)
    return _in_order(ids, {row[0] for row in rows})


def _in_order(ids: Sequence[str], found: set[str]) -> list[str]:
    return [run_id for run_id in dict.fromkeys(ids) if run_id in found]
