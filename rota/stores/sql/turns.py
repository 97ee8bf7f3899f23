"""The turns of runs that become queued: two index probes per queue and batch."""

from collections.abc import Mapping, Sequence

from rota.core.fairness import turns
from rota.stores.sql.database import Link, json_of

LOWEST = -(2**31)

# The smallest turn of a queue: one probe of the index `claim` per priority that is in use.
QUEUE_TURN = """
WITH RECURSIVE used (priority) AS (
    SELECT min(r.priority) FROM {runs} AS r WHERE r.state = 'queued' AND r.turn >= 0 AND r.queue = ?
    UNION ALL
    SELECT (SELECT min(r.priority) FROM {runs} AS r
            WHERE r.state = 'queued' AND r.turn >= 0 AND r.queue = ? AND r.priority > used.priority)
    FROM used WHERE used.priority IS NOT NULL
)
SELECT min((SELECT min(r.turn) FROM {runs} AS r
            WHERE r.state = 'queued' AND r.turn >= 0 AND r.queue = ? AND r.priority = used.priority))
FROM used WHERE used.priority IS NOT NULL
"""

NEXT_PRIORITY = """
SELECT r.priority, r.turn FROM {runs} AS r WHERE r.state = 'queued' AND r.turn >= 0 AND r.queue = ? AND r.priority > ?
ORDER BY r.priority, r.turn LIMIT 1
"""

# One probe of the index `tenant` for each.
LAST_TURNS = """
SELECT s.tenant, (SELECT r.turn FROM {runs} AS r WHERE r.state = 'queued' AND r.queue = ? AND r.tenant = s.tenant
                  ORDER BY r.turn DESC LIMIT 1) AS turn
FROM {rows(tenant:text)} AS s
"""


def given(link: Link, places: Sequence[tuple[str, str | None]]) -> list[float]:
    """Return the turn of each run, of which queue and tenant are given, in this order."""
    queues = {queue for queue, _ in places}
    if len(queues) == 1:
        return _in_queue(link, queues.pop(), [tenant for _, tenant in places])
    by_queue = {
        queue: iter(_in_queue(link, queue, [tenant for other, tenant in places if other == queue]))
        for queue in sorted(queues)
    }
    return [next(by_queue[queue]) for queue, _ in places]


def _in_queue(link: Link, queue: str, tenants: Sequence[str | None]) -> list[float]:
    turn = _queue_turn(link, queue)
    named = {tenant for tenant in tenants if tenant is not None}
    last: Mapping[str, float] = {}
    if named and turn is not None:
        found = link.all(LAST_TURNS, queue, json_of([(tenant,) for tenant in sorted(named)]))
        last = {tenant: latest for tenant, latest in found if latest is not None}
    return turns(0.0 if turn is None else turn, last, tenants)


def _queue_turn(link: Link, queue: str) -> float | None:
    """Return the smallest turn among the queue's queued runs, or None when there are none."""
    if link.dialect.jumps:
        [smallest] = link.one(QUEUE_TURN, queue, queue, queue)
        return None if smallest is None else float(smallest)
    found: list[float] = []
    priority = LOWEST
    while row := link.one(NEXT_PRIORITY, queue, priority):
        priority = row[0]
        found.append(row[1])
    return min(found, default=None)
