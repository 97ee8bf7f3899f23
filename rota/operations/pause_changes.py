"""What is changed about pauses (R12). A schedule is paused where schedules are."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

from rota.app import Rota
from rota.core.access import Capability
from rota.core.controls import Pause, Paused
from rota.core.dependencies import covers
from rota.core.model import Schedule
from rota.errors import TenantListFailed, close_names
from rota.operations.operation import Desk, Question, operation
from rota.views.slots import due_between


class PauseAsked(Question, frozen=True, kw_only=True):
    """What is to be paused."""

    name: str
    reason: str
    """For those who will wonder."""
    until: datetime | UnsetType | None = UNSET
    """Goes on by itself then; null: never. Without: at the end that it has, if any."""


class PauseMade(Struct, frozen=True, kw_only=True):
    """A pause as it is now."""

    pause: Pause
    note: str = ""
    """What looks wrong: that nothing uses the queue; or that nobody can tell whether there is such a tenant."""


@operation("POST", "/api/v1/jobs/{name}/pause", needs=Capability.MANAGE)
def pause_job(desk: Desk, asked: PauseAsked) -> PauseMade:
    """Pause a job: its schedules fire nothing, and none of its runs begins. Again: with this reason."""
    return PauseMade(pause=_paused(desk, Paused.JOB, asked))


@operation("POST", "/api/v1/tenants/{name}/pause", needs=Capability.MANAGE)
def pause_tenant(desk: Desk, asked: PauseAsked) -> PauseMade:
    """Pause all jobs of a tenant: its slots are recorded as skipped, and none of its runs begins."""
    pause = _paused(desk, Paused.TENANT, asked)
    return PauseMade(pause=pause, note=_unlisted(desk.app, asked.name))


@operation("POST", "/api/v1/queues/{name}/pause", needs=Capability.MANAGE, is_whole=True)
def pause_queue(desk: Desk, asked: PauseAsked) -> PauseMade:
    """Pause a queue: none of its runs begins. Schedules go on firing."""
    return PauseMade(pause=_paused(desk, Paused.QUEUE, asked), note=_unused(desk.app, asked.name))


class ResumeAsked(Question, frozen=True, kw_only=True):
    """What is to go on."""

    name: str
    reason: str | None = None
    """Kept in the audit."""


class Resumed(Struct, frozen=True, kw_only=True):
    """A pause that was ended."""

    pause: Pause
    missed: list[str] = []
    """Schedules of which slots were not fired meanwhile: they stay missing until a backfill makes them up."""


@operation("POST", "/api/v1/jobs/{name}/resume", needs=Capability.MANAGE)
def resume_job(desk: Desk, asked: ResumeAsked) -> Resumed:
    """Let a job go on. What was queued meanwhile runs now; slots that were not fired are not made up."""
    ended = _resumed(desk, Paused.JOB, asked)
    return _with_missed(desk.app, ended, desk.app.schedules.list(job=asked.name))


@operation("POST", "/api/v1/tenants/{name}/resume", needs=Capability.MANAGE)
def resume_tenant(desk: Desk, asked: ResumeAsked) -> Resumed:
    """Let the jobs of a tenant go on. What was queued meanwhile runs now; slots that it skipped are not made up."""
    app, ended = desk.app, _resumed(desk, Paused.TENANT, asked)
    per_tenant = {job for job, function in app.jobs.items() if function.job.per_tenant}
    theirs = [one for one in app.schedules.list() if one.job in per_tenant and covers(one, asked.name)]
    return _with_missed(app, ended, theirs)


@operation("POST", "/api/v1/queues/{name}/resume", needs=Capability.MANAGE, is_whole=True)
def resume_queue(desk: Desk, asked: ResumeAsked) -> Resumed:
    """Let a queue go on: what waits in it runs now."""
    return Resumed(pause=_resumed(desk, Paused.QUEUE, asked))


def _paused(desk: Desk, kind: Paused, asked: PauseAsked) -> Pause:
    return desk.app.pauses.pause(kind, asked.name, reason=asked.reason, until=asked.until, actor=desk.actor)


def _resumed(desk: Desk, kind: Paused, asked: ResumeAsked) -> Pause:
    return desk.app.pauses.resume(kind, asked.name, actor=desk.actor, reason=asked.reason)


def _with_missed(app: Rota, ended: Pause, schedules: Iterable[Schedule]) -> Resumed:
    return Resumed(pause=ended, missed=due_between(schedules, since=ended.since, until=app.clock.now()))


def _unlisted(app: Rota, tenant: str) -> str:
    try:
        app.list_tenants()
    except TenantListFailed as error:
        return f"the tenants cannot be listed ({error}), so nobody knows whether there is a {tenant!r}"
    return ""


def _unused(app: Rota, queue: str) -> str:
    """Return what is to be said of a queue that nothing uses; a queue may be any, so that is no error."""
    open_in = {name for name, states in app.store.counts().by_queue.items() if any(states.values())}
    known = {function.job.queue for function in app.jobs.values()} | open_in
    if queue in known:
        return ""
    close = " or ".join(repr(name) for name in close_names(queue, known))
    meant = f"; did you mean {close}?" if close else ""
    return f"no job here and no open run uses the queue {queue!r}{meant}"
