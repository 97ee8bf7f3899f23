"""The schedules of the code, kept as rows: written at start, confirmed while they are there, orphaned after (R5)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.core.agenda import agenda, is_of_tenants, zones_of
from rota.core.builder import as_timing
from rota.core.definition import Definition
from rota.core.editing import declared
from rota.core.model import Origin, Schedule, ScheduleState, WorkerRecord
from rota.errors import BadSchedule, TenantListFailed
from rota.footing import Footing
from rota.queries import ScheduleQuery

CONFIRM = timedelta(minutes=1)
"""How often a process says what its code has."""
FORGOTTEN = 3 * CONFIRM
"""A schedule of the code that nobody confirmed for so long has left it, also while other processes live: during a
rolling deploy two versions do, and either may be the one that has it."""
ALIVE = timedelta(minutes=1)
MOST_TRIES = 10
"""Whoever is faster so often writes the same."""


class Declared:
    """Any number of processes may do this, with different code: the one that was started last says what is written."""

    def __init__(self, footing: Footing) -> None:
        self._store = footing.store
        self._jobs = footing.jobs
        self._clock = footing.clock
        self._tz = footing.zone
        self._list_tenants = footing.list_tenants

    def sync(self) -> None:
        """Make the rows say what the code says.

        What is written carries the store's time, also where this host's clock is a year ahead.
        """
        # Opening the store anchors the clock, and what is made below asks that for the time (D1, D4).
        self._store()
        self._pass(worker="", rewrites=True)

    def confirm(self, worker: str) -> None:
        """Say what this code has, and look for what nobody has any more. `worker` is the id of this process."""
        self._pass(worker=worker, rewrites=False)

    def ensure(self, name: str) -> Schedule | None:
        """Return the stored schedule of this name; the code's own is written first where no process has yet."""
        known = self._store().schedule(name)
        if known is None and name in self._names():
            self._write(None, self._wanted(name, self._clock.now()))
            known = self._store().schedule(name)
        return known

    def has(self, name: str) -> bool:
        """Return whether this code declares a schedule of this name."""
        return name in self._names()

    def _names(self) -> list[str]:
        return [name for name, function in self._jobs.items() if function.timing is not None]

    def _pass(self, *, worker: str, rewrites: bool) -> None:
        now = self._clock.now()
        workers = self._store().workers()
        stored = {known.name: known for known in self._store().schedules(ScheduleQuery(origin=Origin.CODE))}
        may_write = rewrites or _is_newest(worker, workers, now)
        for name in self._names():
            # One that is not among those of the code may be a row that stands in its place.
            known = stored.pop(name, None) or self._store().schedule(name)
            wanted = self._wanted(name, now)
            if known is None or may_write or known.state is ScheduleState.ORPHANED:
                self._write(known, wanted)
            else:
                self._confirm(known, now)
        others = [one for one in workers if one.id != worker and now - one.last_seen <= ALIVE]
        for known in stored.values():
            self._miss(known, now, is_alone=not others)

    def _write(self, known: Schedule | None, wanted: Schedule) -> None:
        for _ in range(MOST_TRIES):
            try:
                changed = wanted if known is None else declared(known, wanted, now=wanted.created_at)
            except BadSchedule:
                # Somebody's edit makes no sense: the scheduler says so, and it is for people to mend.
                return
            if changed is None:
                assert known is not None
                self._confirm(known, wanted.created_at)
                return
            if self._store().put_schedule(
                changed,
                expected_version=known.version if known else None,
                expected_cursor=known.cursor if known else None,
            ):
                return
            known = self._store().schedule(wanted.name)

    def _confirm(self, known: Schedule, now: datetime) -> None:
        if known.origin is not Origin.CODE or (known.confirmed_at and now - known.confirmed_at < CONFIRM):
            return
        if known.next_at is not None and known.next_at - now < timedelta(seconds=5) and not _is_overdue(known, now):
            # It may fire between this read and the write, which would set its cursor back: its slot exists by then
            # and is left alone, but there is no need.
            return
        # Its version stays: this changes nothing that a firing was decided on.
        self._store().put_schedule(
            replace(known, confirmed_at=now), expected_version=known.version, expected_cursor=known.cursor
        )

    def _miss(self, known: Schedule, now: datetime, *, is_alone: bool) -> None:
        if known.state is ScheduleState.ORPHANED:
            return
        is_forgotten = known.confirmed_at is None or now - known.confirmed_at >= FORGOTTEN
        if is_alone or is_forgotten:
            orphan = replace(
                known,
                state=ScheduleState.ORPHANED,
                reason="its job is not in the code any more",
                version=known.version + 1,
            )
            self._store().put_schedule(orphan, expected_version=known.version, expected_cursor=known.cursor)

    def _wanted(self, name: str, now: datetime) -> Schedule:
        job = self._jobs[name].job
        said = self._jobs[name].timing
        assert said is not None
        timing = as_timing(said, tz=self._tz())
        wanted = Schedule(
            name=name,
            job=name,
            timing=str(timing),
            catch_up=job.catch_up,
            overlap=job.overlap,
            jitter=job.jitter,
            origin=Origin.CODE,
            confirmed_at=now,
            cursor=now,
            created_at=now,
        )
        wanted = replace(wanted, fingerprint=Definition.of(wanted).fingerprint)
        if is_of_tenants(timing):
            if not job.per_tenant:
                raise BadSchedule(str(timing), field="zone", reason=f"job {name!r} is not per_tenant")
            wanted = replace(wanted, zones=self._zones(wanted))
        return replace(wanted, next_at=agenda(timing, wanted.zones).next_slot(after=now))

    def _zones(self, wanted: Schedule) -> tuple[str, ...]:
        try:
            return zones_of(wanted, self._list_tenants(), default=self._tz())
        except TenantListFailed:
            # A start does not hang on the source of the tenants: the zones follow when it answers.
            return ()


def _is_newest(worker: str, workers: Sequence[WorkerRecord], now: datetime) -> bool:
    """Whether no process that is alive was started after this one: then it has the newest code there is."""
    own = next((one.started_at for one in workers if one.id == worker), None)
    return own is not None and not any(
        one.started_at > own for one in workers if one.id != worker and now - one.last_seen <= ALIVE
    )


def _is_overdue(known: Schedule, now: datetime) -> bool:
    return known.confirmed_at is None or now - known.confirmed_at >= 2 * CONFIRM
