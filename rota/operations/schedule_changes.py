"""What is changed about schedules (R5, R6)."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, field
from msgspec.structs import replace

from rota.app import Rota
from rota.core.access import Capability
from rota.core.definition import Definition
from rota.core.model import Schedule
from rota.core.policy import CatchUp, Overlap
from rota.errors import BadRequest
from rota.operations.operation import Desk, Question, operation
from rota.operations.starting import check_fan_out
from rota.views.chosen import chosen, excluded
from rota.views.pauses import paused_since
from rota.views.runs import mask_of
from rota.views.slots import due_between

Version = Annotated[int, Meta(ge=0)]


class ScheduleEdit(Question, frozen=True, kw_only=True):
    """Which schedule is changed, by whom it was read before, and why."""

    name: str
    reason: str | None = None
    """Kept in the audit."""
    expected_version: Version | None = None
    """Its `version` as it was read, 0 where there was none: refused when somebody has changed it since."""


class PutAsked(ScheduleEdit, frozen=True, kw_only=True):
    """What a schedule is to be."""

    job: str
    when: str
    """Words, a cron expression, or one time: `daily at 02:30 Europe/Paris`, `30 2 * * *`, `at 2026-12-01T09:00`."""
    tz: str | None = None
    """The zone of a `when` that names none; without, that of the settings."""
    tenants: tuple[str, ...] = ()
    """Only for these: ids, or `@tag` for all that have it now."""
    exclude: tuple[str, ...] = ()
    """Not for these."""
    args: tuple[Any, ...] = ()
    """Arguments in their order."""
    kwargs: dict[str, Any] = field(default_factory=dict)
    """Arguments by name."""
    user_id: str | None = None
    """Given to the job as `ctx.user_id`."""
    catch_up: CatchUp | None = None
    """What missed slots become; without, as the job says."""
    overlap: Overlap | None = None
    """What happens when the last one is not over; without, as the job says."""
    jitter: str | None = None
    """Each run is due up to so much after its slot: `30s`."""
    fresh_within: str | None = None
    """How old its last success may be: `2h`; without, as the job says."""
    keep: bool = False
    """Whether a one-time schedule is kept as done."""
    force: bool = False
    """Also for one time that is over: it runs now."""


@operation("PUT", "/api/v1/schedules/{name}", needs=Capability.ADMIN)
def put_schedule(desk: Desk, asked: PutAsked) -> Schedule:
    """Store a schedule under a name, or change the one that has it. The past is not run again.

    Of a schedule of the code it is an override, which a deploy does not undo. One that is paused stays paused.
    """
    app = desk.app
    stored = app.schedules.put(
        asked.name,
        job=asked.job,
        when=asked.when,
        tz=asked.tz,
        tenants=chosen(app, asked.tenants),
        exclude=excluded(app, asked.exclude),
        args=asked.args,
        kwargs=asked.kwargs,
        user_id=asked.user_id,
        catch_up=asked.catch_up,
        overlap=asked.overlap,
        jitter=asked.jitter,
        fresh_within=asked.fresh_within,
        keep=asked.keep,
        force=asked.force,
        actor=desk.actor,
        reason=asked.reason,
        expected_version=asked.expected_version,
    )
    return shown(app, stored)


class OverrideAsked(ScheduleEdit, frozen=True, kw_only=True):
    """What of a schedule is to change."""

    when: str | None = None
    """Words, a cron expression, or one time."""
    tz: str | None = None
    """The zone of a `when` that names none; without, that of the settings."""
    tenants: tuple[str, ...] = ()
    """Only for these: ids, or `@tag` for all that have it now."""
    exclude: tuple[str, ...] = ()
    """Not for these."""
    catch_up: CatchUp | None = None
    overlap: Overlap | None = None
    jitter: str | None = None
    """Each run is due up to so much after its slot; `0s` is none."""
    fresh_within: str | None = None


@operation("PATCH", "/api/v1/schedules/{name}", needs=Capability.ADMIN)
def override_schedule(desk: Desk, asked: OverrideAsked) -> Schedule:
    """Change what is given of a schedule, and leave the rest. Of one of the code a deploy does not undo it."""
    app = desk.app
    if not any(
        (asked.when, asked.tenants, asked.exclude, asked.catch_up, asked.overlap, asked.jitter, asked.fresh_within)
    ):
        raise BadRequest("", "say what to change: when, tenants, exclude, catch_up, overlap, jitter or fresh_within")
    stored = app.schedules.override(
        asked.name,
        when=asked.when,
        tz=asked.tz,
        tenants=chosen(app, asked.tenants),
        exclude=excluded(app, asked.exclude) if asked.exclude else None,
        catch_up=asked.catch_up,
        overlap=asked.overlap,
        jitter=asked.jitter,
        fresh_within=asked.fresh_within,
        actor=desk.actor,
        reason=asked.reason,
        expected_version=asked.expected_version,
    )
    return shown(app, stored)


class ScheduleNamed(Question, frozen=True, kw_only=True):
    """Which schedule, and why."""

    name: str
    reason: str | None = None
    """Kept in the audit."""


@operation("POST", "/api/v1/schedules/{name}/restore", needs=Capability.ADMIN)
def restore_schedule(desk: Desk, asked: ScheduleNamed) -> Schedule:
    """Take an override back: the schedule is again as its code says."""
    return shown(desk.app, desk.app.schedules.restore(asked.name, actor=desk.actor, reason=asked.reason))


class ExcludeAsked(ScheduleNamed, frozen=True, kw_only=True):
    """Whom a schedule is not for."""

    tenant: str
    is_excluded: bool = True
    """False: take it in again."""


@operation("POST", "/api/v1/schedules/{name}/exclude", needs=Capability.ADMIN)
def exclude_tenant(desk: Desk, asked: ExcludeAsked) -> Schedule:
    """Leave one tenant out of a schedule, or take it in again; others may do so with other tenants at once."""
    changed = desk.app.schedules.exclude(
        asked.name, asked.tenant, is_excluded=asked.is_excluded, actor=desk.actor, reason=asked.reason
    )
    return shown(desk.app, changed)


class SchedulePauseAsked(Question, frozen=True, kw_only=True):
    """Which schedule is to be paused."""

    name: str
    reason: str
    """For those who will wonder."""
    until: datetime | UnsetType | None = UNSET
    """Goes on by itself then; null: never. Without: at the end that it has, if any."""


@operation("POST", "/api/v1/schedules/{name}/pause", needs=Capability.MANAGE)
def pause_schedule(desk: Desk, asked: SchedulePauseAsked) -> Schedule:
    """Stop firing a schedule. What runs already goes on, and nothing fails for it."""
    paused = desk.app.schedules.pause(asked.name, reason=asked.reason, until=asked.until, actor=desk.actor)
    return shown(desk.app, paused)


class ScheduleResumed(Struct, frozen=True, kw_only=True):
    """A schedule that fires again."""

    schedule: Schedule
    since: datetime | None
    """Since when it was paused; null when the audit does not tell any more."""
    missed: list[str]
    """Its name, when it has slots that were not fired meanwhile."""


@operation("POST", "/api/v1/schedules/{name}/resume", needs=Capability.MANAGE)
def resume_schedule(desk: Desk, asked: ScheduleNamed) -> ScheduleResumed:
    """Fire again, from now on: slots that passed meanwhile are not made up."""
    app = desk.app
    since = paused_since(app, asked.name)
    resumed = app.schedules.resume(asked.name, actor=desk.actor, reason=asked.reason)
    missed = [] if since is None else due_between([resumed], since=since, until=app.clock.now())
    return ScheduleResumed(schedule=shown(app, resumed), since=since, missed=missed)


class Started(Struct, frozen=True, kw_only=True):
    """What was started."""

    round: str
    """The id of the round that runs it."""
    job: str


@operation("POST", "/api/v1/schedules/{name}/run", needs=Capability.TRIGGER, status=HTTPStatus.ACCEPTED)
def run_schedule(desk: Desk, asked: ScheduleNamed) -> Started:
    """Start the job of a schedule now, with its arguments and tenants. It uses up no slot and moves none.

    For more tenants than the setting `web.fan_out` the capability `manage` is needed.
    """
    known = desk.app.schedules.get(asked.name)
    if known.job in desk.app.jobs and desk.app.find(known.job).job.per_tenant:
        # One that it names and that has left since is no error.
        listed = [tenant.id for tenant in desk.app.list_tenants()]
        meant = [one for one in listed if known.tenants is None or one in known.tenants]
        check_fan_out(desk, [one for one in meant if one not in known.exclude])
    round_ = desk.app.schedules.run_now(asked.name, actor=desk.actor, reason=asked.reason, keyed=desk.keyed(asked))
    return Started(round=round_.id, job=round_.job)


class DeleteAsked(ScheduleEdit, frozen=True, kw_only=True):
    """Which schedule is to go."""

    dry_run: bool = False
    """Only tell whether it is there."""


class Deleted(Struct, frozen=True, kw_only=True):
    """What is not there any more."""

    deleted: str


@operation("DELETE", "/api/v1/schedules/{name}", needs=Capability.ADMIN)
def delete_schedule(desk: Desk, asked: DeleteAsked) -> Deleted:
    """Delete a schedule; its history and progress stay. One of the code would come back, and is refused."""
    if asked.dry_run:
        desk.app.schedules.get(asked.name)
    else:
        desk.app.schedules.delete(
            asked.name, actor=desk.actor, reason=asked.reason, expected_version=asked.expected_version
        )
    return Deleted(deleted=asked.name)


def shown(app: Rota, schedule: Schedule) -> Schedule:
    """Return a schedule without the values of arguments whose names say that they are secret."""
    mask = mask_of(app, job=schedule.job)
    code = schedule.declared
    if code is not None:
        definition = Definition.read(code)
        code = replace(definition, args=mask.json(definition.args)).written
    return replace(schedule, args=mask.json(schedule.args), declared=code)
