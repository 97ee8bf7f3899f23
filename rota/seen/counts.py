"""How many open runs stand where, counted from the runs that there are."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from rota.core.model import Run, State
from rota.queries import Counts


def counts_of(runs: Iterable[Run]) -> Counts:
    """Return what `Store.counts` says, of these open runs."""
    by_queue: dict[str, Counter[State]] = {}
    oldest: dict[str, datetime] = {}
    waiting = 0
    for run in runs:
        by_queue.setdefault(run.queue, Counter())[run.state] += 1
        waiting += run.waits_for is not None
        if run.state is State.QUEUED:
            oldest[run.queue] = min(run.due_at, oldest.get(run.queue, run.due_at))
    return Counts(
        by_queue={queue: dict(counter) for queue, counter in by_queue.items()},
        waiting=waiting,
        oldest_queued_at=min(oldest.values(), default=None),
        oldest_by_queue=oldest,
    )
