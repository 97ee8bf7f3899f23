"""Schedules and their firing."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice

import msgspec

from rota.core.controls import AuditEntry
from rota.core.model import Firing, Schedule
from rota.queries import ScheduleQuery
from rota.stores.memory_query import is_schedule_meant
from rota.stores.redis.audit import told
from rota.stores.redis.mapping import micros, micros_if, new_run, round_record, schedule_of, schedule_record
from rota.stores.redis.queue import ids_of
from rota.stores.redis.records import ScheduleRecord
from rota.stores.redis.server import Server

_one = msgspec.msgpack.Decoder(ScheduleRecord)
_several = msgspec.msgpack.Decoder(list[ScheduleRecord])


def meant(server: Server, query: ScheduleQuery) -> list[Schedule]:
    """Return the schedules asked for, by name. All are read: they are few beside runs."""
    every = sorted((schedule_of(_one.decode(kept)) for kept in server.ask("HVALS", server.key("schedules"))), key=_name)
    return list(islice((schedule for schedule in every if is_schedule_meant(schedule, query)), query.limit))


def _name(schedule: Schedule) -> str:
    return schedule.name


def one(server: Server, name: str) -> Schedule | None:
    """Return one schedule, or None."""
    kept = server.ask("HGET", server.key("schedules"), name)
    return None if kept is None else schedule_of(_one.decode(kept))


def put(
    server: Server,
    schedule: Schedule,
    *,
    expected_version: int | None,
    expected_cursor: datetime | None,
    audit: AuditEntry | None,
) -> bool:
    """Write a schedule over the version and cursor that were expected; return whether those were there."""
    request = {
        "name": schedule.name,
        "schedule": schedule_record(schedule),
        "expected_version": expected_version,
        "expected_cursor": micros_if(expected_cursor),
        "audit": told(audit),
    }
    return bool(server.call("put_schedule", request))


def drop(server: Server, name: str, *, expected_version: int | None, audit: AuditEntry | None) -> bool:
    """Delete a schedule, if given a version only one that has it; return whether there was one."""
    request = {"name": name, "expected_version": expected_version, "audit": told(audit)}
    return bool(server.call("drop_schedule", request))


def due(server: Server, *, now: datetime, limit: int) -> list[Schedule]:
    """Return active schedules whose next slot has come, oldest first."""
    return [schedule_of(record) for record in _several.decode(server.call("due", {"now": micros(now), "limit": limit}))]


def fire(server: Server, firings: Sequence[Firing], *, now: datetime) -> list[str]:
    """Apply firings whose schedule still has its version and cursor; return their schedules' names."""
    request = {
        "now": micros(now),
        "firings": [
            {
                "schedule": firing.schedule,
                "version": firing.version,
                "after": micros(firing.after),
                "cursor": micros(firing.cursor),
                "next_at": micros_if(firing.next_at),
                "rounds": [round_record(round_) for round_ in firing.rounds],
                "runs": len(firing.runs),
            }
            for firing in firings
        ],
    }
    return ids_of(server.call("fire", request, [new_run(run) for firing in firings for run in firing.runs]))
