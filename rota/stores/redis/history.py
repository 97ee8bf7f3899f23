"""What is told of runs: one with its attempts, lists, slots, counts."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

import msgspec

from rota.clock import EPOCH
from rota.core.lifecycle import own_attempt
from rota.core.model import OPEN, Run, RunHistory, RunKind, SlotState, State
from rota.queries import Counts, RunQuery
from rota.stores.memory_history import counts_of
from rota.stores.memory_query import is_run_meant, within
from rota.stores.redis.mapping import MICROSECOND, STATES, at, attempt_of, micros, run_of
from rota.stores.redis.paging import PAGE, newest_first
from rota.stores.redis.queue import runs_of
from rota.stores.redis.records import AttemptRecord, RunRecord
from rota.stores.redis.server import Server

MIN_PREFIX = 6
SKEW = timedelta(seconds=1)
"""How far two clocks may differ before a live lease looks expired."""

MANY = 10_000_000
"""More runs than are open."""

FEW = 20_000
"""So many ids are read and sorted at once; of more, all runs are walked through, newest first."""

BAD = frozenset({State.FAILED, State.CANCELLED})

Command = tuple[str, ...]

LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND

_oldest = msgspec.msgpack.Decoder(list[tuple[str, str | None]])
_history = msgspec.msgpack.Decoder(tuple[RunRecord, list[AttemptRecord]])


def run(server: Server, run_id: str) -> RunHistory | None:
    """Return a run with its attempts; a unique prefix of at least six digits will do."""
    answer = server.call("history", {"id": run_id, "is_prefix": len(run_id) >= MIN_PREFIX})
    if answer is None:
        return None
    record, attempts = _history.decode(answer)
    found = run_of(record)
    own = () if found.claimed_at is None else (own_attempt(found),)
    return RunHistory(run=found, attempts=(*map(attempt_of, attempts), *own))


def runs(server: Server, query: RunQuery) -> list[Run]:
    """Return the runs asked for, newest first."""
    is_open = bool(query.states) and OPEN.issuperset(query.states)
    # Those with ids were asked for by them; to compare each with all of them again would take its time.
    rest = query if not query.ids else msgspec.structs.replace(query, ids=())
    meant = (run for run in _from(server, query, is_open=is_open) if is_run_meant(run, rest))
    return list(islice(meant, query.limit))


def _from(server: Server, query: RunQuery, *, is_open: bool) -> Iterator[Run]:
    for ids in _candidates(server, query, is_open=is_open):
        found = runs_of(server.call("fetch", {"ids": ids, "is_open": is_open}))
        yield from sorted(found, key=lambda run: run.id, reverse=True)


def _candidates(server: Server, query: RunQuery, *, is_open: bool) -> Iterator[list[str]]:
    """Yield the ids of runs that may be meant, newest first, by the narrowest index there is."""
    if query.ids:
        return _by_page(query.ids, query.before_id)
    if query.round_id is not None:
        return newest_first(server, f"round-runs:{query.round_id}", query.before_id)
    if query.batch is not None:
        return newest_first(server, f"batch-runs:{query.batch}", query.before_id)
    if query.parent is not None:
        return newest_first(server, f"children:{query.parent}", query.before_id)
    few = _few(server, query, is_open=is_open)
    if few is None:
        return newest_first(server, "ids", query.before_id)
    return _by_page(few, query.before_id)


def _by_page(ids: Sequence[str], before_id: str | None) -> Iterator[list[str]]:
    below = sorted((each for each in set(ids) if before_id is None or each < before_id), reverse=True)
    return (below[first : first + PAGE] for first in range(0, len(below), PAGE))


def _few(server: Server, query: RunQuery, *, is_open: bool) -> list[str] | None:
    """Return the ids of an index that is not in the order of ids, if one fits and is small enough."""
    asked = _index(server, query, is_open=is_open)
    if asked is None:
        return None
    size, all_of_it = asked
    if server.ask(*size) > FEW:
        return None
    return [each.decode() for each in server.ask(*all_of_it)]


def _index(server: Server, query: RunQuery, *, is_open: bool) -> tuple[Command, Command] | None:
    """Return how the size of an index is asked for, and all of it."""
    has_range = query.slot_since is not None or query.slot_until is not None
    if query.schedule is not None and has_range and query.kind is RunKind.JOB:
        slots = _slots(server, query.schedule, query.slot_since, query.slot_until)
        return ("ZCOUNT", *slots), ("ZRANGEBYSCORE", *slots)
    if set(query.states) == {State.RUNNING}:
        return ("ZCARD", server.key("leases")), ("ZRANGE", server.key("leases"), "0", "-1")
    if is_open:
        return ("HLEN", server.key("open")), ("HKEYS", server.key("open"))
    if query.states and BAD.issuperset(query.states):
        return ("ZCARD", server.key("bad")), ("ZRANGE", server.key("bad"), "0", "-1")
    return None


def _slots(server: Server, schedule: str, since: datetime | None, until: datetime | None) -> tuple[str, str, str]:
    """Return the key of a schedule's slots, and a range of it. Doubles are rounded: the ends are looked at again."""
    first = "-inf" if since is None else str(micros(since))
    last = "+inf" if until is None else str(micros(until))
    return server.key("slots", schedule), first, last


def slot_states(server: Server, schedule: str, *, since: datetime, until: datetime) -> list[SlotState]:
    """Return the newest run of each slot and tenant, by slot and tenant."""
    ids = [each.decode() for each in server.ask("ZRANGEBYSCORE", *_slots(server, schedule, since, until))]
    newest: dict[tuple[datetime, str], SlotState] = {}
    for run in sorted(_fetched(server, ids), key=lambda run: run.id):
        if run.slot is not None and within(run.slot, since, until):
            newest[run.slot, run.tenant or ""] = SlotState(run.slot, run.tenant, run.state, run.id)
    return [newest[key] for key in sorted(newest)]


def _fetched(server: Server, ids: Sequence[str]) -> Iterator[Run]:
    for first in range(0, len(ids), PAGE):
        yield from runs_of(server.call("fetch", {"ids": ids[first : first + PAGE]}))


def expired(server: Server, *, now: datetime, limit: int) -> list[Run]:
    """Return running runs whose lease has ended, oldest lease first."""
    return runs_of(server.call("expired", {"before": micros(now - SKEW), "limit": limit}))


def counts(server: Server, *, jobs: frozenset[str] | None = None, tenants: frozenset[str] | None = None) -> Counts:
    """Return how many open runs stand where. The counters are of all: of some jobs or tenants, runs are looked at."""
    if jobs is not None or tenants is not None:
        if any(names is not None and not names for names in (jobs, tenants)):
            return counts_of(())
        query = RunQuery(
            jobs=tuple(jobs or ()), tenants=tuple(tenants or ()), states=tuple(OPEN), kind=None, limit=MANY
        )
        return counts_of(runs(server, query))
    by_queue: dict[str, dict[State, int]] = {}
    waiting = 0
    for name, number in server.counters("counts").items():
        state, is_of_queue, queue = name.partition("/")
        if is_of_queue:
            by_queue.setdefault(queue, {})[STATES[state]] = number
        else:
            waiting = number
    queues = [queue for queue, states in by_queue.items() if State.QUEUED in states]
    found = _oldest.decode(server.call("oldest", {"queues": queues})) if queues else []
    oldest = {queue: _instant(first) for queue, first in found if first is not None}
    return Counts(
        by_queue=by_queue,
        waiting=waiting,
        oldest_queued_at=min(oldest.values(), default=None),
        oldest_by_queue=oldest,
    )


def _instant(number: str) -> datetime:
    # A double is rounded up beyond the year 2255, and the last instant that there is must stay one.
    return at(min(int(number), LAST))
