"""What is checked when something is wrong: each check is a fact, and where it is not good a cause and a command."""

import platform
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from shlex import quote

from msgspec import Struct

from rota.alerting import notifiers
from rota.app import Rota
from rota.core import dependencies
from rota.core.counting import counted
from rota.core.duration import rough_duration
from rota.core.model import ScheduleState, State
from rota.core.safe import safe_text
from rota.errors import RotaError
from rota.notifiers.options import insecure
from rota.queries import RunQuery
from rota.redaction import redacted
from rota.settings.values import Mode
from rota.version import __version__
from rota.views.channels import channel_rows
from rota.views.schedule import planned
from rota.views.status import Level, alive_workers, parked_tenants
from rota.views.workers import late_loops, worker_rows

LOST_AMONG = 1000
"""Newest runs that are looked at for lost attempts."""

SNAPSHOT_WARN = timedelta(minutes=5)
"""How long a transaction may stand open in the store's server: an hour of it makes claims many times as slow."""

UNSEEN = timedelta(minutes=2)
"""How long a failure may wait to be taken note of."""

CLOCK_WARN = timedelta(seconds=2)

WAY_OUT = {
    ScheduleState.BROKEN: "put it right where it was written, or rota schedules delete {name}",
    ScheduleState.ORPHANED: "bring its code back, or rota schedules delete {name}",
    ScheduleState.FAILED: "rota retry its round, or rota schedules delete {name}",
}
"""What to do about a schedule that does not fire, by its state."""


class Check(Struct, frozen=True, kw_only=True):
    """One fact that was looked at."""

    subject: str
    level: Level
    fact: str
    fix: str | None = None


Looks = Callable[[Rota], Iterator[Check]]


def examine(app: Rota) -> list[Check]:
    """Return what every check found, in a fixed order. Nothing is written.

    A check that cannot be made is a finding: the others are made all the same.
    """
    found: list[Check] = []
    for subject, look in CHECKS.items():
        try:
            found.extend(look(app))
        except RotaError as error:
            found.append(Check(subject=subject, level=Level.FAILED, fact=redacted(str(error))))
    return found


def _app(app: Rota) -> Iterator[Check]:
    dependencies.check({name: function.job for name, function in app.jobs.items()})
    yield Check(subject="App", level=Level.OK, fact=f"Rota {__version__}, {counted(len(app.jobs), 'job')}")
    silent = [name for name, function in sorted(app.jobs.items()) if not function.job.description]
    if silent:
        yield _warn("App", f"jobs without a description: {_listed(silent)}", "give the function a docstring")


def _settings(app: Rota) -> Iterator[Check]:
    changed = len(app.settings.origins)
    yield Check(subject="Config", level=Level.OK, fact=f"{changed} settings set, mode {app.settings.mode}")
    if app.settings.mode is Mode.DEVELOPMENT:
        yield _warn("Config", "mode is development", 'mode = "production" where others depend on it')


def _store(app: Rota) -> Iterator[Check]:
    store = app.store
    started = app.clock.monotonic()
    facts = store.facts()
    took = rough_duration(app.clock.monotonic() - started)
    told = ", ".join(f"{name} {value}" for name, value in facts.items())
    yield Check(subject="Store", level=Level.OK, fact=redacted(f"{told}; answered in {took}"))
    store.check()
    yield from _snapshots(app)


def _snapshots(app: Rota) -> Iterator[Check]:
    """Name what keeps the store's server from clearing up: every claim passes what has died since (fault row C9)."""
    for found in app.store.old_snapshots(older_than=SNAPSHOT_WARN):
        since = "" if found.age is None else f" since {rough_duration(found.age.total_seconds())}"
        fact = f"{found.holder} keeps the server from clearing up{since}: the store becomes slower"
        yield _warn("Store", safe_text(fact), safe_text(found.way_out))


def _clock(app: Rota) -> Iterator[Check]:
    away = abs(app.store.now() - app.clock.now())
    fact = f"{rough_duration(away.total_seconds())} from the store's clock"
    if away > CLOCK_WARN:
        yield _warn("Clock", fact, "let a time service set both clocks")
    else:
        yield Check(subject="Clock", level=Level.OK, fact=fact)


def _tenants(app: Rota) -> Iterator[Check]:
    if not any(function.job.per_tenant for function in app.jobs.values()):
        return
    started = app.clock.monotonic()
    tenants = app.list_tenants()
    took = rough_duration(app.clock.monotonic() - started)
    yield Check(subject="Tenants", level=Level.OK, fact=f"{len(tenants)} listed in {took}")
    parked = parked_tenants(app)
    if parked:
        yield _warn("Tenants", f"parked: {_listed(parked)}", "rota tenants list, which says why")


def _schedules(app: Rota) -> Iterator[Check]:
    known = planned(app)
    unstored = [schedule.name for schedule in known if not schedule.is_stored]
    yield Check(subject="Schedules", level=Level.OK, fact=counted(len(known), "schedule"))
    for schedule in known:
        if schedule.state in WAY_OUT:
            level = Level.WARN if schedule.state is ScheduleState.ORPHANED else Level.FAILED
            fact = f"{schedule.name} is {schedule.state}: {schedule.reason}"
            fix = WAY_OUT[schedule.state].format(name=quote(schedule.name))
            yield Check(subject="Schedules", level=level, fact=safe_text(fact), fix=safe_text(fix))
    now = app.clock.now()
    overdue = [
        schedule.name
        for schedule in known
        if schedule.state is ScheduleState.ACTIVE and schedule.next_at and now - schedule.next_at > timedelta(minutes=1)
    ]
    if overdue:
        yield Check(
            subject="Schedules",
            level=Level.FAILED,
            fact=f"overdue, so no scheduler fires: {_listed(overdue)}",
            fix="rota start, or rota tick from an outside cron",
        )
    if unstored:
        yield _warn("Schedules", f"declared and never started: {_listed(unstored)}", "rota start, or rota tick")


def _workers(app: Rota) -> Iterator[Check]:
    now, counts = app.clock.now(), app.store.counts()
    alive = alive_workers(app, app.store.workers(), now=now)
    places = sum(worker.places for worker in alive)
    yield from _astray(app)
    if alive:
        yield Check(subject="Workers", level=Level.OK, fact=f"{len(alive)} alive, {counted(places, 'place')}")
    else:
        yield _warn("Workers", "none alive", "rota start")
    versions = sorted({worker.version for worker in alive})
    if len(versions) > 1:
        yield _warn("Workers", f"different versions: {', '.join(versions)}", "finish the deployment")
    served = {queue for worker in alive for queue in worker.queues}
    for queue, states in sorted(counts.by_queue.items()):
        queued = states.get(State.QUEUED, 0)
        if queued and alive and served and queue not in served:
            yield _warn(
                "Workers",
                f"queue {queue!r} has {counted(queued, 'queued run')} and no worker",
                f"rota start --queues {queue}:8",
            )


def _astray(app: Rota) -> Iterator[Check]:
    """Yield workers that are gone without a word, and loops that do not come round."""
    for row in worker_rows(app):
        seen = rough_duration(row.seen_s)
        if row.state == "dead":
            fact = f"pid {row.pid} is dead and holds {counted(row.busy, 'run')}"
            yield _warn("Workers", fact, "rota start, which gives them back")
        elif row.state == "silent":
            fact = f"{row.id} on {row.host} (pid {row.pid}) was not seen for {seen}"
            yield _warn("Workers", fact, "look after that host; its runs are given to others")
        for name in late_loops(row):
            fact = f"the {name} of pid {row.pid} on {row.host} has not come round for long"
            yield _warn("Workers", fact, "read its log; kill -USR1 of its rota start writes where it stands")


def _lost(app: Rota) -> Iterator[Check]:
    """Say which jobs lose their attempts: what takes its process down, or keeps it from renewing its leases."""
    recent = app.store.runs(RunQuery(since=app.clock.now() - timedelta(days=1), limit=LOST_AMONG))
    times = Counter(run.job for run in recent if run.lost_count)
    for job, count in sorted(times.items()):
        known = app.jobs.get(job)
        in_thread = known is None or known.job.executor != "process"
        yield _warn(
            "Runs",
            f"{job} lost its worker in {count} of the last runs",
            "where it computes in C code or may crash: executor='process'" if in_thread else f"rota runs --job {job}",
        )


def _alerts(app: Rota) -> Iterator[Check]:
    """Say whether whoever has to know can be told, and whether somebody looks at what failed."""
    notifiers(app.settings.alerts, clock=app.clock)
    rows = channel_rows(app)
    names = ", ".join(f"{row.name} ({row.kind})" for row in rows)
    yield Check(subject="Alerts", level=Level.OK, fact=f"{counted(len(rows), 'channel')}: {names}")
    for one in app.settings.alerts.named:
        for name in insecure(one.options):
            fix = f"take {name} away; ca_file trusts a server of your own"
            yield _warn("Alerts", f"{name} is on for channel {one.called}", fix)
    for row in rows:
        if row.is_failing:
            fact = f"channel {row.name} accepts nothing: {row.error}"
            yield Check(subject="Alerts", level=Level.FAILED, fact=fact, fix=f"rota alerts test {quote(row.name)}")
        if row.given_up:
            fact = f"{counted(row.given_up, 'alert')} for channel {row.name} given up"
            yield _warn("Alerts", fact, f"rota alerts deliveries --channel {quote(row.name)}")
    waiting = [one for one in app.store.alerts.signals(limit=1) if app.clock.now() - one.at > UNSEEN]
    if waiting:
        fact = f"runs have failed, {safe_text(waiting[0].job)} among them, and no process takes note"
        yield _warn("Alerts", fact, "rota start, or rota tick")


def _platform(_app: Rota) -> Iterator[Check]:
    fact = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.system()}"
    yield Check(subject="Platform", level=Level.OK, fact=fact)


CHECKS: dict[str, Looks] = {
    "App": _app,
    "Config": _settings,
    "Store": _store,
    "Clock": _clock,
    "Tenants": _tenants,
    "Schedules": _schedules,
    "Workers": _workers,
    "Runs": _lost,
    "Alerts": _alerts,
    "Platform": _platform,
}


def _warn(subject: str, fact: str, fix: str) -> Check:
    return Check(subject=subject, level=Level.WARN, fact=fact, fix=fix)


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
