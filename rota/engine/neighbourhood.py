"""Who else is alive: before a schedule is called broken, somebody with other code may know better (R5)."""

import logging
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.core.definition import Definition
from rota.core.events import ScheduleBroken
from rota.core.model import Schedule, ScheduleState, WorkerRecord
from rota.engine.bus import Bus
from rota.ports import Store
from rota.version import __version__

log: logging.Logger = logging.getLogger(__name__)

ALIVE = timedelta(minutes=1)
PATIENCE = timedelta(minutes=3)
"""A slot that nobody fired for so long is one that nobody can."""


class Neighbourhood:
    """The other processes on a store. During a rolling deploy they are of another version, or have other jobs."""

    def __init__(self, store: Store, *, worker: str) -> None:
        self._store = store
        self._worker = worker
        self._seen: tuple[datetime, list[WorkerRecord]] | None = None

    def is_empty(self, now: datetime) -> bool:
        """Return whether no other process is alive."""
        return not self._alive(now)

    def are_of_this_version(self, now: datetime) -> bool:
        """Return whether every other process reads schedules as this one does."""
        return all(one.version == __version__ for one in self._alive(now))

    def is_for_nobody(self, schedule: Schedule, now: datetime) -> bool:
        """Return whether a due schedule that this process cannot fire is for no other one either."""
        is_overdue = schedule.next_at is not None and now - schedule.next_at >= PATIENCE
        return is_overdue or self.is_empty(now)

    def _alive(self, now: datetime) -> list[WorkerRecord]:
        # Asked once in a pass, however many schedules make it look.
        if self._seen is None or self._seen[0] != now:
            self._seen = (now, self._store.workers())
        return [one for one in self._seen[1] if one.id != self._worker and now - one.last_seen <= ALIVE]


def no_job(job: str) -> str:
    """Return why a schedule of a job that nobody has is broken."""
    return f"no job {job!r} is registered"


def mark_broken(store: Store, schedule: Schedule, reason: str, *, bus: Bus) -> None:
    """Mark a row that makes no sense, so that it stops no other row (R5); an edit is noticed from then on.

    Of several processes one marks it, and that one tells. It is left alone where it has fired since it was read: then
    somebody's code can make sense of it.
    """
    if schedule.state is ScheduleState.BROKEN:
        return
    broken = replace(
        schedule,
        state=ScheduleState.BROKEN,
        reason=reason,
        fingerprint=Definition.of(schedule).fingerprint,
        version=schedule.version + 1,
    )
    if store.put_schedule(broken, expected_version=schedule.version, expected_cursor=schedule.cursor):
        log.error("schedule %s is broken: %s", schedule.name, reason)
        bus.publish(ScheduleBroken(schedule=schedule.name, reason=reason))
