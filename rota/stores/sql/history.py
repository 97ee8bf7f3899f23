"""Reading runs: one with its attempts, lists, slots, counts."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from rota.clock import from_micros, id_after, to_micros
from rota.core.lifecycle import own_attempt
from rota.core.model import Run, RunHistory, SlotState, State
from rota.queries import Counts, RunQuery
from rota.stores.sql.database import Link, json_of
from rota.stores.sql.narrowing import Narrowing
from rota.stores.sql.rows import ATTEMPT, HELD, LIMITED, RUN, STATES, WAITING, attempt_of, columns, run_of

MIN_PREFIX = 6
SKEW = timedelta(seconds=1)
"""How far two clocks may differ before a live lease looks expired."""
APART = timedelta(days=1)
"""How far the id of a run may be from when it is said to be made: an id goes by the clock of its machine, the time by
that of the store. A machine that is further ahead has its runs left out of lists that end in the past, one that is
further behind of those that begin there."""
FEW_TENANTS = 20
"""So many are looked up one by one; of more, all runs are walked through, newest first."""

LAST = datetime.max.replace(tzinfo=UTC)

RUN_COLUMNS = columns(RUN, "r")
# The column of a run that the index of its state does not hold, so the small set of running runs is read whole.
EXPIRED = f"""
SELECT {RUN_COLUMNS} FROM {{runs}} AS r WHERE r.state = 'running' AND r.lease_until < ?
ORDER BY r.lease_until, r.id LIMIT ?
"""
# Served by the index `slot`.
SLOTS = """
SELECT r.slot, r.tenant, r.state, r.id FROM {runs} AS r
WHERE r.schedule = ? AND r.slot >= ? AND r.slot < ? AND r.kind = 'job' ORDER BY r.slot, r.tenant, r.id
"""
# State by state, in the words of the index of each: of all at once every run there ever was is read.
OPEN = " UNION ALL ".join(
    f"SELECT r.queue, '{state}', count(*), min(r.due_at) FROM {{runs}} AS r WHERE {condition} GROUP BY r.queue"
    for state, condition in {
        "queued": "r.state = 'queued' AND r.turn >= 0",
        "running": "r.state = 'running'",
        "scheduled": "r.{due_state} = 'scheduled' AND r.due_at >= 0",
        "waiting": "r.{key_state} = 'waiting' AND r.concurrency_key IS NOT NULL",
        "held": "r.state = 'held'",
        "limited": "r.state = 'limited'",
    }.items()
)
OPEN_BY_OWNER = OPEN.replace(", min(r.due_at)", ", min(r.due_at), r.job, r.tenant").replace(
    "GROUP BY r.queue", "GROUP BY r.queue, r.job, r.tenant"
)


def run(link: Link, run_id: str) -> RunHistory | None:
    """Return a run with its attempts; a unique prefix of at least six digits will do."""
    row = link.one(f"SELECT {RUN_COLUMNS} FROM {{runs}} AS r WHERE r.id = ?", run_id)
    if row is None and len(run_id) >= MIN_PREFIX:
        alike = link.all(
            f"SELECT {RUN_COLUMNS} FROM {{runs}} AS r WHERE r.id >= ? AND r.id < ? ORDER BY r.id LIMIT 2",
            run_id,
            # After every digit that could follow.
            run_id + "g",
        )
        row = alike[0] if len(alike) == 1 else None
    if row is None:
        return None
    found = run_of(row)
    attempts = link.all(
        f"SELECT {columns(ATTEMPT)} FROM {{attempts}} WHERE run_id = ? ORDER BY token",
        found.id,
    )
    own = () if found.claimed_at is None else (own_attempt(found),)
    return RunHistory(run=found, attempts=(*map(attempt_of, attempts), *own))


def runs(link: Link, query: RunQuery) -> list[Run]:
    """Return runs, newest first (by id)."""
    text, parameters = statement(query, by_half=link.dialect.name == "postgres")
    return [run_of(row) for row in link.all(text, *parameters)]


def statement(query: RunQuery, *, by_half: bool) -> tuple[str, list[Any]]:
    """Return the statement of a query, and its parameters. `by_half`: where the indexes of jobs and tenants leave out
    what runs."""
    narrower = query.ids or query.round_id or query.batch or query.parent or query.owner
    if 1 < len(query.tenants) <= FEW_TENANTS and not narrower and query.states != (State.FAILED,):
        # Each by its index, in the order of ids: all of theirs would be read and sorted otherwise.
        parts = [statement(replace(query, tenants=(one,)), by_half=by_half) for one in query.tenants]
        return _newest_of(parts, query.limit)
    return by_halves(query) if by_half and (query.jobs or query.tenants) else listing(query)


def by_halves(query: RunQuery) -> tuple[str, list[Any]]:
    """Return the statement of a query that names jobs or tenants, where their indexes leave out what runs, and its
    parameters."""
    resting, parameters = listing(query, "r.state <> 'running'")
    if query.states and State.RUNNING not in query.states:
        return resting, parameters
    running, others = listing(query, "r.state = 'running'")
    if query.states == (State.RUNNING,):
        return running, others
    return _newest_of([(resting, parameters), (running, others)], query.limit)


def _newest_of(parts: Sequence[tuple[str, list[Any]]], limit: int) -> tuple[str, list[Any]]:
    """Return the statement of the newest runs of several statements of runs, and its parameters."""
    # Each in a FROM of its own: SQLite takes no brackets around a part of a UNION, and needs some for its LIMIT.
    text = " UNION ALL ".join(f"SELECT * FROM ({part}) AS p{number}" for number, (part, _) in enumerate(parts))
    parameters = [parameter for _, theirs in parts for parameter in theirs]
    return f"SELECT * FROM ({text}) AS r ORDER BY r.id DESC LIMIT ?", [*parameters, limit]


def listing(query: RunQuery, half: str = "") -> tuple[str, list[Any]]:
    """Return the statement of a query, of those runs of which `half` holds, and its parameters."""
    narrowing = Narrowing("r")
    if half:
        narrowing.also(half)
    if query.ids:
        # As one parameter: a statement takes some ten thousand.
        narrowing.also("r.id IN (SELECT s.id FROM {rows(id:id)} AS s)", json_of([(run_id,) for run_id in query.ids]))
    narrowing.among("job", query.jobs)
    narrowing.among("tenant", query.tenants)
    if query.states == (State.FAILED,):
        # Not as a parameter: no planner could know then that the index `failed` has them all.
        narrowing.also("r.state = 'failed'")
    else:
        narrowing.among("state", _stored(query.states))
    narrowing.among("queue", query.queues)
    narrowing.among("triggered_by", query.triggers)
    narrowing.equal("kind", query.kind)
    narrowing.equal("schedule", query.schedule)
    narrowing.equal("round_id", query.round_id)
    narrowing.equal("batch", query.batch)
    narrowing.equal("parent", query.parent)
    narrowing.equal("owner", query.owner)
    narrowing.within("slot", query.slot_since, query.slot_until)
    narrowing.within("created_at", query.since, query.until)
    narrowing.within("ended_at", query.ended_since, None)
    narrowing.below("id", query.before_id)
    # An id begins with when it was made, so what came later or before need not be read to be left out.
    if query.until is not None:
        narrowing.below("id", id_after(query.until + APART))
    if query.since is not None:
        narrowing.from_("id", id_after(query.since - APART))
    text = f"SELECT {RUN_COLUMNS} FROM {{runs}} AS r{narrowing.where} ORDER BY r.id DESC LIMIT ?"
    return text, [*narrowing.parameters, query.limit]


def _stored(states: Sequence[State]) -> list[str]:
    """Return states as they are stored: `scheduled` has four forms."""
    return [*states, *([WAITING, HELD, LIMITED] if State.SCHEDULED in states else [])]


def slot_states(link: Link, schedule: str, *, since: datetime, until: datetime) -> list[SlotState]:
    """Return what is known of the slots in [since, until): the newest run of each slot and tenant."""
    newest: dict[tuple[datetime, str], SlotState] = {}
    for slot, tenant, state, run_id in link.all(SLOTS, schedule, to_micros(since), to_micros(until)):
        instant = from_micros(slot)
        newest[instant, tenant or ""] = SlotState(instant, tenant, STATES[state], run_id)
    return [newest[key] for key in sorted(newest)]


def expired(link: Link, *, now: datetime, limit: int) -> list[Run]:
    """Return running runs whose lease ended more than a second before `now`, oldest lease first."""
    return [run_of(row) for row in link.all(EXPIRED, to_micros(now - SKEW), limit)]


def counts(link: Link, *, jobs: frozenset[str] | None = None, tenants: frozenset[str] | None = None) -> Counts:
    """Return how many open runs stand where."""
    if jobs is None and tenants is None:
        return _summed(link.all(OPEN))
    # Told apart here: thousands of names, once for each state, are more parameters than a statement takes.
    rows = link.all(OPEN_BY_OWNER)
    return _summed(
        row[:4]
        for row in rows
        if (jobs is None or row[4] in jobs) and (tenants is None or (row[5] is not None and row[5] in tenants))
    )


def _summed(rows: Iterable[Any]) -> Counts:
    by_queue: dict[str, dict[State, int]] = {}
    waiting = 0
    oldest: dict[str, datetime] = {}
    for queue, state, number, due_at in rows:
        by_state = by_queue.setdefault(queue, {})
        by_state[STATES[state]] = by_state.get(STATES[state], 0) + number
        if state == WAITING:
            waiting += number
        if state == State.QUEUED.value:
            oldest[queue] = min(from_micros(due_at), oldest.get(queue, LAST))
    return Counts(
        by_queue=by_queue,
        waiting=waiting,
        oldest_queued_at=min(oldest.values(), default=None),
        oldest_by_queue=oldest,
    )
