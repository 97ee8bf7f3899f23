"""Runs on their way to a worker: accepted, put in line, claimed, given back."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from rota.clock import to_micros
from rota.core.model import Outcome, Overlap, Run, State
from rota.ports import ClaimRequest
from rota.stores.sql import keys, progress, turns
from rota.stores.sql.database import Link
from rota.stores.sql.rows import ACCEPTED, ATTEMPT, RUN, accepted, columns, ended, run_of

OVERLAP_REASON = "overlap: an earlier run is not final"

RUN_COLUMNS = columns(RUN, "r")

# Served by the primary key and the index `dedupe`.
KNOWN_IDS = "SELECT r.id FROM {rows(id:id)} AS s JOIN {runs} AS r ON r.id = s.id"
KNOWN_KEYS = "SELECT r.dedupe_key FROM {rows(named:text)} AS s JOIN {runs} AS r ON r.dedupe_key = s.named"

# Served by the index `due`, in its order.
DUE = """
SELECT r.id, r.queue, r.tenant, r.due_at FROM {runs} AS r
WHERE r.state = 'scheduled' AND r.due_at >= 0 AND r.due_at <= ?
ORDER BY r.due_at, r.id LIMIT ?{skip_locked}
"""

IS_ANY_DUE = "SELECT 1 FROM {runs} WHERE state = 'scheduled' AND due_at >= 0 AND due_at <= ? LIMIT 1"

PICKED = """
FROM {runs} AS r WHERE r.state = 'queued' AND r.queue = ? AND r.turn >= 0%s
ORDER BY r.priority, r.turn, r.id LIMIT ?{skip_locked}
"""
TAKEN = """
state = 'running', owner = ?, lease_until = ?, claimed_at = ?, token = {greatest}(token + 1, ?), attempt = attempt + 1,
running_key = concurrency_key
"""
# One statement: choose in the order of the index `claim`, lock, mark. Materialized, or the planner may run the
# choice again for each row and lock more than the limit.
CLAIM_POSTGRES = (
    "WITH picked AS MATERIALIZED (SELECT r.id "
    + PICKED
    + ") UPDATE {runs} AS r SET "
    + TAKEN
    + "FROM picked WHERE r.id = picked.id RETURNING "
    + RUN_COLUMNS
)
# Elsewhere in two: reading first is as fast as RETURNING on SQLite, which MySQL does not have for UPDATE.
CHOOSE = "SELECT " + RUN_COLUMNS + " " + PICKED


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
        heads, waiting, skipped = _in_line(link, keyed, now)
        final += [ended(run) for run in skipped]
    link.insert("runs", ACCEPTED, _placed(link, [*plain, *heads], now) + waiting)
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


def _in_line(link: Link, runs: list[Run], now: datetime) -> tuple[list[Run], list[tuple[Any, ...]], list[Run]]:
    """Divide runs with concurrency keys into those that go first, rows of those that wait, and skipped ones."""
    held = keys.open_keys(link, {run.concurrency_key for run in runs if run.concurrency_key})
    seen = set(held)
    first: dict[str, Run] = {}
    lined, skipped = [], []
    for run in runs:
        key = run.concurrency_key or ""
        if run.overlap is Overlap.SKIP and key in seen:
            skipped.append(replace(run, state=State.SKIPPED, reason=OVERLAP_REASON, ended_at=now))
            continue
        seen.add(key)
        lined.append(run)
        if key not in held and (key not in first or in_line(run) < in_line(first[key])):
            first[key] = run
    heads = sorted(first.values(), key=in_line)
    going = {run.id for run in heads}
    return heads, [accepted(run, "waiting", run.turn) for run in lined if run.id not in going], skipped


def in_line(run: Run) -> tuple[datetime, str]:
    """Sort as runs wait for their concurrency key."""
    return run.due_at, run.id


def _placed(link: Link, runs: list[Run], now: datetime) -> list[tuple[Any, ...]]:
    """Return the rows of new runs that wait for nothing but their time."""
    later = [accepted(run, "scheduled", run.turn) for run in runs if run.due_at > now]
    due = [run for run in runs if run.due_at <= now] if later else runs
    given = turns.given(link, [(run.queue, run.tenant) for run in due])
    return [accepted(run, "queued", turn) for run, turn in zip(due, given, strict=True)] + later


def is_any_due(link: Link, *, now: datetime) -> bool:
    """Whether a scheduled run came due: one probe of the index `due`, without a transaction."""
    return bool(link.one(IS_ANY_DUE, to_micros(now)))


def promote(link: Link, *, now: datetime, limit: int) -> int:
    """Queue up to `limit` scheduled runs that came due, and return how many."""
    rows = link.all(DUE, to_micros(now), limit)
    go_on(link, rows, now=now)
    return len(rows)


def go_on(link: Link, rows: Iterable[Sequence[Any]], *, now: datetime) -> None:
    """Queue the runs of these rows (id, queue, tenant, due_at) that are due, in this order; schedule the others."""
    micros = to_micros(now)
    due: list[Sequence[Any]] = []
    later: list[Sequence[Any]] = []
    for row in rows:
        (due if row[3] <= micros else later).append(row)
    if due:
        given = turns.given(link, [(queue, tenant) for _, queue, tenant, _ in due])
        link.update(
            "runs",
            "row_id:id, next_turn:float",
            [(row[0], turn) for row, turn in zip(due, given, strict=True)],
            sets="state = 'queued', turn = s.next_turn",
            where="r.id = s.row_id",
        )
    if later:
        link.update(
            "runs", "row_id:id", [(row[0],) for row in later], sets="state = 'scheduled'", where="r.id = s.row_id"
        )


def unblock(link: Link, names: Iterable[str] | None, *, now: datetime) -> int:
    """Let the first waiting run of each key go on that nobody holds; of all keys when `names` is None."""
    rows = keys.first_waiting(link, names)
    go_on(link, rows, now=now)
    return len(rows)


def claim(link: Link, request: ClaimRequest, *, now: datetime) -> list[Run]:
    """Make queued runs running in the hands of this worker and return them, in the order of the queue."""
    rows: list[Any] = []
    for queue, places in request.queues.items():
        free = min(places, request.limit - len(rows))
        if free > 0:
            rows += _claim(link, request, queue, free, now)
    if not rows:
        return []
    successes = progress.last_successes(link, [(row[16], row[4] or "") for row in rows if row[16] is not None])
    if not successes:
        return [run_of(row) for row in rows]
    return [run_of(row, successes.get((row[16], row[4] or ""))) for row in rows]


def _claim(link: Link, request: ClaimRequest, queue: str, limit: int, now: datetime) -> list[Any]:
    micros = to_micros(now)
    lease_until = to_micros(now + request.lease)
    unknown = sorted(request.except_jobs)
    exception = f" AND r.job NOT IN ({', '.join('?' * len(unknown))})" if unknown else ""
    taken = (request.worker, lease_until, micros, micros)
    if link.dialect.name == "postgres":
        rows = link.all(CLAIM_POSTGRES % exception, queue, *unknown, limit, *taken)
        rows.sort(key=_in_queue)
        return rows
    rows = link.all(CHOOSE % exception, queue, *unknown, limit)
    if rows:
        chosen = [row[:1] for row in rows]
        link.update("runs", "row_id:id", chosen, sets=TAKEN, where="r.id = s.row_id", then=taken)
    return [_taken(row, request.worker, lease_until, micros) for row in rows]


def _in_queue(row: Sequence[Any]) -> tuple[int, float, str]:
    return row[9], row[10], row[0]


def _taken(row: Sequence[Any], worker: str, lease_until: int, micros: int) -> tuple[Any, ...]:
    """Return a row as TAKEN leaves it, for engines that do not tell."""
    return (
        *row[:7], "running", *row[8:24], row[24] + 1, row[25], max(row[26] + 1, micros), row[27], worker, lease_until,
        micros, *row[31:],
    )  # fmt: skip


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
