"""The verdict: a few lines that say whether all is well."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from rota.app import Rota
from rota.core.counting import counted
from rota.core.duration import rough_duration
from rota.core.freshness import Freshness
from rota.core.incident import Incident
from rota.core.model import ScheduleState, State, WorkerRecord
from rota.core.telling import title_of
from rota.engine.circuits import every_circuit
from rota.queries import Counts
from rota.views.channels import channel_rows
from rota.views.freshness import Pair, pairs
from rota.views.schedule import Planned, planned

OVERDUE = timedelta(minutes=1)
WAITS_LONG = timedelta(minutes=5)
NAMED = 5
MOST_INCIDENTS = 1000


class Level(StrEnum):
    """How bad it is: `warn` needs a look, `failed` needs a person now."""

    OK = "ok"
    WARN = "warn"
    FAILED = "failed"


class Line(Struct, frozen=True, kw_only=True):
    """One fact, with the command that shows more where it is not good."""

    subject: str
    level: Level
    text: str
    more: str | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """The worst of its lines, and the lines."""

    level: Level
    lines: list[Line]


def status(app: Rota) -> Verdict:
    """Return whether all is well. Reads a few rows of the store, and no tenant."""
    now = app.clock.now()
    schedules = planned(app)
    counts, workers = app.store.counts(), app.store.workers()
    alive = alive_workers(app, workers, now=now)
    lines = [
        _schedules(schedules, [f"{pause.kind} {pause.name}" for pause in app.pauses.list()], now=now),
        _tenants(pairs(app), parked_tenants(app)),
        _queue(counts, now=now),
        _workers(alive, workers, counts),
        _alerts(app, now=now),
        _next(schedules, now=now),
    ]
    return Verdict(level=worst(line.level for line in lines), lines=lines)


def worst(levels: Iterable[Level]) -> Level:
    """Return the worst of some levels, `ok` of none."""
    return max(levels, key=list(Level).index, default=Level.OK)


def alive_workers(app: Rota, workers: Sequence[WorkerRecord], *, now: datetime) -> list[WorkerRecord]:
    """Return the workers seen within the time that their leases last."""
    return [worker for worker in workers if now - worker.last_seen <= app.settings.worker.lease]


def parked_tenants(app: Rota) -> list[str]:
    """Return the tenants whose database did not answer, and which are only probed."""
    return [tenant for tenant, circuit in every_circuit(app.store).items() if circuit.is_open]


def _schedules(schedules: Sequence[Planned], pauses: Sequence[str], *, now: datetime) -> Line:
    broken = [schedule.name for schedule in schedules if schedule.state is ScheduleState.BROKEN]
    failed = [schedule.name for schedule in schedules if schedule.state is ScheduleState.FAILED]
    paused = [*pauses, *(schedule.name for schedule in schedules if schedule.state is ScheduleState.PAUSED)]
    overdue = [
        schedule.name
        for schedule in schedules
        if schedule.state is ScheduleState.ACTIVE and schedule.next_at and now - schedule.next_at > OVERDUE
    ]
    if broken:
        return Line(subject="Schedules", level=Level.FAILED, text=f"broken: {_named(broken)}", more="rota doctor")
    if overdue:
        text = f"{len(overdue)} overdue, so no scheduler is firing: {_named(overdue)}"
        return Line(subject="Schedules", level=Level.FAILED, text=text, more="rota start, or rota tick")
    if failed:
        text = f"one time, and failed for good: {_named(failed)}"
        return Line(subject="Schedules", level=Level.FAILED, text=text, more="rota schedules --state failed")
    tail = f", {len(paused)} paused: {_named(paused)}" if paused else ""
    return Line(subject="Schedules", level=Level.OK, text=f"{len(schedules)}, none overdue{tail}")


def _tenants(known: Sequence[Pair], parked: Sequence[str]) -> Line:
    if parked:
        text = f"{counted(len(parked), 'tenant')} parked, no database answers: {_named(parked)}"
        return Line(subject="Freshness", level=Level.FAILED, text=text, more="rota tenants list")
    failing = [pair for pair in known if pair.failures]
    stale = [pair for pair in known if pair.state is Freshness.STALE]
    if stale:
        text = f"{len(stale)} stale: {_named([_pair(pair) for pair in stale])}"
        return Line(subject="Freshness", level=Level.FAILED, text=text, more="rota stale")
    if failing:
        text = f"{len(failing)} failed last: {_named([_pair(pair) for pair in failing])}"
        return Line(subject="Freshness", level=Level.FAILED, text=text, more="rota runs --state failed")
    late = [pair for pair in known if pair.state is Freshness.LATE]
    if late:
        text = f"{len(late)} late: {_named([_pair(pair) for pair in late])}"
        return Line(subject="Freshness", level=Level.WARN, text=text, more="rota stale")
    return Line(subject="Freshness", level=Level.OK, text=f"{len(known)} schedules and tenants, all fresh")


def _queue(counts: Counts, *, now: datetime) -> Line:
    running = sum(states.get(State.RUNNING, 0) for states in counts.by_queue.values())
    queued = sum(states.get(State.QUEUED, 0) for states in counts.by_queue.values())
    text = f"{running} running, {queued} queued, {counts.waiting} waiting in line"
    if counts.oldest_queued_at and now - counts.oldest_queued_at > WAITS_LONG:
        waited = rough_duration((now - counts.oldest_queued_at).total_seconds())
        text = f"{text}; the oldest waits since {waited}"
        return Line(subject="Queues", level=Level.WARN, text=text, more="rota doctor")
    return Line(subject="Queues", level=Level.OK, text=text)


def _workers(alive: Sequence[WorkerRecord], known: Sequence[WorkerRecord], counts: Counts) -> Line:
    queued = any(states.get(State.QUEUED, 0) for states in counts.by_queue.values())
    silent = f", {len(known) - len(alive)} silent" if len(known) > len(alive) else ""
    if not alive:
        level = Level.FAILED if queued else Level.WARN
        return Line(subject="Workers", level=level, text=f"none alive{silent}", more="rota start")
    places = sum(worker.places for worker in alive)
    text = f"{len(alive)} alive, {counted(places, 'place')}{silent}"
    # No fault as such: its host may have been taken away. Frozen, it looks the same.
    return Line(subject="Workers", level=Level.OK, text=text, more="rota workers" if silent else None)


def _alerts(app: Rota, *, now: datetime) -> Line:
    """Return whether anything is wrong that nobody has seen to, and whether those who have to know can be told."""
    silent = [row.name for row in channel_rows(app) if row.is_failing]
    if silent:
        text = f"not accepted by {_named(silent)}"
        return Line(subject="Alerts", level=Level.FAILED, text=text, more="rota alerts channels")
    found = app.incidents.list(limit=MOST_INCIDENTS)
    fresh = [one for one in found if one.acked_at is None and not one.is_muted(now)]
    if fresh:
        text = f"{counted(len(fresh), 'incident')}: {_named([_title(app, one) for one in fresh[:NAMED]])}"
        text += f" and {len(fresh) - NAMED} more" if len(fresh) > NAMED else ""
        return Line(subject="Alerts", level=Level.FAILED, text=text, more="rota alerts")
    if found:
        text = f"{counted(len(found), 'incident')}, acknowledged or muted"
        return Line(subject="Alerts", level=Level.WARN, text=text, more="rota alerts")
    return Line(subject="Alerts", level=Level.OK, text="no incident is open")


def _title(app: Rota, incident: Incident) -> str:
    members = app.store.alerts.members(incident.id)
    return title_of(incident, [one.name for one in members if one.name and one.recovered_at is None])


def _next(schedules: Sequence[Planned], *, now: datetime) -> Line:
    active = [s for s in schedules if s.state is ScheduleState.ACTIVE and s.next_at is not None]
    soonest = min(active, key=lambda schedule: schedule.next_at or now, default=None)
    if soonest is None or soonest.next_at is None:
        return Line(subject="Next", level=Level.OK, text="nothing is due")
    wait = (soonest.next_at - now).total_seconds()
    when = f"in {rough_duration(wait)}" if wait >= 0 else f"{rough_duration(-wait)} ago"
    return Line(subject="Next", level=Level.OK, text=f"{soonest.name} {when}")


def _pair(pair: Pair) -> str:
    return f"{pair.schedule} / {pair.tenant}" if pair.tenant else pair.schedule


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
