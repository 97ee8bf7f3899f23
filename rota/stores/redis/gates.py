"""Gates: who is held, who is let through, how many are out."""

from collections.abc import Sequence
from datetime import datetime

from rota.core.gates import BEFORE, DEPENDS, is_before_batch
from rota.core.model import Run, State
from rota.stores.redis.mapping import STATES, clean, micros
from rota.stores.redis.queue import ids_of, runs_of
from rota.stores.redis.server import Server


def hold(server: Server, gate: str, *, job: str | None, tenant: str | None, limit: int) -> int:
    """Put queued runs of a job or tenant aside; return how many."""
    held: int = server.call("hold", {"gate": gate, "job": job, "tenant": tenant, "limit": limit})
    return held


def gates(server: Server) -> list[str]:
    """Return by what gates runs are held, sorted."""
    return sorted(ids_of(server.call("gates")))


def held(server: Server, gate: str, *, after: tuple[datetime, str] | None, limit: int) -> list[Run]:
    """Return runs that a gate holds, by (due_at, id)."""
    key = None if after is None else (micros(after[0]), after[1])
    return runs_of(server.call("held", {"gate": gate, "after": key, "limit": limit}))


def admit(
    server: Server, gate: str, *, ids: Sequence[str] | None, limit: int, places: int | None, to: str | None
) -> list[str]:
    """Let runs that a gate holds go on, while there are places in the batch of its name."""
    before = [kind for kind in (*BEFORE, DEPENDS) if is_before_batch(kind, gate)]
    request = {"gate": gate, "ids": ids, "limit": limit, "places": places, "to": to, "before": before}
    return ids_of(server.call("admit", request))


def skip_held(server: Server, ids: Sequence[str], *, now: datetime, reason: str) -> list[str]:
    """Record runs that have a gate to pass as skipped."""
    return ids_of(server.call("skip_held", {"ids": ids, "now": micros(now), "reason": clean(reason)}))


def batch_counts(server: Server, batch: str) -> dict[State, int]:
    """Return how many runs of a batch stand where."""
    counts: dict[State, int] = {}
    for where, number in server.counters("batch", batch).items():
        # Held ones and those that wait for a retry are counted apart, see `in_batch` of the scripts.
        state = STATES.get(where, State.SCHEDULED)
        counts[state] = counts.get(state, 0) + number
    return counts
