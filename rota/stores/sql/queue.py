"""Runs on their way to a worker: accepted, put in line, claimed, given back."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from rota.clock import from_micros, to_micros
from rota.core.model import Outcome, Run
from rota.queries import ClaimRequest
from rota.stores.sql import expiry, keys, limits, line, progress, turns
from rota.stores.sql.alike import NARROW, NARROW_COLUMNS, WIDE, Taken, claimed_runs
from rota.stores.sql.database import Link, json_of
from rota.stores.sql.front import COUNTING, LONG, SO_FAR, Fronts, Key, after_looking
from rota.stores.sql.rows import ACCEPTED, ATTEMPT, RUN, accepted, columns, ended, run_of

Claimed = Callable[[], list[Run]]

FEW = 50
"""Names that stand in a claim one by one."""

RUN_COLUMNS = columns(RUN, "r")

# Served by the primary key and the index `dedupe`.
KNOWN_IDS = "SELECT r.id FROM {rows(id:id)} AS s JOIN {runs} AS r ON r.id = s.id"
KNOWN_KEYS = "SELECT r.dedupe_key FROM {rows(named:text)} AS s JOIN {runs} AS r ON r.dedupe_key = s.named"

# Served by the index `due`, in its order.
DUE = f"""
SELECT {keys.PLACE} FROM {{runs}} AS r
WHERE r.{{due_state}} = 'scheduled' AND r.due_at >= 0 AND r.due_at <= ?
ORDER BY r.due_at, r.id LIMIT ?{{skip_locked}}
"""

IS_ANY_DUE = "SELECT 1 FROM {runs} WHERE {due_state} = 'scheduled' AND due_at >= 0 AND due_at <= ? LIMIT 1"

PICKED = """
FROM {runs} AS r WHERE r.state = 'queued' AND r.queue = ? AND r.turn >= 0%s
ORDER BY r.priority, r.turn, r.id LIMIT ?{skip_locked}
"""
TAKEN = """
state = 'running', owner = ?, lease_until = ?, claimed_at = ?, token = {greatest}(token + 1, ?), attempt = attempt + 1,
running_key = concurrency_key{less_room}
"""
# One statement: choose in the order of the index `claim`, lock, mark. What was chosen is an array, made once, and a run
# is found by its place in the table (ctid), which nobody can change while it is locked. No join, so no choice of plans.
CLAIM_POSTGRES = (
    f"UPDATE {{runs}} AS r SET {TAKEN} WHERE r.ctid = ANY(ARRAY(SELECT r.ctid {PICKED})) RETURNING {RUN_COLUMNS}"
)
# The same with what it passed in front of each row, and on a row of its own where there is nothing to claim. The
# condition holds always, and is looked at once, before the index is.
BEFORE_ALL = " AND (SELECT before.passed FROM before) >= 0"
COUNTING_CLAIM = f"""
{COUNTING}, claimed AS ({CLAIM_POSTGRES})
SELECT {SO_FAR} - (SELECT before.passed FROM before), claimed.* FROM (SELECT 1) AS one LEFT JOIN claimed ON true
"""
# Elsewhere in two: reading first is as fast as RETURNING on SQLite, which MySQL does not have for UPDATE.
# A number leads to its row at once, an id by way of an index.
CHOOSE_SQLITE = "SELECT " + NARROW_COLUMNS + ", r.rowid " + PICKED
TAKE_SQLITE = "UPDATE {runs} AS r SET " + TAKEN + " WHERE r.rowid IN (SELECT value FROM json_each(?))"
# The driver of MySQL is written in Python: one text per run costs it less than 47 values. Numbers with a fraction
# go beside it, as they are.
FRACTIONS = ("turn", "weight")
WHOLE = ", ".join("0" if name in FRACTIONS else f"r.{name}" for name in RUN)
CHOOSE_MYSQL = f"SELECT JSON_ARRAY({WHOLE}), " + columns(FRACTIONS, "r") + " " + PICKED


def enqueue(link: Link, runs: Sequence[Run], *, now: datetime, careful: bool) -> list[str]:
    """Accept runs and return the ids of those that are new, in the order given.

    Not `careful`: all are taken for new, and the transaction fails if one is not. That spares the common case a look.
    """
    new = _once(runs)
    if careful:
        new = _unknown(link, new)
    if not new:
        return []
    final, plain, keyed = [], [], []
    for run in new:
        if run.state.is_final:
            final.append(ended(run))
        elif run.concurrency_key is None:
            plain.append(run)
        else:
            keyed.append(run)
    heads: list[Run] = []
    waiting: list[tuple[Any, ...]] = []
    if keyed:
        heads, behind, left_out = line.in_line(link, keyed, now=now)
        waiting = [accepted(run, "waiting", run.turn) for run in behind]
        final += [ended(run) for run in left_out]
    link.insert("runs", ACCEPTED, _placed(link, [*plain, *heads], now) + waiting)
    expiry.remember(link, [run for run in new if not run.state.is_final])
    link.insert("runs", RUN, final)
    return [run.id for run in new]


def _once(runs: Sequence[Run]) -> list[Run]:
    """Return the runs without those whose id or dedupe key came up before."""
    if len(runs) < 2:
        return list(runs)
    ids: set[str] = set()
    taken: set[str] = set()
    new = []
    for run in runs:
        key = run.dedupe_key
        if run.id in ids or (key is not None and key in taken):
            continue
        ids.add(run.id)
        if key is not None:
            taken.add(key)
        new.append(run)
    return new


def _unknown(link: Link, runs: list[Run]) -> list[Run]:
    known_ids = {row[0] for row in link.rows(KNOWN_IDS, [(run.id,) for run in runs])}
    dedupe_keys = [(run.dedupe_key,) for run in runs if run.dedupe_key is not None]
    known_keys = {row[0] for row in link.rows(KNOWN_KEYS, dedupe_keys)} if dedupe_keys else set()
    return _once([run for run in runs if run.id not in known_ids and run.dedupe_key not in known_keys])


def _placed(link: Link, runs: list[Run], now: datetime) -> list[tuple[Any, ...]]:
    """Return the rows of new runs that wait for nothing but their time."""
    due: list[Run] = []
    aside: list[tuple[Any, ...]] = []
    for run in runs:
        if run.due_at > now:
            aside.append(accepted(run, "scheduled", run.turn))
        elif run.held_by is not None:
            aside.append(accepted(run, "held", run.turn))
        else:
            due.append(run)
    given = turns.given(link, [(run.queue, run.tenant, run.weight) for run in due])
    return [accepted(run, "queued", turn) for run, turn in zip(due, given, strict=True)] + aside


def is_any_due(link: Link, *, now: datetime) -> bool:
    """Whether a scheduled run came due: one probe of the index `due`, without a transaction."""
    return bool(link.one(IS_ANY_DUE, to_micros(now)))


def promote(link: Link, *, now: datetime, limit: int) -> int:
    """Queue up to `limit` scheduled runs that came due, or hold them at their gate, and return how many."""
    rows = link.all(DUE, to_micros(now), limit)
    go_on(link, rows, now=now)
    return len(rows)


def go_on(link: Link, rows: Iterable[Sequence[Any]], *, now: datetime) -> None:
    """Place the runs of these rows, with the columns PLACE, that wait for no concurrency key: schedule those of the
    future, hold those that have a gate to pass, queue the others in this order."""
    micros = to_micros(now)
    due: list[Sequence[Any]] = []
    aside: dict[str, list[tuple[str]]] = {"scheduled": [], "held": []}
    for row in rows:
        if row[3] > micros:
            aside["scheduled"].append((row[0],))
        elif row[5] is not None:
            aside["held"].append((row[0],))
        else:
            due.append(row)
    put_in_queue(link, due)
    for state, ids in aside.items():
        if ids:
            link.update("runs", "row_id:id", ids, sets=f"state = '{state}'", where="r.id = s.row_id")


def put_in_queue(link: Link, rows: Sequence[Sequence[Any]]) -> None:
    """Queue the runs of these rows, with the columns PLACE, in this order. They have passed every gate."""
    if not rows:
        return
    given = turns.given(link, [(row[1], row[2], row[4]) for row in rows])
    link.update(
        "runs",
        "row_id:id, next_turn:float",
        [(row[0], turn) for row, turn in zip(rows, given, strict=True)],
        sets="state = 'queued', turn = s.next_turn, held_by = NULL",
        where="r.id = s.row_id",
    )


def unblock(link: Link, names: Iterable[str] | None, *, now: datetime) -> int:
    """Let the first waiting run of each key go on that nobody holds; of all keys when `names` is None."""
    rows = keys.first_waiting(link, names)
    go_on(link, rows, now=now)
    return len(rows)


def is_one_statement(request: ClaimRequest, fronts: Fronts) -> bool:
    """Whether PostgreSQL can claim by one statement: it needs no transaction around it, which is two round trips."""
    if request.handed is not None or request.limits or request.reopened or len(request.queues) > 1:
        return False
    return not any(fronts.of(_key(request, queue)).is_long for queue in request.queues)


def claim(link: Link, request: ClaimRequest, *, now: datetime, at_once: bool = False) -> Claimed:
    """Make queued runs running in the hands of this worker; what is returned returns them, in the order of the queue.

    To be called after the commit: what it takes to make runs of rows holds up nobody who waits for their locks.
    `at_once`: by one statement, outside of a transaction. A second one could fail, and the runs of the first would be
    with nobody.
    """
    if request.handed is not None:
        taken_over = _take_over(link, request, request.handed, now)
        return lambda: taken_over
    if request.limits or request.reopened:
        runs = limits.claim(link, request, now=now)
        return lambda: runs
    rows: list[Any] = []
    for queue, places in request.queues.items():
        free = min(places, request.limit - len(rows))
        if free > 0:
            rows += _claim(link, request, queue, free, now, at_once=at_once)
    layout = NARROW if link.dialect.name == "sqlite" else WIDE
    keys_ = {(schedule, tenant or "") for schedule, tenant in map(layout.whose, rows) if schedule is not None}
    successes = progress.last_successes(link, list(keys_))
    tells = link.dialect.name == "postgres"
    taken = None if tells else Taken(request.worker, from_micros(to_micros(now + request.lease)), now)

    def claimed() -> list[Run]:
        runs = claimed_runs(rows, taken, layout=layout)
        if not successes:
            return runs
        return [replace(run, last_success=successes.get((run.schedule or "", run.tenant or ""))) for run in runs]

    return claimed


# Served by the primary key. As every statement about a running run it asks for the token.
TAKE_OVER = "UPDATE {runs} SET owner = ?, token = ?, lease_until = ? WHERE id = ? AND token = ? AND state = 'running'"
TAKEN_OVER = f"SELECT {RUN_COLUMNS} FROM {{runs}} AS r WHERE r.id = ?"


def _take_over(link: Link, request: ClaimRequest, handed: tuple[str, int], now: datetime) -> list[Run]:
    """Return, in this worker's hands, the one run that another one has handed over; nothing if somebody was first."""
    run_id, token = handed
    until = to_micros(now + request.lease)
    if not link.run(TAKE_OVER, request.worker, max(token + 1, to_micros(now)), until, run_id, token):
        return []
    run = run_of(link.one(TAKEN_OVER, run_id))
    if run.schedule is None:
        return [run]
    key = (run.schedule, run.tenant or "")
    return [replace(run, last_success=progress.last_successes(link, [key]).get(key))]


def _key(request: ClaimRequest, queue: str) -> Key:
    return queue, request.except_jobs, request.except_tenants


def _claim(
    link: Link, request: ClaimRequest, queue: str, limit: int, now: datetime, *, at_once: bool = False
) -> list[Any]:
    """Return the rows of what was claimed: on PostgreSQL as they are now, else as they were."""
    micros = to_micros(now)
    lease_until = to_micros(now + request.lease)
    of_jobs, unknown_jobs = _but_not("r.job", request.except_jobs)
    of_tenants, held_tenants = _but_not("r.tenant", request.except_tenants)
    exception, unknown = of_jobs + of_tenants, unknown_jobs + held_tenants
    taken = (request.worker, lease_until, micros, micros)
    if link.dialect.name == "postgres":

        def look(limit: int, template: str, condition: str = "", values: Sequence[Any] = ()) -> list[Any]:
            return link.all(template % (condition + exception), *taken, queue, *values, *unknown, limit)

        return _claim_from_front(link, look, limit, _key(request, queue), at_once=at_once)
    if link.dialect.name == "sqlite":
        rows = link.all(CHOOSE_SQLITE % exception, queue, *unknown, limit)
        if rows:
            link.run(TAKE_SQLITE, *taken, json_of([row[-1] for row in rows]))
        return rows
    rows = [_told(row) for row in link.all(CHOOSE_MYSQL % exception, queue, *unknown, limit)]
    if rows:
        chosen = [row[:1] for row in rows]
        link.update("runs", "row_id:id", chosen, sets=TAKEN, where="r.id = s.row_id", then=taken)
    return rows


def _told(row: Sequence[Any]) -> list[Any]:
    """Return a row that came as JSON, with its fractions beside it."""
    text, *fractions = row
    told: list[Any] = msgspec.json.decode(text)
    for name, value in zip(FRACTIONS, fractions, strict=True):
        told[RUN.index(name)] = value
    return told


def _claim_from_front(link: Link, look: Callable[..., list[Any]], limit: int, key: Key, *, at_once: bool) -> list[Any]:
    """Claim where there may be something, by what is known of the front, or everywhere."""
    fronts = link.fronts
    front, at = fronts.of(key), fronts.now()
    rows: list[Any] = []
    if front.is_of_use(at) and not at_once:
        for condition, values in front.ranges():
            if len(rows) < limit:
                rows += sorted(look(limit - len(rows), CLAIM_POSTGRES, condition, values), key=_in_queue)
        if rows:
            # Learned before the commit: what a transaction that fails takes back is not used before LAG is over.
            fronts.learn(key, after_looking(front, _places(rows), at=at, of_all=False, is_full=len(rows) == limit))
            return rows
    if front.is_long or front.is_due(at):
        counted = look(limit, COUNTING_CLAIM, BEFORE_ALL)
        rows = [row[1:] for row in counted if row[1] is not None]
        front = replace(front, counted_at=at, is_long=counted[0][0] - len(rows) >= LONG)
    else:
        rows = look(limit, CLAIM_POSTGRES)
    rows.sort(key=_in_queue)
    fronts.learn(key, after_looking(front, _places(rows), at=at, of_all=True, is_full=len(rows) == limit))
    return rows


def _but_not(column: str, names: frozenset[str]) -> tuple[str, list[Any]]:
    """Return a condition that leaves out these values of a column, with its parameters; a run without one is never
    meant."""
    if not names:
        return "", []
    if len(names) <= FEW:
        return f" AND ({column} IS NULL OR {column} NOT IN ({', '.join('?' * len(names))}))", sorted(names)
    # As one parameter: a statement takes some ten thousand, and looks at each one of them for each row.
    listed = json_of([(name,) for name in sorted(names)])
    return f" AND ({column} IS NULL OR {column} NOT IN (SELECT x.name FROM {{rows(name:text)}} AS x))", [listed]


def _places(rows: Sequence[Any]) -> list[tuple[int, tuple[float, str]]]:
    return [(row[9], (row[10], row[0])) for row in rows]


def _in_queue(row: Sequence[Any]) -> tuple[int, float, str]:
    return row[9], row[10], row[0]


HELD = """
SELECT r.id, r.token, r.owner, r.claimed_at, r.started_at
FROM {rows(id:id, token:int)} AS s JOIN {runs} AS r ON r.id = s.id
WHERE r.token = s.token AND r.state = 'running' AND r.owner = ? ORDER BY r.id{lock}
"""
WITHOUT_ATTEMPT = """
owner = NULL, lease_until = NULL, running_key = NULL, claimed_at = NULL, started_at = NULL, ended_at = NULL,
outcome = NULL, error = NULL, result = NULL, done = NULL, total = NULL
"""


def release(link: Link, worker: str, held: Sequence[tuple[str, int]], *, now: datetime) -> list[str]:
    """Give running runs back, queued with their turn; return the ids of those that were still held."""
    rows = link.rows(HELD, sorted(set(held)), worker)
    if not rows:
        return []
    micros = to_micros(now)
    interrupted = [(*row, micros, Outcome.INTERRUPTED.value, None) for row in rows if row[4] is not None]
    link.insert("attempts", ATTEMPT, interrupted)
    link.update(
        "runs",
        "row_id:id",
        [(row[0],) for row in rows],
        sets="state = 'queued', attempt = attempt - 1, " + WITHOUT_ATTEMPT,
        where="r.id = s.row_id",
    )
    mine = {row[0] for row in rows}
    return [run_id for run_id in dict.fromkeys(run_id for run_id, _ in held) if run_id in mine]
