"""The end of one-time schedules: gone when their run succeeded, kept as failed when it did not (R7)."""

import logging
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.core.agenda import agenda_of
from rota.core.events import ScheduleFailed
from rota.core.model import Round, RoundState, Schedule, ScheduleState, Trigger
from rota.engine.bus import Bus
from rota.errors import BadSchedule
from rota.ports import Store
from rota.queries import RoundQuery, ScheduleQuery

log: logging.Logger = logging.getLogger(__name__)

PAGE = 500
AGAIN = timedelta(minutes=1)
"""How often failed ones are looked at: a retry of their round may have succeeded since. No index has them."""
GOOD = frozenset({RoundState.SUCCEEDED})
PASSED_OVER = "its time passed in a pause, and nothing ran"
"""A pause is not made up (R12), and what comes once comes no more: people have to know."""


class Onces:
    """Looks at one-time schedules that have fired, some in each pass: a thousand that run do not make it slow."""

    def __init__(self, store: Store, *, bus: Bus, every: timedelta = timedelta(seconds=5)) -> None:
        self._store = store
        self._bus = bus
        self._every = every
        self._after: str | None = None
        self._after_failed: str | None = None
        self._again_at: datetime | None = None

    def tick(self, now: datetime) -> timedelta:
        self._after = self._look(ScheduleState.ACTIVE, after=self._after)
        if self._again_at is None or abs(now - self._again_at) >= AGAIN:
            self._again_at = now
            self._after_failed = self._look(ScheduleState.FAILED, after=self._after_failed)
        return self._every

    def _look(self, state: ScheduleState, *, after: str | None) -> str | None:
        """Look at a page of schedules, and return where the next one begins."""
        page = self._store.schedules(ScheduleQuery(states=(state,), has_next=False, after=after, limit=PAGE))
        for schedule in page:
            try:
                self._look_at(schedule)
            except BadSchedule:
                # Not for here: it is a row that nobody has taken in, and `Rows` says what is wrong with it.
                continue
        return page[-1].name if len(page) == PAGE else None

    def _look_at(self, schedule: Schedule) -> None:
        slots = agenda_of(schedule).once
        if not slots or schedule.cursor < slots[-1]:
            return
        rounds = self._rounds(schedule, slots)
        if not rounds:
            # Its cursor and its rounds are written together: without rounds it was passed over. Or it was over when
            # it was declared, which is what becomes of old code.
            if schedule.created_at < slots[-1]:
                self._fail(schedule, PASSED_OVER)
            return
        if any(round_.ended_at is None for round_ in rounds):
            return
        bad = [round_ for round_ in rounds if round_.state not in GOOD]
        if bad:
            why = f": {bad[0].reason}" if bad[0].reason else ""
            self._fail(schedule, f"its round {bad[0].id} is {bad[0].state}{why}")
        elif schedule.keep:
            done = replace(schedule, state=ScheduleState.DONE, reason=None, version=schedule.version + 1)
            self._store.put_schedule(done, expected_version=schedule.version, expected_cursor=schedule.cursor)
        else:
            self._store.drop_schedule(schedule.name, expected_version=schedule.version)

    def _rounds(self, schedule: Schedule, slots: tuple[datetime, ...]) -> list[Round]:
        """Return the rounds of its slots, one per zone of its tenants; a manual start is none of them."""
        found = self._store.rounds(
            RoundQuery(
                schedule=schedule.name,
                slot_since=slots[0],
                slot_until=slots[-1] + timedelta.resolution,
                limit=2 * len(slots),
            )
        )
        return [round_ for round_ in found if round_.trigger is not Trigger.MANUAL]

    def _fail(self, schedule: Schedule, reason: str) -> None:
        if schedule.state is ScheduleState.FAILED:
            return
        failed = replace(schedule, state=ScheduleState.FAILED, reason=reason, version=schedule.version + 1)
        # Of several processes one marks it, and that one tells.
        if self._store.put_schedule(failed, expected_version=schedule.version, expected_cursor=schedule.cursor):
            log.error("one-time schedule %s failed: %s", schedule.name, reason)
            self._bus.publish(ScheduleFailed(schedule=schedule.name, reason=reason))
