"""Runs on their way: accepted, queued, claimed, kept, given back, cancelled, opened again."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from rota.clock import from_micros
from rota.core.controls import AuditEntry
from rota.core.lifecycle import EXPIRED
from rota.core.model import Run
from rota.queries import ClaimRequest, InLine, Renewed
from rota.stores.redis import limits
from rota.stores.redis.audit import told
from rota.stores.redis.mapping import MICROSECOND, clean, kept_stamps, micros, new_run, run_of
from rota.stores.redis.records import RunRecord
from rota.stores.redis.server import Server

_ids = msgspec.msgpack.Decoder(list[str])
_runs = msgspec.msgpack.Decoder(list[RunRecord])
_renewed = msgspec.msgpack.Decoder(tuple[list[str], list[str], int])


def ids_of(answer: bytes) -> list[str]:
    """Return the ids that a script answers."""
    return _ids.decode(answer)


def runs_of(answer: bytes) -> list[Run]:
    """Return the runs that a script answers."""
    return [run_of(record) for record in _runs.decode(answer)]


def enqueue(server: Server, runs: Sequence[Run], *, now: datetime) -> list[str]:
    """Accept runs that are not known yet and place them; return their ids."""
    return ids_of(server.call("enqueue", {"runs": len(runs), "now": micros(now)}, [new_run(run) for run in runs]))


def promote(server: Server, *, now: datetime, limit: int) -> int:
    """Queue runs that came due, or hold them; return how many."""
    promoted: int = server.call("promote", {"now": micros(now), "limit": limit})
    return promoted


def expire(server: Server, *, now: datetime, limit: int) -> list[str]:
    """Record runs as skipped that have not begun in time; return their ids."""
    return ids_of(server.call("expire", {"now": micros(now), "limit": limit, "reason": EXPIRED}))


def unblock(server: Server, *, now: datetime) -> int:
    """Let the first waiting run of each concurrency key go on whose key nobody holds; return how many."""
    unblocked: int = server.call("unblock", {"now": micros(now)})
    return unblocked


def claim(server: Server, request: ClaimRequest, *, now: datetime) -> list[Run]:
    """Make queued runs running under a new token, and return them."""
    return runs_of(server.call("claim", {**wanted(request), "now": micros(now)}))


def wanted(request: ClaimRequest) -> dict[str, Any]:
    """Return a claim as the scripts take it."""
    return {
        "worker": request.worker,
        "queues": list(request.queues.items()),
        "limit": request.limit,
        "lease": request.lease // MICROSECOND,
        "except_jobs": list(request.except_jobs),
        "except_tenants": list(request.except_tenants),
        "limits": limits.told(request.limits),
        "reopened": request.reopened,
        "handed": request.handed,
    }


def renew(
    server: Server,
    worker: str,
    held: Sequence[tuple[str, int]],
    *,
    lease: timedelta,
    now: datetime,
    stamps: Mapping[str, datetime],
) -> Renewed:
    """Move leases that are still held, and stamp the worker."""
    answer = server.call(
        "renew",
        {
            "worker": worker,
            "held": held,
            "lease": lease // MICROSECOND,
            "now": micros(now),
            "stamps": kept_stamps(stamps),
        },
    )
    kept, stop, time = _renewed.decode(answer)
    return Renewed(held=frozenset(kept), stop=frozenset(stop), now=from_micros(time))


def release(server: Server, worker: str, held: Sequence[tuple[str, int]], *, now: datetime) -> list[str]:
    """Give running runs back; return the ids that were."""
    return ids_of(server.call("release", {"worker": worker, "held": held, "now": micros(now)}))


def cancel(
    server: Server,
    ids: Sequence[str],
    *,
    now: datetime,
    reason: str,
    held_by: str | None,
    behind: str | None,
    audit: AuditEntry | None,
) -> list[str]:
    """Cancel open runs: waiting ones at once, running ones by asking their worker."""
    request = {
        "ids": ids,
        "now": micros(now),
        "reason": clean(reason),
        "held_by": held_by,
        "behind": behind,
        "audit": told(audit),
    }
    return ids_of(server.call("cancel", request))


def requeue(
    server: Server,
    ids: Sequence[str],
    *,
    now: datetime,
    reason: str,
    held_by: str | None,
    batch: str | None,
    lines: Mapping[str, InLine],
    audit: AuditEntry | None,
) -> list[str]:
    """Open ended runs again, with all their attempts anew."""
    answer = server.call(
        "requeue",
        {
            "ids": ids,
            "now": micros(now),
            "reason": clean(reason),
            "held_by": held_by,
            "batch": batch,
            "lines": {run_id: (line.key, micros(line.due_at)) for run_id, line in lines.items()},
            "audit": told(audit),
        },
    )
    return ids_of(answer)
