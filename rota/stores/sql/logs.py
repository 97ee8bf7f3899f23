"""What runs printed and logged, and how far they have come."""

from collections.abc import Sequence
from datetime import datetime

from rota.clock import to_micros
from rota.core.model import LogChunk, Note
from rota.errors import RunNotFound
from rota.stores.sql.database import Link
from rota.stores.sql.rows import CHUNK, chunk_of, chunk_row, columns

KNOWN_RUNS = "SELECT r.id FROM {rows(id:id)} AS s JOIN {runs} AS r ON r.id = s.id"
# Each served by the primary key.
KNOWN_CHUNKS = """
SELECT r.run_id, r.token, r.number FROM {rows(run_id:id, token:int, number:int)} AS s
JOIN {logs} AS r ON r.run_id = s.run_id AND r.token = s.token AND r.number = s.number
"""
DROP = "DELETE FROM {logs} WHERE run_id = ? AND token = ? AND number >= ? AND number < ?"
CHUNKS = f"SELECT {columns(CHUNK)} FROM {{logs}} WHERE run_id = ?"
AFTER = " AND (token, number) > (?, ?)"
IN_ORDER = " ORDER BY token, number LIMIT ?"
# Served by the index `old`.
OLD = "SELECT run_id, token, number FROM {logs} WHERE created_at < ? ORDER BY created_at LIMIT ?"
# One by one: MariaDB reads the whole table for a list of keys of three parts.
DROP_OLD = "DELETE FROM {logs} WHERE run_id = ? AND token = ? AND number = ?"


def note(link: Link, notes: Sequence[Note], *, now: datetime) -> None:
    """Write progress, drop the middles of long logs, add the chunks that are new."""
    known = {row[0] for row in link.rows(KNOWN_RUNS, sorted({(one.run_id,) for one in notes}))}
    notes = [one for one in notes if one.run_id in known]
    progress = {(one.run_id, one.token): (one.done, one.total) for one in notes if one.done is not None}
    if progress:
        link.update(
            "runs",
            "row_id:id, held:int, so_far:int, all_told:int",
            [(*key, *told) for key, told in sorted(progress.items())],
            sets="done = s.so_far, total = s.all_told",
            where="r.id = s.row_id AND r.token = s.held AND r.claimed_at IS NOT NULL",
        )
    for one in notes:
        if one.drop is not None:
            link.run(DROP, one.run_id, one.token, *one.drop)
    _add(link, [chunk for one in notes for chunk in one.chunks], now=now)


def _add(link: Link, chunks: Sequence[LogChunk], *, now: datetime) -> None:
    new = {(chunk.run_id, chunk.token, chunk.number): chunk for chunk in reversed(chunks)}
    if not new:
        return
    for row in link.rows(KNOWN_CHUNKS, sorted(new)):
        new.pop(tuple(row), None)
    link.insert("logs", CHUNK, [chunk_row(new[key], now) for key in sorted(new)])


def chunks(link: Link, run_id: str, *, after: tuple[int, int] | None, limit: int) -> list[LogChunk]:
    """Return the log of a run, by (token, number); only what stands after that key.

    Raises:
        RunNotFound: there is no such run.
    """
    if not link.rows(KNOWN_RUNS, [(run_id,)]):
        raise RunNotFound(run_id)
    if after is None:
        return [chunk_of(row) for row in link.all(CHUNKS + IN_ORDER, run_id, limit)]
    return [chunk_of(row) for row in link.all(CHUNKS + AFTER + IN_ORDER, run_id, *after, limit)]


def drop_old(link: Link, before: datetime, *, limit: int) -> int:
    """Delete up to `limit` chunks that were written before this instant, oldest first; return how many."""
    old = link.all(OLD, to_micros(before), limit)
    for row in old:
        link.run(DROP_OLD, *row)
    return len(old)
