"""Schedules from a crontab or from the configuration of another scheduler: checked line by line against the application
before anything is written, then created."""

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from rota.app import Rota
from rota.core.access import Capability
from rota.core.kind import Timing
from rota.core.policy import CatchUp, Overlap
from rota.core.timing import next_slot, with_default_zone
from rota.core.words import describe, parse
from rota.core.zone import TENANT, is_zone
from rota.drafts import check_name
from rota.errors import BadArguments, BadRequest, ImportRefused, JobNotFound, NothingToImport, StoreUnavailable
from rota.importers import apscheduler, celery_beat, crontab, crontabber, huey, schedule
from rota.importers.found import Finding
from rota.operations.operation import Desk, Question, operation
from rota.views.jobs import the_job

PER_TENANT = "there one run each time; the job is per_tenant here, so each tenant has a run of its own"


class Format(Struct, frozen=True, kw_only=True):
    """One system that is read."""

    read: Callable[..., list[Finding]]
    looked_for: str


class System(StrEnum):
    """Whose configuration it is."""

    CRONTAB = "crontab"
    CELERY_BEAT = "celery-beat"
    HUEY = "huey"
    APSCHEDULER = "apscheduler"
    SCHEDULE = "schedule"
    CRONTABBER = "crontabber"


FORMATS: Mapping[System, Format] = {
    System.CRONTAB: Format(read=crontab.read, looked_for="lines of five fields and a command"),
    System.CELERY_BEAT: Format(
        read=celery_beat.read, looked_for="beat_schedule, add_periodic_task, or rows of django_celery_beat"
    ),
    System.HUEY: Format(read=huey.read, looked_for="@periodic_task(crontab(...))"),
    System.APSCHEDULER: Format(read=apscheduler.read, looked_for="add_job(...) and @scheduled_job(...)"),
    System.SCHEDULE: Format(read=schedule.read, looked_for="every()....do(...) and @repeat(...)"),
    System.CRONTABBER: Format(read=crontabber.read, looked_for="a list of dicts with cmd, or command"),
}


class Action(StrEnum):
    """What is done about a line."""

    CREATE = "create"
    REPLACE = "replace"
    LEAVE_OUT = "leave out"
    PROBLEM = "problem"


class Begins(StrEnum):
    """How schedules that were imported begin."""

    PAUSED = "paused"
    SHADOW = "shadow"
    ACTIVE = "active"


class Line(Struct, frozen=True, kw_only=True):
    """One schedule of the other system, and what becomes of it here."""

    line: int
    action: Action
    schedule: str
    job: str
    tenant: str | None
    timing: str
    """The canonical text, in the zone in which it is stored."""
    when: str
    """The same in words."""
    next_at: datetime | None
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    catch_up: CatchUp | None
    overlap: Overlap | None
    differences: tuple[str, ...]
    reason: str | None
    """Why it is left out, or cannot be created."""


class ImportAsked(Question, frozen=True, kw_only=True):
    """What is to be imported, and what is meant by it."""

    system: System
    source: str
    """The text of its crontab or configuration. Nothing of it is run."""
    is_system: bool = False
    """A system crontab: a user's name stands before the command."""
    zone: str | None = None
    """The zone of times whose zone the text does not say; without, that of the settings."""
    jobs: Mapping[str, str] = field(default_factory=dict)
    """By the name in the text, which job is meant."""
    prefix: str = ""
    """Put before the names of the schedules."""
    replaces: bool = False
    """Put schedules in the place of those that have their names."""
    skip_unknown: bool = False
    """Create the others where lines cannot be created."""
    begins: Begins = Begins.PAUSED
    """Paused; firing in the shadow of the other system, so that the two can be compared; or at work at once, which is
    for one that is stopped."""
    dry_run: bool = False
    """Only tell what would be created."""


class Imported(Struct, frozen=True, kw_only=True):
    """What an import has done, or would do."""

    created: int
    replaced: int
    left_out: int
    problems: int
    dry_run: bool
    lines: list[Line]


@operation("POST", "/api/v1/schedules/import", needs=Capability.ADMIN, is_whole=True)
def import_schedules(desk: Desk, asked: ImportAsked) -> Imported:
    """Create schedules from a crontab, or the configuration of another scheduler. All of it is created, or nothing.

    Nothing is taken out of the other system: stop it there.
    """
    app = desk.app
    findings = findings_in(asked.source, asked.system, zone=asked.zone, is_system=asked.is_system)
    for job in asked.jobs.values():
        the_job(app, job)
    lines = planned(app, findings, jobs=asked.jobs, prefix=asked.prefix, replaces=asked.replaces, zone=asked.zone)
    done = _counted(lines, dry_run=asked.dry_run)
    if asked.dry_run:
        return done
    if done.problems and not asked.skip_unknown:
        raise refused(done)
    create(app, lines, begins=asked.begins, system=asked.system, actor=desk.actor)
    return done


def findings_in(text: str, system: System, *, zone: str | None, is_system: bool) -> list[Finding]:
    """Return what stands in the configuration of another system.

    Raises:
        BadRequest: there is no such zone, or it is no crontab that is a system's.
        SourceUnreadable: it is not what it is said to be.
        NothingToImport: it names no schedule.
    """
    if is_system and system is not System.CRONTAB:
        raise BadRequest("is_system", "it goes with a crontab")
    if zone is not None and not is_zone(zone):
        raise BadRequest("zone", f"{zone!r} is no time zone, such as Europe/Paris")
    found = FORMATS[system]
    more = {"is_system": True} if is_system else {}
    findings = found.read(text, zone=zone, **more)
    if not findings:
        raise NothingToImport(system, looked_for=found.looked_for)
    return findings


def refused(done: Imported) -> ImportRefused:
    """Return why nothing of an import is created."""
    return ImportRefused(
        f"{done.problems} of {len(done.lines)} schedules cannot be created, so none was: put them right, "
        "leave them out with --skip-unknown, or name the jobs meant with --job OLD=NEW"
    )


def _counted(lines: list[Line], *, dry_run: bool) -> Imported:
    def count(action: Action) -> int:
        return sum(line.action is action for line in lines)

    return Imported(
        created=count(Action.CREATE),
        replaced=count(Action.REPLACE),
        left_out=count(Action.LEAVE_OUT),
        problems=count(Action.PROBLEM),
        dry_run=dry_run,
        lines=lines,
    )


def planned(
    app: Rota, findings: Sequence[Finding], *, jobs: Mapping[str, str], prefix: str, replaces: bool, zone: str | None
) -> list[Line]:
    """Return what becomes of each finding. Nothing is written.

    `jobs` says which job is meant by a name in the file, `prefix` goes before the names of schedules, `zone` is that
    of times which name none; without it the setting timezone is.
    """
    names = Counter(prefix + finding.name for finding in findings if finding.left_out is None)
    owners = {name: name for name, function in app.jobs.items() if function.timing is not None}
    exists = owners.keys() | {known.name for known in app.schedules.list()}
    tenants = {tenant.id for tenant in app.list_tenants()} if any(finding.tenant for finding in findings) else set()
    lines = []
    for finding in findings:
        name, job = prefix + finding.name, jobs.get(finding.job, finding.job)
        timing = _timing(finding, zone or app.settings.timezone)
        reason = finding.left_out or finding.problem or _refusal(app, finding, job, tenants)
        if reason is None and timing is not None and not _is_coming(app, timing):
            reason = "its time has passed"
        if reason is None:
            reason = _name_refusal(name, job, count=names[name], owner=owners.get(name))
        if reason is None and name in exists and not replaces:
            reason = "a schedule of this name exists already; --replace puts this one in its place, --prefix beside it"
        lines.append(_line(app, finding, name, job, timing, exists=name in exists, reason=reason))
    return lines


def create(app: Rota, lines: Sequence[Line], *, begins: Begins, system: System, actor: str) -> None:
    """Create the schedules of all lines that are to be. There is no moment at which one works that is not to.

    Raises:
        StoreUnavailable: the store went away in between; the message says how many there are by then.
    """
    wanted = [line for line in lines if line.action in (Action.CREATE, Action.REPLACE)]
    for done, line in enumerate(wanted):
        try:
            if begins is not Begins.ACTIVE:
                reason = f"{system} still carries it out"
                app.shadows.begin(line.schedule, reason=reason, is_to_come=True, actor=actor)
            app.schedules.put(
                line.schedule,
                job=line.job,
                when=line.timing,
                tenant=line.tenant,
                args=line.args,
                kwargs=line.kwargs,
                catch_up=line.catch_up,
                overlap=line.overlap,
                actor=actor,
                reason=f"imported from {system}",
            )
            if begins is Begins.PAUSED:
                reason = f"imported from {system}: stop it there first"
                app.schedules.pause(line.schedule, reason=reason, actor=actor)
                app.shadows.end(line.schedule, actor=actor)
        except StoreUnavailable as error:
            more = f"; {done} of {len(wanted)} schedules were created before: with --replace the same command goes on"
            raise StoreUnavailable(f"{error}{more if done else ''}") from error


def _line(
    app: Rota, finding: Finding, name: str, job: str, timing: Timing | None, *, exists: bool, reason: str | None
) -> Line:
    action = Action.REPLACE if exists else Action.CREATE
    if reason is not None:
        action = Action.LEAVE_OUT if finding.left_out else Action.PROBLEM
    return Line(
        line=finding.line,
        action=action,
        schedule=name,
        job=job,
        tenant=finding.tenant,
        timing=str(timing) if timing else "",
        when=describe(timing) if timing else "",
        next_at=_next(app, timing) if timing else None,
        args=finding.args,
        kwargs=finding.kwargs,
        catch_up=finding.catch_up,
        overlap=finding.overlap,
        differences=_differences(app, finding, job) if action in (Action.CREATE, Action.REPLACE) else (),
        reason=reason,
    )


def _differences(app: Rota, finding: Finding, job: str) -> tuple[str, ...]:
    of_each = app.jobs[job].job.per_tenant and finding.tenant is None
    return (*finding.differences, *([PER_TENANT] if of_each else []))


def _timing(finding: Finding, zone: str) -> Timing | None:
    return with_default_zone(parse(finding.timing), zone) if finding.timing else None


def _next(app: Rota, timing: Timing) -> datetime | None:
    # Without a tenant there is no next time in the tenant's zone.
    return None if getattr(timing, "tz", None) == TENANT else next_slot(timing, after=app.clock.now())


def _is_coming(app: Rota, timing: Timing) -> bool:
    return getattr(timing, "tz", None) == TENANT or _next(app, timing) is not None


def _refusal(app: Rota, finding: Finding, job: str, tenants: Container[str]) -> str | None:
    """Return why the job cannot be started as the line says, or None."""
    if job not in app.jobs:
        missing = str(JobNotFound(job, known=app.jobs))
        end = "" if missing.endswith("?") else ";"
        return f"{missing}{end} register it, or say which is meant: --job {finding.job}=NAME"
    function = app.jobs[job]
    if finding.tenant is not None and not function.job.per_tenant:
        return f"it is for tenant {finding.tenant!r}, but job {job!r} is not per_tenant"
    if finding.tenant is not None and finding.tenant not in tenants:
        return f"no tenant {finding.tenant!r}"
    try:
        function.registered.signature.encode(finding.args, finding.kwargs)
    except BadArguments as error:
        return str(error)
    return None


def _name_refusal(name: str, job: str, *, count: int, owner: str | None) -> str | None:
    """Return why the schedule cannot have this name, or None; `owner` is the job whose code declares one of it."""
    if count > 1:
        return f"{count} lines make a schedule of this name"
    if owner is not None and owner != job:
        return f"the code declares the schedule of job {owner!r} under this name: give another with --prefix"
    try:
        check_name(name)
    except BadArguments as error:
        return str(error)
    return None
