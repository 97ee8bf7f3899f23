"""Who has which run of a `MemoryStore`, and until when."""

import heapq
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.clock import to_micros
from rota.core.model import Run, State
from rota.queries import ClaimRequest
from rota.stores.memory_limit import Limits
from rota.stores.memory_run import Runs, in_queue

SKEW = timedelta(seconds=1)
"""How far two clocks may differ before a live lease looks expired."""


def claim(runs: Runs, limits: Limits, request: ClaimRequest, *, now: datetime) -> list[Run]:
    """Make queued runs running under a new token, in the order of each queue, and return them."""
    if request.handed is not None:
        return _taken_over(runs, request, request.handed, now)
    standing = runs.standing(State.QUEUED)
    if request.reopened:
        standing += [run for run in runs.standing(State.SCHEDULED) if run.limited_by is not None]
    claimable = [
        run
        for run in standing
        if run.queue in request.queues
        and run.job not in request.except_jobs
        and run.tenant not in request.except_tenants
    ]
    if request.limits or request.reopened:
        chosen = limits.choose(claimable, request, now=now)
    else:
        chosen = _first(claimable, request)
    return [_claimed(runs, run, request, now) for run in chosen]


def _first(claimable: Sequence[Run], request: ClaimRequest) -> list[Run]:
    chosen: list[Run] = []
    for queue, places in request.queues.items():
        free = min(places, request.limit - len(chosen))
        chosen += heapq.nsmallest(free, (run for run in claimable if run.queue == queue), key=in_queue)
    return chosen


def _claimed(runs: Runs, run: Run, request: ClaimRequest, now: datetime) -> Run:
    claimed = replace(
        run,
        state=State.RUNNING,
        attempt=run.attempt + 1,
        token=_next_token(run, now),
        owner=request.worker,
        lease_until=now + request.lease,
        claimed_at=now,
        limited_by=None,
    )
    runs.write(claimed)
    return claimed


def _taken_over(runs: Runs, request: ClaimRequest, handed: tuple[str, int], now: datetime) -> list[Run]:
    run_id, token = handed
    taken: list[Run] = []
    for run in runs.named([run_id]):
        if run.state is State.RUNNING and run.token == token:
            until = now + request.lease
            taken.append(replace(run, token=_next_token(run, now), owner=request.worker, lease_until=until))
            runs.write(taken[-1])
    return taken


def _next_token(run: Run, now: datetime) -> int:
    # The clock part keeps tokens rising when a failover takes the store back in time, the other part when the clock
    # goes back.
    return max(run.token + 1, to_micros(now))


def held_by(runs: Runs, worker: str, held: Sequence[tuple[str, int]]) -> list[Run]:
    """Return the runs that are running under these tokens in the hands of this worker."""
    wanted = set(held)
    return [
        run
        for run in runs.named(run_id for run_id, _ in held)
        if run.state is State.RUNNING and run.owner == worker and (run.id, run.token) in wanted
    ]


def expired(runs: Runs, *, now: datetime, limit: int) -> list[Run]:
    """Return running runs whose lease has ended, oldest lease first."""
    found = [
        (run.lease_until, run.id)
        for run in runs.standing(State.RUNNING)
        if run.lease_until is not None and run.lease_until < now - SKEW
    ]
    return runs.named(run_id for _, run_id in heapq.nsmallest(limit, found))
