"""Of what there is something to do in a `MemoryStore`."""

from collections.abc import Iterator
from datetime import datetime

from rota.core.delivery import DeliveryState
from rota.core.lifecycle import is_expired
from rota.core.model import State
from rota.ports import Store
from rota.queries import DeliveryQuery, Sign
from rota.stores.memory_run import Runs


def signs(store: Store, runs: Runs, *, now: datetime) -> Iterator[Sign]:
    """Yield the signs that there are, found by the verbs that they are signs for where those only read."""
    queued, scheduled = runs.standing(State.QUEUED), runs.standing(State.SCHEDULED)
    if queued:
        yield Sign.RUN_QUEUED
    if any(run.due_at <= now or run.waits_for is not None for run in scheduled) or any(
        is_expired(run, now=now) for run in (*queued, *scheduled)
    ):
        yield Sign.RUN_DUE
    if store.gates():
        yield Sign.RUN_HELD
    if any(run.limited_by is not None for run in scheduled):
        yield Sign.RUN_ASIDE
    if store.finished_rounds(limit=1):
        yield Sign.ROUND_OVER
    if store.due(now=now, limit=1):
        yield Sign.SLOT_DUE
    if store.controls():
        yield Sign.CONTROL
    if store.alerts.deliveries(DeliveryQuery(states=(DeliveryState.WAITING,), limit=1)):
        yield Sign.ALERT_WAITING
