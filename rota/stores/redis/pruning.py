"""Forgetting what is old (R72)."""

from datetime import datetime

import msgspec

from rota.clock import to_micros
from rota.core.signal import claimed_before
from rota.queries import Pruned
from rota.stores.redis.mapping import micros, micros_if
from rota.stores.redis.server import Server

_pruned = msgspec.msgpack.Decoder(tuple[int, int])


def prune(
    server: Server,
    *,
    succeeded_before: datetime,
    failed_before: datetime,
    slots_before: datetime,
    logs_before: datetime,
    audit_before: datetime | None,
    limit: int,
) -> Pruned:
    """Delete what is older than this, up to `limit` of each kind."""
    answer = server.call(
        "prune",
        {
            "succeeded_before": micros(succeeded_before),
            "failed_before": micros(failed_before),
            "slots_before": micros(slots_before),
            "logs_before": micros(logs_before),
            "audit_before": micros_if(audit_before),
            "signals_below": claimed_before(to_micros(failed_before)),
            "limit": limit,
        },
    )
    runs, chunks = _pruned.decode(answer)
    return Pruned(runs=runs, chunks=chunks)
