"""Schedules and their firings."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rota.clock import to_micros
from rota.core.model import Firing, Round, Run, Schedule
from rota.stores.sql import queue, rounds
from rota.stores.sql.database import Link
from rota.stores.sql.rows import SCHEDULE, columns, schedule_of, schedule_row, since_epoch

COLUMNS = columns(SCHEDULE)

# Served by the index `due`, in its order.
DUE = f"""
SELECT {COLUMNS} FROM {{schedules}} AS r WHERE state = 'active' AND next_at <= ? ORDER BY next_at, name LIMIT ?
"""
REPLACE = f"""
UPDATE {{schedules}} SET {", ".join(f"{column} = ?" for column in SCHEDULE[1:])} WHERE name = ? AND version = ?
"""
# Locked in the order of names, so that two schedulers with the same firings do not meet head on.
CURSORS = """
SELECT r.name, r.version, r.cursor_at FROM {rows(name:text)} AS s JOIN {schedules} AS r ON r.name = s.name
ORDER BY r.name{lock}
"""


def every(link: Link) -> list[Schedule]:
    """Return all schedules, by name."""
    rows = link.all(f"SELECT {COLUMNS} FROM {{schedules}} ORDER BY name")
    return [schedule_of(row) for row in rows]


def one(link: Link, name: str) -> Schedule | None:
    """Return one schedule, or None."""
    rows = link.all(f"SELECT {COLUMNS} FROM {{schedules}} WHERE name = ?", name)
    return schedule_of(rows[0]) if rows else None


def put(link: Link, schedule: Schedule, expected_version: int | None) -> bool:
    """Write a schedule if its stored version is the expected one; return whether."""
    row = schedule_row(schedule)
    if expected_version is not None:
        return link.run(REPLACE, *row[1:], schedule.name, expected_version) == 1
    if link.one("SELECT 1 FROM {schedules} WHERE name = ?", schedule.name):
        return False
    link.insert("schedules", SCHEDULE, [row])
    return True


def drop(link: Link, name: str) -> bool:
    """Delete a schedule; return whether there was one."""
    return link.run("DELETE FROM {schedules} WHERE name = ?", name) == 1


def due(link: Link, *, now: datetime, limit: int) -> list[Schedule]:
    """Return active schedules whose next_at has come, oldest first."""
    return [schedule_of(row) for row in link.all(DUE, to_micros(now), limit)]


def fire(link: Link, firings: Sequence[Firing], *, now: datetime, careful: bool) -> list[str]:
    """Apply each firing whose schedule still has its version and cursor; return their schedules' names."""
    names = sorted({firing.schedule for firing in firings})
    stored = {name: (version, cursor) for name, version, cursor in link.rows(CURSORS, [(name,) for name in names])}
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
        moved[firing.schedule] = (firing.schedule, to_micros(firing.cursor), since_epoch(firing.next_at), micros)
        applied.append(firing.schedule)
        new_rounds += firing.rounds
        new_runs += firing.runs
    if moved:
        link.update(
            "schedules",
            "row_name:text, next_cursor:int, following:int, fired_at:int",
            list(moved.values()),
            sets="cursor_at = s.next_cursor, next_at = s.following, last_run_at = s.fired_at",
            where="r.name = s.row_name",
        )
        rounds.add(link, new_rounds)
        queue.enqueue(link, new_runs, now=now, careful=careful)
    return applied
