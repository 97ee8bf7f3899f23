"""Runs that are due and may not run yet: held in a state of their own, out of the claim's way."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rota.clock import to_micros
from rota.core.gates import is_before_batch
from rota.core.model import Run, State
from rota.stores.sql import keys, queue
from rota.stores.sql.database import Link
from rota.stores.sql.rows import RUN, STATES, columns, run_of

# From each queue to the next: one probe of the index `claim`.
NEXT_QUEUE = """
SELECT r.queue FROM {runs} AS r WHERE r.state = 'queued' AND r.turn >= 0 AND r.queue > ? ORDER BY r.queue LIMIT 1
"""
QUEUED = """
SELECT r.priority, r.turn, r.id FROM {runs} AS r
WHERE r.state = 'queued' AND r.queue = ? AND %s ORDER BY r.priority, r.turn, r.id LIMIT ?
"""
# The index `claim` is of those with a turn, which all have. Of a job: in its order, through what is queued. Of a tenant
# that is not said, so that it cannot serve: for one without queued runs it would be read to its end.
OF_JOB, OF_TENANT = "r.turn >= 0 AND r.job = ?", "r.{tenant_state} = 'queued' AND r.tenant = ?"

# From each gate to the next, not through all that a gate holds. Served by the index `held`, as are the next three.
GATES = """
WITH RECURSIVE gates (name) AS (
    SELECT min(r.held_by) FROM {runs} AS r WHERE r.state = 'held'
    UNION ALL
    SELECT (SELECT min(r.held_by) FROM {runs} AS r WHERE r.state = 'held' AND r.held_by > gates.name)
    FROM gates WHERE gates.name IS NOT NULL
)
SELECT gates.name FROM gates WHERE gates.name IS NOT NULL
"""
NEXT_GATE = """
SELECT r.held_by FROM {runs} AS r WHERE r.state = 'held' AND r.held_by > ? ORDER BY r.held_by LIMIT 1
"""
BEHIND = " AND r.due_at >= ? AND (r.due_at > ? OR r.id > ?)"
HELD_RUNS = f"""
SELECT {columns(RUN, "r")} FROM {{runs}} AS r WHERE r.state = 'held' AND r.held_by = ?%s
ORDER BY r.due_at, r.id LIMIT ?
"""
ADMITTED = f"""
SELECT {keys.PLACE} FROM {{runs}} AS r WHERE r.state = 'held' AND r.held_by = ?
ORDER BY r.due_at, r.id LIMIT ?{{skip_locked}}
"""
ADMITTED_OF = f"""
SELECT {keys.PLACE} FROM {{rows(id:id)}} AS s JOIN {{runs}} AS r ON r.id = s.id
WHERE r.state = 'held' AND r.held_by = ? ORDER BY r.due_at, r.id{{lock}}
"""

# Two that count at once would both see the same free places. So whoever admits by places first takes this row, which
# is always there, and counts when the other one has committed: each statement reads what is committed by then.
ALONE = "SELECT r.value FROM {meta} AS r WHERE r.name = 'schema'{lock}"

# Served by the index `batch`: what is out is read, and not what is still to come.
AT_WORK = """
SELECT (SELECT count(*) FROM {runs} AS r WHERE r.batch = ? AND r.{batch_state} = 'queued')
    + (SELECT count(*) FROM {runs} AS r WHERE r.batch = ? AND r.{batch_state} = 'limited')
    + (SELECT count(*) FROM {runs} AS r WHERE r.batch = ? AND r.{batch_state} = 'running')
    + (SELECT count(*) FROM {runs} AS r WHERE r.batch = ? AND r.{batch_state} = 'scheduled' AND r.held_by IS NULL)
"""
ELSEWHERE = """
SELECT r.held_by, count(*) FROM {runs} AS r
WHERE r.batch = ? AND r.{batch_state} = 'held' AND r.held_by < ? GROUP BY r.held_by
UNION ALL
SELECT r.held_by, count(*) FROM {runs} AS r
WHERE r.batch = ? AND r.{batch_state} = 'held' AND r.held_by > ? GROUP BY r.held_by
"""
COUNTS = "SELECT r.{batch_state}, count(*) FROM {runs} AS r WHERE r.batch = ? GROUP BY r.{batch_state}"


def queued(link: Link, *, job: str | None, tenant: str | None, limit: int) -> list[Any]:
    """Return (priority, turn, id) of queued runs of a job or tenant, those first that are next in their queue."""
    named = [(term, value) for term, value in ((OF_JOB, job), (OF_TENANT, tenant)) if value is not None]
    template = QUEUED % (" AND ".join(term for term, _ in named) or "r.turn >= 0")
    values = [value for _, value in named]
    found: list[Any] = []
    name = ""
    while row := link.one(NEXT_QUEUE, name):
        name = row[0]
        found += link.all(template, name, *values, limit)
    return sorted(map(tuple, found))[:limit]


def hold(link: Link, gate: str, found: Sequence[Any]) -> int:
    """Put these runs aside that are still queued; return how many."""
    return link.update(
        "runs",
        "row_id:id, gate:text",
        sorted((row[2], gate) for row in found),
        sets="state = 'held', held_by = s.gate",
        where="r.id = s.row_id AND r.state = 'queued'",
    )


def gates(link: Link) -> list[str]:
    """Return by what gates runs are held, sorted."""
    if link.dialect.jumps:
        return sorted(row[0] for row in link.all(GATES))
    names: list[str] = []
    while row := link.one(NEXT_GATE, names[-1] if names else ""):
        names.append(row[0])
    return names


def held(link: Link, gate: str, *, after: tuple[datetime, str] | None, limit: int) -> list[Run]:
    """Return runs that a gate holds, by (due_at, id); only those after that key."""
    if after is None:
        return [run_of(row) for row in link.all(HELD_RUNS % "", gate, limit)]
    due_at = to_micros(after[0])
    return [run_of(row) for row in link.all(HELD_RUNS % BEHIND, gate, due_at, due_at, after[1], limit)]


def admit(
    link: Link, gate: str, *, ids: Sequence[str] | None, limit: int, places: int | None, to: str | None
) -> list[str]:
    """Let runs that a gate holds go on, while there are places in the batch of its name; return their ids."""
    if places is not None:
        link.one(ALONE)
        limit = min(limit, places - _out(link, gate))
    if limit <= 0:
        return []
    if ids is None:
        rows = link.all(ADMITTED, gate, limit)
    else:
        rows = link.rows(ADMITTED_OF, [(run_id,) for run_id in sorted(set(ids))], gate)[:limit]
    if to is None:
        queue.put_in_queue(link, rows)
    elif rows:
        moved = [(row[0], to) for row in rows]
        link.update("runs", "row_id:id, gate:text", moved, sets="held_by = s.gate", where="r.id = s.row_id")
    return [row[0] for row in rows]


def _out(link: Link, batch: str) -> int:
    """Return how many runs of a batch have a place."""
    # Those behind another gate first: one that goes from there into the queue in between is counted twice then, and
    # not missed, which would let one too many go.
    others = link.all(ELSEWHERE, batch, batch, batch, batch)
    [number] = link.one(AT_WORK, batch, batch, batch, batch)
    return int(number) + sum(int(count) for gate, count in others if not is_before_batch(gate, batch))


def batch_counts(link: Link, batch: str) -> dict[State, int]:
    """Return how many runs of a batch stand where."""
    answer: dict[State, int] = {}
    for state, number in link.all(COUNTS, batch):
        answer[STATES[state]] = answer.get(STATES[state], 0) + int(number)
    return answer
