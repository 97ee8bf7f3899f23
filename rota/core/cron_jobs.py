"""Rows of the table `cron_jobs`, which applications write with plain SQL (R6)."""

import json
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from rota.core.kind import Interval, Once, Timing
from rota.core.timing import next_slot
from rota.core.words import parse
from rota.core.zone import FIRST
from rota.errors import BadSchedule

NAMES = "cron_jobs/"
"""How the names of their schedules begin; the row's id follows, since the names of rows may repeat."""
INACTIVE = "is_active is false in its row"
"""Why the schedule of such a row is paused."""


class CronJobRow(Struct, frozen=True, kw_only=True):
    """A row as it stands. Whoever wrote it may have written anything: what it means is decided elsewhere."""

    id: int
    """Tells rows apart: several may have one name."""
    name: str = ""
    job_type: str | None = None
    """The job's name in the registry; without it, the row's name is."""
    user_id: str | None = None
    run_at: str | None = None
    """As the database shows it, without a zone: `2026-11-20 03:00:00`, and on SQLite whatever was written."""
    interval_minutes: int | None = None
    """0 where something stands that is no whole number, which only SQLite lets in."""
    cron: str | None = None
    timezone: str | None = None
    tenant: str | None = None
    args: str | None = None
    """JSON, or what was written in its place."""
    is_active: bool = True
    seen: str
    """All of it as it was read, for the store: what is written for the row holds only while it is still so."""


def schedule_name(row: CronJobRow) -> str:
    """Return the name of the schedule of a row."""
    return f"{NAMES}{row.id}"


def job_of(row: CronJobRow) -> str:
    """Return the name of its job: `job_type`, or without one its `name`."""
    return row.job_type or row.name


def timing_of(row: CronJobRow, *, zone: str) -> Timing:
    """Return when a row is due: once at `run_at`, each `interval_minutes` from `run_at` on, or by its `cron` text.

    `run_at` is what the wall clock of the row's `timezone` shows, UTC without one. A text in `cron` that names no zone
    is in the row's, else in `zone`.

    Raises:
        BadSchedule: it says nothing of these, or two, or nothing that can be read.
    """
    said = f"cron_jobs row {row.id}"
    if row.cron:
        if row.interval_minutes is not None or row.run_at:
            raise BadSchedule(said, field="cron", reason="it goes without run_at and interval_minutes")
        return parse(row.cron, tz=row.timezone or zone)
    if row.interval_minutes is not None:
        if row.interval_minutes < 1:
            raise BadSchedule(said, field="interval_minutes", reason="it is a whole number, at least 1")
        return Interval(every=_minutes(row.interval_minutes, said), anchor=_first(row, said))
    once = _run_at(row, said)
    if once is None:
        raise BadSchedule(said, field="run_at", reason="give run_at, interval_minutes or cron")
    return once


def written_timing(row: CronJobRow) -> str:
    """Return what stands in the columns of a row that say when, for people: it may make no sense."""
    named = {"cron": row.cron, "interval_minutes": row.interval_minutes, "run_at": row.run_at}
    return ", ".join(f"{column} {value}" for column, value in named.items() if value not in (None, "")) or "nothing"


def arguments_of(row: CronJobRow) -> tuple[list[object], dict[str, object]]:
    """Return the arguments that a row names: a JSON list of them, or an object of named ones.

    Raises:
        BadSchedule: it is something else.
    """
    if not row.args:
        return [], {}
    try:
        value = json.loads(row.args)
    except ValueError as error:
        raise BadSchedule(f"cron_jobs row {row.id}", field="args", reason=f"no JSON: {error}") from error
    except RecursionError:
        raise BadSchedule(f"cron_jobs row {row.id}", field="args", reason="nested too deep") from None
    if isinstance(value, list):
        return value, {}
    if isinstance(value, dict):
        return [], value
    reason = "write a JSON list of arguments, or an object of named ones"
    raise BadSchedule(f"cron_jobs row {row.id}", field="args", reason=reason)


def _minutes(number: int, said: str) -> timedelta:
    try:
        return timedelta(minutes=number)
    except OverflowError:
        raise BadSchedule(said, field="interval_minutes", reason=f"{number} minutes are beyond all bounds") from None


def _first(row: CronJobRow, said: str) -> datetime | None:
    once = _run_at(row, said)
    return None if once is None else next_slot(once, after=FIRST.replace(tzinfo=UTC))


def _run_at(row: CronJobRow, said: str) -> Once | None:
    if not row.run_at:
        return None
    try:
        read = _whole(datetime.fromisoformat(row.run_at.strip()))
    except ValueError as error:
        raise BadSchedule(said, field="run_at", reason=f"{error}; write 2026-12-01 09:00:00") from error
    except OverflowError:
        raise BadSchedule(said, field="run_at", reason=f"{row.run_at} is beyond all bounds") from None
    if read.tzinfo is not None:
        try:
            return Once(at=read.astimezone(UTC).replace(tzinfo=None), tz="UTC")
        except OverflowError:
            raise BadSchedule(said, field="run_at", reason=f"{row.run_at} is beyond all bounds") from None
    return Once(at=read, tz=row.timezone or "UTC")


def _whole(instant: datetime) -> datetime:
    """Return the next whole second: what is to end at an instant must not end before it."""
    return instant.replace(microsecond=0) + timedelta(seconds=1 if instant.microsecond else 0)
