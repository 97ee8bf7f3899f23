"""Fires the slots that are due, and lets schedules go on whose pause is over."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.clock import EPOCH, Clock
from rota.core import catchup, editing, rounds
from rota.core.agenda import Agenda, agenda_of
from rota.core.definition import is_edited, is_unreadable
from rota.core.events import ScheduleFired
from rota.core.model import Firing, Origin, Schedule, ScheduleState
from rota.engine.bus import Bus
from rota.engine.neighbourhood import Neighbourhood, mark_broken, no_job
from rota.engine.standing import Standing
from rota.errors import BadSchedule
from rota.ports import Store
from rota.queries import ScheduleQuery
from rota.signature import Registered


class Scheduler:
    """Any number may run: a firing whose cursor another one has moved is refused by the store (G4)."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        bus: Bus,
        jobs: Mapping[str, Registered],
        standing: Standing,
        worker: str = "",
        every: timedelta = timedelta(seconds=1),
        batch: int = 1000,
    ) -> None:
        """`worker` is the id of this process, by which it knows others from itself."""
        self._store = store
        self._clock = clock
        self._bus = bus
        self._jobs = jobs
        self._standing = standing
        self._every = every
        self._batch = batch
        self._others = Neighbourhood(store, worker=worker)
        self._left_alone = 0
        self.only: Collection[str] | None = None
        """The jobs whose schedules it fires; None for all. The others stay due."""

    def tick(self, now: datetime) -> timedelta:
        fired, more = self.fire_due(now)
        return timedelta(0) if more and fired else self._every

    def fire_due(self, now: datetime) -> tuple[list[Firing], bool]:
        """Fire what is due now; return the firings that were applied, and whether there is more to do."""
        # What another version has to fire stays due, and must not stand in the way of what is behind it (R5).
        limit = self._batch + self._left_alone
        due = self._store.due(now=now, limit=limit)
        decided = [self._decide(schedule, now) for schedule in due]
        firings = [firing for firing in decided if firing is not None]
        self._left_alone = len(decided) - len(firings)
        applied = set(self._store.fire(firings, now=now)) if firings else set()
        fired = [firing for firing in firings if firing.schedule in applied]
        if self._bus.wants(ScheduleFired):
            for firing in fired:
                self._tell(firing)
        behind = any(firing.next_at is not None and firing.next_at <= now for firing in fired)
        return fired, behind or len(due) == limit

    def _tell(self, firing: Firing) -> None:
        # One for each slot: a run of its own for each tenant comes later, out of its round.
        of_rounds = {(round_.job, round_.slot) for round_ in firing.rounds if round_.slot is not None}
        slots = of_rounds | {(run.job, run.slot) for run in firing.runs if run.slot is not None}
        for job, slot in sorted(slots):
            self._bus.publish(ScheduleFired(schedule=firing.schedule, job=job, slot=slot))

    def _decide(self, schedule: Schedule, now: datetime) -> Firing | None:
        if is_unreadable(schedule):
            # For whom, or since when, is not known; `Rows` says so.
            return None
        if self.only is not None and schedule.job not in self.only:
            return None
        registered = self._jobs.get(schedule.job)
        if registered is None:
            # One of the code is left to a scheduler that has that code; when nobody has it is orphaned, see `Declared`.
            if schedule.origin is Origin.ROW and self._others.is_for_nobody(schedule, now):
                mark_broken(self._store, schedule, no_job(schedule.job), bus=self._bus)
            return None
        try:
            agenda = agenda_of(schedule)
            if _is_off_course(schedule, agenda):
                return _onto_course(schedule, agenda, now)
            due = catchup.due_slots(agenda, schedule.catch_up, after=schedule.cursor, now=now)
        except BadSchedule as error:
            if self._others.are_of_this_version(now) or self._others.is_for_nobody(schedule, now):
                mark_broken(self._store, schedule, str(error), bus=self._bus)
            return None
        if schedule.job in self._standing.paused_jobs:
            return rounds.passed_over(schedule, due)
        if (shadow := self._standing.shadows.get(schedule.name)) is not None:
            return rounds.in_shadow(schedule, due, shadow.said, now=now, new_id=self._clock.new_id)
        return rounds.firing(schedule, registered.job, due, now=now, new_id=self._clock.new_id)


def _is_off_course(schedule: Schedule, agenda: Agenda) -> bool:
    """Whether the row was written or edited past this library, so that its next slot is not that of its timing."""
    is_foreign = schedule.cursor <= EPOCH or is_edited(schedule)
    return is_foreign and agenda.next_slot(after=schedule.cursor) != schedule.next_at


def _onto_course(schedule: Schedule, agenda: Agenda, now: datetime) -> Firing:
    """Return the firing that runs nothing and lets the slots count from now on: an edit never re-runs the past (R5)."""
    placed = editing.placed(schedule, agenda, now=now)
    return Firing(
        schedule=schedule.name,
        version=schedule.version,
        after=schedule.cursor,
        cursor=placed.cursor,
        next_at=placed.next_at,
    )


class Resumer:
    """Ends pauses whose time is over (R12)."""

    def __init__(self, store: Store, *, every: timedelta = timedelta(seconds=15)) -> None:
        self._store = store
        self._every = every

    def tick(self, now: datetime) -> timedelta:
        for schedule in self._store.schedules(ScheduleQuery(states=(ScheduleState.PAUSED,), pause_over=now)):
            if schedule.paused_until is not None:
                again = _active(schedule, schedule.paused_until)
                self._store.put_schedule(
                    replace(again, version=schedule.version + 1),
                    expected_version=schedule.version,
                    expected_cursor=schedule.cursor,
                )
        return self._every


def _active(schedule: Schedule, ends: datetime) -> Schedule:
    try:
        return catchup.resumed(schedule, agenda_of(schedule), at=ends)
    except BadSchedule:
        # Due at once, so that the scheduler finds it and says what is wrong.
        return replace(
            schedule, state=ScheduleState.ACTIVE, reason=None, paused_by=None, paused_until=None, next_at=ends
        )
