"""Queues of one process: what `rota run --here` starts is nobody else's work."""

from collections.abc import Iterable
from datetime import datetime

from rota.core.model import OPEN
from rota.ports import Store
from rota.queries import RunQuery

PREFIX = "here-"


def private_queue(unique: str) -> str:
    """Return the name of a queue that only the process that made it works."""
    return f"{PREFIX}{unique}"


def is_private(queue: str) -> bool:
    """Whether only the process that made it works this queue."""
    return queue.startswith(PREFIX)


def cancel_left(store: Store, queues: Iterable[str], *, now: datetime, reason: str) -> int:
    """Cancel what is open in the private ones of these queues; return how many runs.

    Nobody else would ever claim it, and it would hold back its schedule's line for ever.
    """
    cancelled = 0
    for name in queues:
        if not is_private(name):
            continue
        query = RunQuery(queues=(name,), states=tuple(sorted(OPEN)), kind=None, limit=500)
        while runs := store.runs(query):
            ids = store.cancel([run.id for run in runs], now=now, reason=reason)
            cancelled += len(ids)
            if len(runs) < query.limit or not ids:
                break
    return cancelled
