"""Fires the slots that are due, and lets schedules go on whose pause is over."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.clock import Clock
from rota.core import catchup, rounds, words
from rota.core.events import ScheduleBroken
from rota.core.model import Firing, Origin, Schedule, ScheduleState
from rota.engine.bus import Bus
from rota.errors import BadSchedule
from rota.ports import Store
from rota.signature import Registered

log: logging.Logger = logging.getLogger(__name__)


class Scheduler:
    """Any number may run: a firing whose cursor another one has moved is refused by the store (G4)."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        bus: Bus,
        jobs: Mapping[str, Registered],
        every: timedelta = timedelta(seconds=1),
        batch: int = 1000,
    ) -> None:
        self._store = store
        self._clock = clock
        self._bus = bus
        self._jobs = jobs
        self._every = every
        self._batch = batch

    def tick(self, now: datetime) -> timedelta:
        fired, more = self.fire_due(now)
        return timedelta(0) if more and fired else self._every

    def fire_due(self, now: datetime) -> tuple[list[Firing], bool]:
        """Fire what is due now; return the firings that were applied, and whether there is more to do."""
        due = self._store.due(now=now, limit=self._batch)
        firings = [firing for schedule in due if (firing := self._decide(schedule, now)) is not None]
        applied = set(self._store.fire(firings, now=now)) if firings else set()
        fired = [firing for firing in firings if firing.schedule in applied]
        behind = any(firing.next_at is not None and firing.next_at <= now for firing in fired)
        return fired, behind or len(due) == self._batch

    def _decide(self, schedule: Schedule, now: datetime) -> Firing | None:
        registered = self._jobs.get(schedule.job)
        if registered is None:
            if schedule.origin is Origin.ROW:
                self._mark_broken(schedule, f"no job {schedule.job!r} is registered")
            # One from the code of another version is left to a scheduler that has that code.
            return None
        try:
            timing = words.parse(schedule.timing)
            due = catchup.due_slots(timing, schedule.catch_up, after=schedule.cursor, now=now)
        except BadSchedule as error:
            self._mark_broken(schedule, str(error))
            return None
        return rounds.firing(schedule, registered.job, due, now=now, new_id=self._clock.new_id)

    def _mark_broken(self, schedule: Schedule, reason: str) -> None:
        """A bad row stops no other row (R5). Of several schedulers one marks it, and that one tells."""
        broken = replace(schedule, state=ScheduleState.BROKEN, reason=reason, version=schedule.version + 1)
        if self._store.put_schedule(broken, expected_version=schedule.version):
            log.error("schedule %s is broken: %s", schedule.name, reason)
            self._bus.publish(ScheduleBroken(schedule=schedule.name, reason=reason))


class Resumer:
    """Ends pauses whose time is over (R12)."""

    def __init__(self, store: Store, *, every: timedelta = timedelta(seconds=15)) -> None:
        self._store = store
        self._every = every

    def tick(self, now: datetime) -> timedelta:
        for schedule in self._store.schedules():
            ends = schedule.paused_until
            if schedule.state is ScheduleState.PAUSED and ends is not None and ends <= now:
                again = _active(schedule, ends)
                self._store.put_schedule(
                    replace(again, version=schedule.version + 1), expected_version=schedule.version
                )
        return self._every


def _active(schedule: Schedule, ends: datetime) -> Schedule:
    try:
        return catchup.resumed(schedule, words.parse(schedule.timing), at=ends)
    except BadSchedule:
        # Due at once, so that the scheduler finds it and says what is wrong.
        return replace(schedule, state=ScheduleState.ACTIVE, reason=None, paused_until=None, next_at=ends)
