"""The turns of runs that become queued: two index probes per queue and batch."""

from collections.abc import Mapping, Sequence

from rota.core.fairness import turns
from rota.stores.sql.database import Link, json_of
from rota.stores.sql.front import LONG, PASSED, Turn

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

# One probe of the index `tenant` for each, and one of `aside`: behind those that a limit holds back, or a new run would
# overtake them.
LAST_TURNS = """
SELECT s.tenant,
    (SELECT r.turn FROM {runs} AS r WHERE r.{tenant_state} = 'queued' AND r.queue = ? AND r.tenant = s.tenant
     ORDER BY r.turn DESC LIMIT 1),
    (SELECT r.turn FROM {runs} AS r WHERE r.{tenant_state} = 'limited' AND r.queue = ? AND r.tenant = s.tenant
     ORDER BY r.turn DESC LIMIT 1)
FROM {rows(tenant:text)} AS s
"""


def given(link: Link, places: Sequence[tuple[str, str | None, float]]) -> list[float]:
    """Return the turn of each run, of which queue, tenant and the tenant's weight are given, in this order."""
    queues = {place[0] for place in places}
    if len(queues) == 1:
        return _in_queue(link, queues.pop(), places)
    by_queue = {
        queue: iter(_in_queue(link, queue, [place for place in places if place[0] == queue]))
        for queue in sorted(queues)
    }
    return [next(by_queue[place[0]]) for place in places]


def _in_queue(link: Link, queue: str, places: Sequence[tuple[str, str | None, float]]) -> list[float]:
    tenants = [tenant for _, tenant, _ in places]
    weights = {tenant: weight for _, tenant, weight in places if tenant is not None}
    turn = _queue_turn(link, queue)
    named = {tenant for tenant in tenants if tenant is not None}
    last: Mapping[str, float] = {}
    if named:
        found = link.all(LAST_TURNS, queue, queue, json_of([(tenant,) for tenant in sorted(named)]))
        latest = {tenant: [turn for turn in both if turn is not None] for tenant, *both in found}
        last = {tenant: max(both) for tenant, both in latest.items() if both}
    return turns(0.0 if turn is None else turn, last, tenants, weights=weights)


def _queue_turn(link: Link, queue: str) -> float | None:
    """Return the smallest turn among the queue's queued runs, or None when there are none."""
    if link.dialect.name == "postgres":
        return _remembered_turn(link, queue)
    if link.dialect.jumps:
        return _smallest_turn(link, queue)
    found: list[float] = []
    priority = LOWEST
    while row := link.one(NEXT_PRIORITY, queue, priority):
        priority = row[0]
        found.append(row[1])
    return min(found, default=None)


def _smallest_turn(link: Link, queue: str) -> float | None:
    [smallest] = link.one(QUEUE_TURN, queue, queue, queue)
    return None if smallest is None else float(smallest)


def _remembered_turn(link: Link, queue: str) -> float | None:
    """Return the turn of a queue, for a while the same when it took long to find: see `front`.

    A turn that is a little behind lets new runs stand a little further in front; each tenant's own go on from its last.
    """
    at = link.fronts.now()
    known = link.fronts.turn_of_late(queue)
    if known is not None:
        return known.turn if known.is_long else _smallest_turn(link, queue)
    [before] = link.one(PASSED)
    turn = _smallest_turn(link, queue)
    [after] = link.one(PASSED)
    # Not None, which would say that there are no last turns of tenants either.
    link.fronts.learn_turn(queue, Turn(turn=turn or 0.0, counted_at=at, is_long=after - before >= LONG))
    return turn
