"""What is wrong now, found by looking: nothing of it has an end that somebody could tell."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from rota.core.alert import IncidentKind
from rota.core.freshness import Freshness
from rota.core.incident import Condition
from rota.core.liveness import late_loops
from rota.core.model import ScheduleState
from rota.core.signal import LONGEST
from rota.core.watched import WATCH, PingKind, Watched
from rota.engine.circuits import every_circuit
from rota.ports import Store
from rota.queries import FlipQuery, PairQuery, ScheduleQuery

NO_JOB = ""

LOOKED_AT = frozenset({IncidentKind.STALE, IncidentKind.PARKED, IncidentKind.BROKEN, IncidentKind.STOPPED})
"""Kinds of incidents that are over once they are not found any more."""


def broken(store: Store, *, now: datetime) -> Iterable[Condition]:
    """Yield the schedules that cannot be understood, by job (R5). Since when is not kept: since it was seen."""
    for schedule in store.schedules(ScheduleQuery(states=(ScheduleState.BROKEN,))):
        yield Condition(
            kind=IncidentKind.BROKEN,
            job=schedule.job,
            about="",
            member=schedule.name,
            since=now,
            error=schedule.reason or "",
        )


def parked(store: Store) -> Iterable[Condition]:
    """Yield the tenants whose database cannot be reached (R25)."""
    for tenant, circuit in every_circuit(store).items():
        if circuit.parked_at is not None:
            yield Condition(
                kind=IncidentKind.PARKED,
                job=NO_JOB,
                about="",
                member=tenant,
                since=circuit.parked_at,
                error=circuit.reason,
            )


def stopped(
    store: Store, usual: Mapping[str, timedelta], *, heartbeat: timedelta, lease: timedelta, now: datetime
) -> Iterable[Condition]:
    """Yield the loops that do not come round though their process lives (R52). `usual` is how long each is away."""
    for worker in store.workers():
        if now - worker.last_seen > lease:
            continue
        for name in late_loops(worker, usual, heartbeat=heartbeat):
            yield Condition(
                kind=IncidentKind.STOPPED,
                job=NO_JOB,
                about="",
                member=f"{name} of pid {worker.pid} on {worker.host}",
                since=worker.stamps[name],
                error="it has not come round for long, though its process lives",
            )


MOST_STALE = 10_000
"""Pairs that incidents name; more are counted by those that there are."""

PINGS = 20
"""Last words of a script that are looked at: it may say much between its start and its end."""

NEVER_LOOKED = ""

AFRESH = timedelta(minutes=5)
"""How often all stale pairs are read though nothing seems to have changed: of two watchdogs that write at once, the one
that is seen last may have the older ids."""


class Stale:
    """Finds what has not succeeded in time (R51), as the watchdog left it.

    All pairs are read where one has changed its state since; else only those of schedules that were stale, which a
    success may have moved. With 100,000 pairs that are fresh it is one small read.
    """

    def __init__(self, store: Store, *, lease: timedelta) -> None:
        """`lease` is how long a process that is not heard of is taken for one that lives."""
        self._store = store
        self._lease = lease
        self._seen: str | None = NEVER_LOOKED
        self._schedules: tuple[str, ...] = ()
        self._whole_at: datetime | None = None

    def look(self, now: datetime) -> list[Condition]:
        """Return the pairs that are stale now, by schedule."""
        newest = next((flip.id for flip in self._store.freshness.flips(FlipQuery(limit=1))), None)
        pairs: list[Watched] = []
        is_due = self._whole_at is None or not self._whole_at <= now < self._whole_at + AFRESH
        if newest != self._seen or is_due:
            self._whole_at = now
            pairs = self._store.freshness.pairs(PairQuery(states=(Freshness.STALE,), limit=MOST_STALE))
        elif self._schedules:
            query = PairQuery(schedules=self._schedules, states=(Freshness.STALE,), limit=MOST_STALE)
            pairs = self._store.freshness.pairs(query)
        self._seen, self._schedules = newest, tuple(sorted({pair.schedule for pair in pairs}))
        jobs = {schedule: self._job(schedule) for schedule in self._schedules}
        silence = self._silence(now) if pairs else ""
        return [_stale(pair, jobs[pair.schedule], error=self._why(pair, silence)) for pair in pairs]

    def _why(self, pair: Watched, silence: str) -> str:
        """Return what is known of why a pair is stale."""
        last = "it has never succeeded"
        if pair.last_success is not None:
            last = f"the last slot that succeeded is {pair.last_success:%Y-%m-%d %H:%M} UTC"
        if pair.schedule.startswith(WATCH):
            return self._failure(pair.schedule.removeprefix(WATCH)) or last
        return f"{silence}; {last}" if silence else last

    def _silence(self, now: datetime) -> str:
        """Return since when nobody is heard of who fired schedules, where somebody did: then no job is to blame."""
        heard = [worker.last_seen for worker in self._store.workers() if "scheduler" in worker.stamps]
        if not heard or now - max(heard) <= self._lease:
            return ""
        return f"no scheduler has been heard of since {max(heard):%Y-%m-%d %H:%M} UTC"

    def _failure(self, script: str) -> str:
        """Return what a script outside of Rota said last of itself, where that is that it failed; else ""."""
        said = self._store.freshness.pings(script, limit=PINGS)
        last = next((ping for ping in said if ping.kind in (PingKind.SUCCESS, PingKind.FAIL)), None)
        if last is None or last.kind is not PingKind.FAIL:
            return ""
        # Scripts say at their end how they ended.
        lines = (last.text or "").strip().splitlines()
        return f"it said that it failed: {lines[-1][:LONGEST]}" if lines else "it said that it failed"

    def _job(self, name: str) -> str:
        schedule = None if name.startswith(WATCH) else self._store.schedule(name)
        return NO_JOB if schedule is None else schedule.job


def _stale(pair: Watched, job: str, *, error: str) -> Condition:
    return Condition(
        kind=IncidentKind.STALE,
        job=job,
        about=pair.schedule.removeprefix(WATCH),
        member=pair.tenant,
        since=pair.flipped_at,
        error=error,
    )
