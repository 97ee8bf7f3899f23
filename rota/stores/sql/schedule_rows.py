"""Schedules as rows. People write these too, so whatever stands in one must stop no other (R5)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from rota.clock import EPOCH
from rota.core.definition import UNREADABLE
from rota.core.freshness import checked_age
from rota.core.model import Origin, Schedule, ScheduleState
from rota.core.policy import CatchUp, CatchUpMode, Overlap
from rota.stores.sql.rows import MICROSECOND, Row, at, clean, since_epoch, to_json

T = TypeVar("T")
V = TypeVar("V")

SCHEDULE = (
    "name", "job", "timing", "tenants", "user_id", "args", "catch_up", "overlap", "origin", "fingerprint", "state",
    "reason", "paused_until", "version", "cursor_at", "next_at", "created_at", "last_run_at", "exclude", "zones",
    "jitter", "keep", "declared", "confirmed_at", "paused_by", "fresh_within",
)  # fmt: skip

NOBODY: tuple[str, ...] = ()
MOST_SAID = 300

_catch_up_decoder = msgspec.json.Decoder(CatchUp)
_names_decoder = msgspec.json.Decoder(tuple[str, ...])


def schedule_of(row: Row) -> Schedule:
    """Return the schedule of a row with the columns SCHEDULE: a broken one, with the reason, where the row says what
    cannot be read."""
    (
        name, job, timing, tenants, user_id, args, catch_up, overlap, origin, fingerprint, state, reason, paused_until,
        version, cursor_at, next_at, created_at, last_run_at, exclude, zones, jitter, keep, declared, confirmed_at,
        paused_by, fresh_within,
    ) = row  # fmt: skip
    wrong: list[str] = []

    def read(column: str, value: V, reader: Callable[[V], T], otherwise: T) -> T:
        try:
            return reader(value)
        # SQLite keeps a text in a column of numbers, and a number of every engine may lie beyond all times.
        except (ValueError, TypeError, OverflowError):
            wrong.append(f"{UNREADABLE}{column} {value!r}"[:MOST_SAID])
            return otherwise

    def instant(column: str, micros: int | None) -> datetime | None:
        return read(column, micros, at, None)

    schedule = Schedule(
        name=name,
        job=read("job", job, _text, ""),
        timing=read("timing", timing, _text, ""),
        # Unreadable: for nobody, not for everybody.
        tenants=None if tenants is None else read("tenants", tenants, _names, NOBODY),
        user_id=user_id,
        args=read("args", args, _text, ""),
        catch_up=read("catch_up", catch_up, _catch_up, CatchUp()),
        overlap=read("overlap", overlap, Overlap, Overlap.SKIP),
        origin=read("origin", origin, Origin, Origin.ROW),
        fingerprint=fingerprint,
        state=read("state", state, ScheduleState, ScheduleState.BROKEN),
        reason=reason,
        paused_until=instant("paused_until", paused_until),
        version=version,
        cursor=instant("cursor_at", cursor_at) or EPOCH,
        next_at=instant("next_at", next_at),
        created_at=instant("created_at", created_at) or EPOCH,
        last_run_at=instant("last_run_at", last_run_at),
        exclude=NOBODY if exclude is None else read("exclude", exclude, _names, NOBODY),
        zones=NOBODY if zones is None else read("zones", zones, _names, NOBODY),
        jitter=None if jitter is None else read("jitter", jitter, _duration, None),
        keep=bool(keep),
        declared=declared,
        confirmed_at=instant("confirmed_at", confirmed_at),
        paused_by=paused_by,
        fresh_within=None if fresh_within is None else read("fresh_within", fresh_within, _age, None),
    )
    if not wrong:
        return schedule
    return msgspec.structs.replace(schedule, state=ScheduleState.BROKEN, reason="; ".join(wrong))


def schedule_row(schedule: Schedule) -> tuple[Any, ...]:
    """Return a schedule as the columns SCHEDULE."""
    return (
        schedule.name,
        schedule.job,
        schedule.timing,
        None if schedule.tenants is None else to_json(schedule.tenants),
        schedule.user_id,
        schedule.args,
        to_json(schedule.catch_up),
        schedule.overlap.value,
        schedule.origin.value,
        schedule.fingerprint,
        schedule.state.value,
        clean(schedule.reason),
        since_epoch(schedule.paused_until),
        schedule.version,
        since_epoch(schedule.cursor),
        since_epoch(schedule.next_at),
        since_epoch(schedule.created_at),
        since_epoch(schedule.last_run_at),
        to_json(schedule.exclude) if schedule.exclude else None,
        to_json(schedule.zones) if schedule.zones else None,
        None if schedule.jitter is None else schedule.jitter // MICROSECOND,
        int(schedule.keep),
        schedule.declared,
        since_epoch(schedule.confirmed_at),
        schedule.paused_by,
        None if schedule.fresh_within is None else schedule.fresh_within // MICROSECOND,
    )


def _text(value: str) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _names(text: str) -> tuple[str, ...]:
    """Read a JSON list of names, or names with commas between them, as people write them."""
    if text.lstrip().startswith("["):
        return _names_decoder.decode(text)
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _duration(micros: int) -> timedelta:
    return timedelta(microseconds=micros)


def _age(micros: int) -> timedelta:
    return checked_age(_duration(micros))


def _catch_up(text: str) -> CatchUp:
    """Read the JSON of a policy, or its plain word."""
    if text.lstrip().startswith("{"):
        return _catch_up_decoder.decode(text)
    return CatchUp(mode=CatchUpMode(text.strip()))
