"""Schedules that somebody wrote with plain SQL: found, read, and put in order (R5, R6)."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.clock import EPOCH
from rota.core import editing
from rota.core.agenda import Agenda, agenda, agenda_of, is_of_tenants
from rota.core.cron_jobs import NAMES
from rota.core.definition import is_edited, is_unreadable
from rota.core.events import ScheduleBroken
from rota.core.model import Origin, Schedule, ScheduleState
from rota.core.words import parse
from rota.engine.bus import Bus
from rota.engine.neighbourhood import Neighbourhood, mark_broken, no_job
from rota.engine.zones import Zones
from rota.errors import BadSchedule, RotaError
from rota.ports import Store
from rota.queries import ScheduleQuery
from rota.signature import Registered

log: logging.Logger = logging.getLogger(__name__)

PAGE = 500
MOST_PAGES = 2
"""Of all rows, so many pages are looked at in a pass: 4,000 rows in a minute, each at about 0.1 ms (measured)."""


MEND = timedelta(minutes=1)
"""How often broken rows are looked at: no index has them, and of 100,000 rows all are read (130 ms measured)."""


class Rows:
    """Takes in rows that are new, edited or mended. What is written with SQL may be anything; no row stops another.

    A new row is found by an index, at once. An edited one is found by its fingerprint: when it is next due, by the
    scheduler; and here, where all rows are looked at in turn, so that an earlier time than before is not missed.
    """

    def __init__(
        self,
        store: Store,
        *,
        bus: Bus,
        jobs: Mapping[str, Registered],
        zones: Zones,
        worker: str,
        every: timedelta = timedelta(seconds=15),
    ) -> None:
        self._store = store
        self._bus = bus
        self._jobs = jobs
        self._zones = zones
        self._others = Neighbourhood(store, worker=worker)
        self._every = every
        self._after: str | None = None
        self._told: dict[str, str] = {}
        self._mend_at: datetime | None = None

    def tick(self, now: datetime) -> timedelta:
        self._take_in(now)
        if self._mend_at is None or abs(now - self._mend_at) >= MEND:
            self._mend_at = now
            self._mend(now)
        self._look_around(now)
        return self._every

    def _take_in(self, now: datetime) -> None:
        """New rows have no next slot; nor have one-time schedules that have fired, which are left alone."""
        query = ScheduleQuery(states=(ScheduleState.ACTIVE,), has_next=False, limit=PAGE)
        while page := self._store.schedules(query):
            for schedule in page:
                if schedule.cursor <= EPOCH or is_edited(schedule) or _has_next(schedule):
                    self._put_in_order(schedule, now)
            query = replace(query, after=page[-1].name)

    def _mend(self, now: datetime) -> None:
        """Broken rows are few, and are tried again each time: their text was mended, or their job has come."""
        for schedule in self._store.schedules(ScheduleQuery(states=(ScheduleState.BROKEN,), limit=PAGE)):
            # What is wrong with a row of `cron_jobs` stands in that row, and is mended there; its job comes with code.
            is_mended_elsewhere = schedule.name.startswith(NAMES) and schedule.reason != no_job(schedule.job)
            if schedule.job in self._jobs and not is_mended_elsewhere:
                self._put_in_order(schedule, now)

    def _look_around(self, now: datetime) -> None:
        for _ in range(MOST_PAGES):
            # Not narrowed: in the order of names the key has them. Narrowed, PostgreSQL takes an index of another
            # order and sorts all that is left of 100,000 rows for each page (seen in its plan).
            page = self._store.schedules(ScheduleQuery(after=self._after, limit=PAGE))
            self._after = page[-1].name if len(page) == PAGE else None
            for schedule in page:
                self._tell_of_unreadable(schedule)
                if schedule.state is not ScheduleState.ACTIVE or schedule.next_at is None:
                    continue
                if is_edited(schedule) or schedule.cursor <= EPOCH or not schedule.fingerprint:
                    self._put_in_order(schedule, now)
                else:
                    self._follow_zones(schedule, now)
            if self._after is None:
                return

    def _tell_of_unreadable(self, schedule: Schedule) -> None:
        """Say once of a row that it cannot be read. It is left as it is: what somebody meant still stands in it."""
        reason = schedule.reason if is_unreadable(schedule) else None
        if self._told.get(schedule.name) == reason:
            return
        if reason is None:
            del self._told[schedule.name]
            return
        self._told[schedule.name] = reason
        log.error("schedule %s is broken: %s", schedule.name, reason)
        self._bus.publish(ScheduleBroken(schedule=schedule.name, reason=reason))

    def _put_in_order(self, schedule: Schedule, now: datetime) -> None:
        if is_unreadable(schedule):
            return
        if schedule.origin is Origin.CODE and schedule.declared is None:
            # What its code says is known to a process that has that code: see `Declared`.
            return
        if schedule.job not in self._jobs and self._others.is_empty(now):
            mark_broken(self._store, schedule, no_job(schedule.job), bus=self._bus)
            return
        try:
            due = self._agenda(schedule, now)
        except BadSchedule as error:
            if self._others.are_of_this_version(now):
                mark_broken(self._store, schedule, str(error), bus=self._bus)
            return
        except RotaError as error:
            mark_broken(self._store, schedule, str(error), bus=self._bus)
            return
        created_at = now if schedule.created_at <= EPOCH else schedule.created_at
        zones = self._zones.of(schedule, now)
        known = replace(schedule, created_at=created_at, zones=zones)
        self._store.put_schedule(
            editing.mended(known, due, now=now), expected_version=schedule.version, expected_cursor=schedule.cursor
        )

    def _agenda(self, schedule: Schedule, now: datetime) -> Agenda:
        """Return the slots of a row, once all of it is found to be sound."""
        timing = parse(schedule.timing)
        registered = self._jobs.get(schedule.job)
        if registered is not None:
            registered.signature.decode(schedule.args)
            if not registered.job.per_tenant and (schedule.tenants is not None or is_of_tenants(timing)):
                raise BadSchedule(schedule.timing, field="tenants", reason=f"job {schedule.job!r} is not per_tenant")
        return agenda(timing, self._zones.of(schedule, now))

    def _follow_zones(self, schedule: Schedule, now: datetime) -> None:
        """A timing in the zone of the tenant is due in the zones of the tenants there are now (R15)."""
        # Its text was written by this library, so it ends in its zone.
        if not schedule.timing.endswith(" tenant"):
            return
        zones = self._zones.of(schedule, now)
        if zones == schedule.zones:
            return
        due = agenda(parse(schedule.timing), zones)
        moved = replace(
            schedule,
            zones=zones,
            # From the cursor, so that what is due of the other zones still fires.
            next_at=due.next_slot(after=schedule.cursor),
            version=schedule.version + 1,
        )
        self._store.put_schedule(moved, expected_version=schedule.version, expected_cursor=schedule.cursor)


def _has_next(schedule: Schedule) -> bool:
    """Whether its timing has a slot to come, whatever the row says; also where the timing cannot be read."""
    try:
        return agenda_of(schedule).next_slot(after=schedule.cursor) is not None
    except BadSchedule:
        return True
