"""The rows of `cron_jobs`: written by applications in plain SQL, taken by us, told what became of them (R6, R7)."""

from datetime import datetime
from typing import Any

from rota.core.cron_jobs import CronJobRow
from rota.core.model import Schedule, ScheduleState
from rota.stores.sql import schedules
from rota.stores.sql.database import Link
from rota.stores.sql.rows import clean, columns
from rota.stores.sql.schedule_rows import SCHEDULE, schedule_of

WRITTEN = (
    "r.name", "r.job_type", "r.user_id", "r.run_at", "r.interval_minutes", "r.cron", "r.timezone", "r.tenant",
    "r.args", "r.is_active",
)  # fmt: skip
"""What others write. All of it in one text shows whether they wrote again, without a trigger in their way."""

OVER = frozenset({ScheduleState.DONE, ScheduleState.FAILED})
FALSE = frozenset({"0", "f", "false", "n", "no", "off", ""})

# Served by the index `row` and the primary key of the rows.
LOST = f"""
SELECT {columns(SCHEDULE, "r")} FROM {{schedules}} AS r
WHERE r.row_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {{cron_jobs}} AS c WHERE c.id = r.row_id)
ORDER BY r.name LIMIT ?
"""
ROW_OF = "SELECT r.row_id FROM {schedules} AS r WHERE r.name = ?"


def changed(link: Link, limit: int) -> list[CronJobRow]:
    """Return rows that others wrote or changed since they were taken, by id. Reads them all: they are written by
    people, and few."""
    seen = _seen(link)
    rows = link.all(
        f"SELECT r.id, r.name, r.job_type, r.user_id, {link.dialect.text_of('r.run_at')}, r.interval_minutes, r.cron, "
        f"r.timezone, r.tenant, r.args, r.is_active, {seen} FROM {{cron_jobs}} AS r "
        f"WHERE r.taken IS NULL OR r.taken <> {seen} ORDER BY r.id LIMIT ?",
        limit,
    )
    return [_row_of(row) for row in rows]


def take(
    link: Link, row: CronJobRow, schedule: Schedule | None, *, expected_version: int | None, problem: str | None
) -> bool:
    """Write what a row means and mark it as taken, while it is as it was read; return whether."""
    found = link.one(f"SELECT {_seen(link)} FROM {{cron_jobs}} AS r WHERE r.id = ?{{lock}}", row.id)
    if found is None or found[0] != row.seen:
        return False
    if schedule is not None:
        if not schedules.put(link, schedule, expected_version):
            return False
        link.run("UPDATE {schedules} SET row_id = ? WHERE name = ?", row.id, schedule.name)
    text = clean(problem)
    link.run("UPDATE {cron_jobs} SET taken = ?, problem = ? WHERE id = ?", row.seen, text, row.id)
    if schedule is not None and schedule.state in OVER:
        _end(link, row.id)
    return True


def lost(link: Link, limit: int) -> list[Schedule]:
    """Return schedules whose row is gone, by name."""
    return [schedule_of(row) for row in link.all(LOST, limit)]


def put(link: Link, schedule: Schedule, expected_version: int | None, expected_cursor: datetime | None) -> bool:
    """Write a schedule as `schedules.put`; the row of one that is over becomes inactive with it."""
    if not schedules.put(link, schedule, expected_version, expected_cursor):
        return False
    if schedule.state in OVER and (row_id := _row_id(link, schedule.name)) is not None:
        _end(link, row_id)
    return True


def drop(link: Link, name: str, expected_version: int | None) -> bool:
    """Delete a schedule as `schedules.drop`, and its row with it."""
    row_id = _row_id(link, name)
    if not schedules.drop(link, name, expected_version):
        return False
    if row_id is not None:
        link.run("DELETE FROM {cron_jobs} WHERE id = ?", row_id)
    return True


def _row_id(link: Link, name: str) -> int | None:
    found = link.one(ROW_OF, name)
    return None if found is None or found[0] is None else int(found[0])


def _end(link: Link, row_id: int) -> None:
    """Make a row inactive. One that nobody wrote meanwhile is still taken; MariaDB sets from left to right."""
    ended = _seen(link, is_active=link.dialect.false)
    link.run(
        f"UPDATE {{cron_jobs}} AS r SET taken = CASE WHEN r.taken = {_seen(link)} THEN {ended} ELSE r.taken END, "
        f"is_active = {link.dialect.false} WHERE r.id = ?",
        row_id,
    )


def _seen(link: Link, *, is_active: str = "r.is_active") -> str:
    return link.dialect.array(*WRITTEN[:-1], is_active)


def _row_of(row: Any) -> CronJobRow:
    row_id, name, job_type, user_id, run_at, minutes, cron, timezone, tenant, args, is_active, seen = row
    return CronJobRow(
        id=int(row_id),
        name=_text(name) or "",
        job_type=_text(job_type),
        user_id=_text(user_id),
        run_at=_text(run_at),
        interval_minutes=None if minutes is None else minutes if isinstance(minutes, int) else 0,
        cron=_text(cron),
        timezone=_text(timezone),
        tenant=_text(tenant),
        args=_text(args),
        is_active=str(is_active).strip().lower() not in FALSE,
        seen=seen,
    )


def _text(value: object) -> str | None:
    """Return what stands in a column of text: on SQLite it may be anything."""
    return None if value is None else str(value)
