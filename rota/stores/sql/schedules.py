"""Schedules and their firings."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from rota.clock import to_micros
from rota.core.model import Firing, Round, Run, Schedule
from rota.queries import ScheduleQuery
from rota.stores.sql import queue, rounds
from rota.stores.sql.database import Link, json_of
from rota.stores.sql.rows import columns, since_epoch
from rota.stores.sql.schedule_rows import SCHEDULE, schedule_of, schedule_row

COLUMNS = columns(SCHEDULE)

# Served by the index `due`, in its order.
DUE = f"""
SELECT {COLUMNS} FROM {{schedules}} AS r WHERE state = 'active' AND next_at <= ? ORDER BY next_at, name LIMIT ?
"""
REPLACE = f"""
UPDATE {{schedules}} SET {", ".join(f"{column} = ?" for column in SCHEDULE[1:])} WHERE name = ? AND version = ?"""
# Locked in the order of names, so that two schedulers with the same firings do not meet head on.
CURSORS = """
SELECT r.name, r.version, r.cursor_at, r.row_id FROM {rows(name:text)} AS s JOIN {schedules} AS r ON r.name = s.name
ORDER BY r.name{lock}
"""

TELL = "UPDATE {cron_jobs} SET last_run_at = ? WHERE id IN (SELECT s.id FROM {rows(id:int)} AS s)"


def meant(link: Link, query: ScheduleQuery) -> list[Schedule]:
    """Return schedules, by name."""
    text, parameters = statement(query)
    return [schedule_of(row) for row in link.all(text, *parameters)]


def statement(query: ScheduleQuery) -> tuple[str, list[Any]]:
    """Return the SELECT of a query with its parameters.

    Served by the indexes `due` (active ones, with or without a next slot), `paused`, `job` and `code`. States and
    origin stand in it as they are: by a parameter, no engine would see that an index of only these has them all.
    """
    terms: list[str] = []
    parameters: list[Any] = []
    if query.states:
        terms.append(_among("state", query.states))
    if query.jobs:
        terms.append(f"job IN ({', '.join('?' * len(query.jobs))})")
        parameters += query.jobs
    if query.origin is not None:
        terms.append(_among("origin", [query.origin]))
    if query.has_next is not None:
        terms.append(f"next_at IS {'NOT ' if query.has_next else ''}NULL")
    if query.pause_over is not None:
        terms.append("paused_until IS NOT NULL AND paused_until <= ?")
        parameters.append(to_micros(query.pause_over))
    if query.after is not None:
        terms.append("name > ?")
        parameters.append(query.after)
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    text = f"SELECT {COLUMNS} FROM {{schedules}}{where} ORDER BY name"
    if query.limit is None:
        return text, parameters
    return f"{text} LIMIT ?", [*parameters, query.limit]


def _among(column: str, words: Sequence[StrEnum]) -> str:
    if len(words) == 1:
        return f"{column} = '{words[0].value}'"
    return f"{column} IN ({', '.join(repr(word.value) for word in words)})"


def one(link: Link, name: str) -> Schedule | None:
    """Return one schedule, or None."""
    rows = link.all(f"SELECT {COLUMNS} FROM {{schedules}} WHERE name = ?", name)
    return schedule_of(rows[0]) if rows else None


def put(link: Link, schedule: Schedule, expected_version: int | None, expected_cursor: datetime | None = None) -> bool:
    """Write a schedule if its stored version, and its cursor, are the expected ones; return whether."""
    row = schedule_row(schedule)
    if expected_version is not None:
        stands = () if expected_cursor is None else (to_micros(expected_cursor),)
        text = REPLACE + " AND cursor_at = ?" * len(stands)
        return link.run(text, *row[1:], schedule.name, expected_version, *stands) == 1
    if link.one("SELECT 1 FROM {schedules} WHERE name = ?", schedule.name):
        return False
    link.insert("schedules", SCHEDULE, [row])
    return True


def drop(link: Link, name: str, expected_version: int | None) -> bool:
    """Delete a schedule, if given a version only one that has it; return whether there was one."""
    if expected_version is None:
        return link.run("DELETE FROM {schedules} WHERE name = ?", name) == 1
    return link.run("DELETE FROM {schedules} WHERE name = ? AND version = ?", name, expected_version) == 1


def due(link: Link, *, now: datetime, limit: int) -> list[Schedule]:
    """Return active schedules whose next_at has come, oldest first."""
    return [schedule_of(row) for row in link.all(DUE, to_micros(now), limit)]


def fire(link: Link, firings: Sequence[Firing], *, now: datetime, careful: bool) -> list[str]:
    """Apply each firing whose schedule still has its version and cursor; return their schedules' names."""
    names = sorted({firing.schedule for firing in firings})
    found = link.rows(CURSORS, [(name,) for name in names])
    stored = {name: (version, cursor) for name, version, cursor, _ in found}
    micros = to_micros(now)
    moved: dict[str, tuple[Any, ...]] = {}
    applied: list[str] = []
    new_rounds: list[Round] = []
    new_runs: list[Run] = []
    for firing in firings:
        if stored.get(firing.schedule) != (firing.version, to_micros(firing.after)):
            continue
        # The cursor it leaves is the one that a later firing of the same call must start from.
        stored[firing.schedule] = (firing.version, to_micros(firing.cursor))
        moved[firing.schedule] = (
            firing.schedule, to_micros(firing.cursor), since_epoch(firing.next_at), micros if firing.runs else None,
        )  # fmt: skip
        applied.append(firing.schedule)
        new_rounds += firing.rounds
        new_runs += firing.runs
    if moved:
        link.update(
            "schedules",
            "row_name:text, next_cursor:int, following:int, fired_at:int",
            list(moved.values()),
            sets="cursor_at = s.next_cursor, next_at = s.following, last_run_at = coalesce(s.fired_at, r.last_run_at)",
            where="r.name = s.row_name",
        )
        ran = {name for name, row in moved.items() if row[3] is not None}
        _tell(link, [(row_id,) for name, _, _, row_id in found if row_id is not None and name in ran], now)
        rounds.add(link, new_rounds)
        queue.enqueue(link, new_runs, now=now, careful=careful)
    return applied


def _tell(link: Link, row_ids: Sequence[tuple[int]], now: datetime) -> None:
    """Write into the rows of `cron_jobs` when they were fired, as an application reads it: in UTC, to the second."""
    if row_ids:
        link.run(TELL, now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"), json_of(row_ids))
