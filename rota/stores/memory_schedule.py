"""The schedules of a `MemoryStore`."""

import heapq
from datetime import datetime

from msgspec.structs import replace

from rota.core.model import Firing, Schedule, ScheduleState
from rota.queries import ScheduleQuery
from rota.stores.memory_query import is_schedule_meant


class Schedules:
    """Schedules by name. Not locked: the store is."""

    def __init__(self) -> None:
        self._by_name: dict[str, Schedule] = {}

    def get(self, name: str) -> Schedule | None:
        return self._by_name.get(name)

    def meant(self, query: ScheduleQuery) -> list[Schedule]:
        """Return the schedules asked for, by name."""
        meant = [self._by_name[name] for name in sorted(self._by_name)]
        return [schedule for schedule in meant if is_schedule_meant(schedule, query)][: query.limit]

    def put(self, schedule: Schedule, *, expected_version: int | None, expected_cursor: datetime | None = None) -> bool:
        """Write a schedule over the version and cursor that were expected; return whether those were there."""
        stored = self._by_name.get(schedule.name)
        if (stored.version if stored else None) != expected_version:
            return False
        if stored is not None and expected_cursor not in (None, stored.cursor):
            return False
        self._by_name[schedule.name] = schedule
        return True

    def drop(self, name: str, *, expected_version: int | None) -> bool:
        """Delete a schedule, if given a version only one that has it; return whether there was one."""
        stored = self._by_name.get(name)
        if stored is None or expected_version not in (None, stored.version):
            return False
        del self._by_name[name]
        return True

    def due(self, *, now: datetime, limit: int) -> list[Schedule]:
        """Return active schedules whose next slot has come, oldest first."""
        due = [
            (schedule.next_at, schedule.name)
            for schedule in self._by_name.values()
            if schedule.state is ScheduleState.ACTIVE and schedule.next_at is not None and schedule.next_at <= now
        ]
        return [self._by_name[name] for _, name in heapq.nsmallest(limit, due)]

    def advance(self, firing: Firing, *, now: datetime) -> bool:
        """Move the cursor of a schedule, unless it or its definition has moved since the firing was decided on."""
        schedule = self._by_name.get(firing.schedule)
        if schedule is None or (schedule.version, schedule.cursor) != (firing.version, firing.after):
            return False
        ran_at = now if firing.runs else schedule.last_run_at
        self._by_name[schedule.name] = replace(
            schedule, cursor=firing.cursor, next_at=firing.next_at, last_run_at=ran_at
        )
        return True
