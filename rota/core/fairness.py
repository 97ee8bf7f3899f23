"""Fair turns between the tenants of a queue: start-time fair queueing.

Runs are claimed in the order (priority, turn, id). A tenant with 100,000 waiting runs has turns far ahead; another
tenant's first run gets the queue's current turn and so comes next. Idle capacity is used in full, and nobody keeps
books: both numbers are read from the runs that are queued.
"""

from collections.abc import Mapping, Sequence
from math import isfinite

LEAST_WEIGHT = 0.01
MOST_WEIGHT = 100.0


def is_weight(weight: float) -> bool:
    """Whether this can be a tenant's share of a queue beside others, who have 1."""
    return isfinite(weight) and LEAST_WEIGHT <= weight <= MOST_WEIGHT


def turns(
    queue_turn: float,
    last_turns: Mapping[str, float],
    tenants: Sequence[str | None],
    *,
    weights: Mapping[str, float] | None = None,
) -> list[float]:
    """Return the turn of each run that becomes queued now, in the order given.

    `queue_turn` is the smallest turn among the queue's queued runs (0 when there are none), `last_turns` the largest
    per tenant. A run's turn is max(queue_turn, its tenant's last + 1/weight); runs without a tenant are first in,
    first out at the queue's current turn. Two callers that read the same numbers give equal turns, which does no
    harm: the id decides.
    """
    latest = dict(last_turns)
    answer = []
    for tenant in tenants:
        if tenant is None:
            answer.append(queue_turn)
            continue
        weight = weights.get(tenant, 1.0) if weights else 1.0
        turn = max(queue_turn, latest[tenant] + 1 / weight) if tenant in latest else queue_turn
        latest[tenant] = turn
        answer.append(turn)
    return answer
