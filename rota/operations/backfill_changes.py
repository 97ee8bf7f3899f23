"""What is changed about backfills: started, paused, resumed, cancelled, given other limits (R13)."""

from datetime import datetime
from http import HTTPStatus

from msgspec import UNSET, UnsetType

from rota.app import Rota
from rota.campaigns import MOST, Backfill, Wanted
from rota.core.access import Capability
from rota.core.campaign import Campaign, Mode
from rota.operations.operation import Desk, Question, operation
from rota.preview import Preview
from rota.views.chosen import chosen, excluded


class BackfillWanted(Question, frozen=True, kw_only=True):
    """Which slots are to be made up, and how."""

    job: str
    """A job, or a schedule."""
    since: datetime
    until: datetime
    """Slots in [since, until)."""
    tenants: tuple[str, ...] = ()
    """Only these: ids, or `@tag` for all that have it now."""
    exclude: tuple[str, ...] = ()
    """Not these."""
    mode: Mode = Mode.MISSING
    """Slots that never ran; those that failed, too; or every one again."""
    newest_first: bool = False
    as_one: bool = False
    """One run per tenant for the whole range, not one per slot."""
    parallel: int | None = None
    """So many of its runs at once; null is one per tenant."""
    rate: float | None = None
    """So many of its runs begin per minute; null is without limit."""
    stop_after: int | None = None
    """Stop when so many runs have failed."""
    canary: str | None = None
    """This tenant first; the others only if all its runs succeed."""
    reason: str | None = None
    """Kept with it and in the audit."""
    most: int | None = MOST
    """A larger one is refused; null: it is meant, however large."""


@operation("POST", "/api/v1/backfills/preview", needs=Capability.READ)
def preview_backfill(desk: Desk, asked: BackfillWanted) -> Preview:
    """Tell what a backfill would do, as history stands now. Nothing is started."""
    return desk.app.campaigns.start(asked.job, _wanted(desk.app, asked), dry_run=True).preview


@operation("POST", "/api/v1/backfills", needs=Capability.MANAGE, status=HTTPStatus.ACCEPTED)
def start_backfill(desk: Desk, asked: BackfillWanted) -> Backfill:
    """Make up slots of a past time range: start a campaign that whoever schedules carries out.

    Again: nothing is added twice. `campaign` is null where there is nothing to do.
    """
    return desk.app.campaigns.start(
        asked.job, _wanted(desk.app, asked), actor=desk.actor, most=asked.most, keyed=desk.keyed(asked)
    )


class BackfillNamed(Question, frozen=True, kw_only=True):
    """Which backfill, and why."""

    id: str
    """Its id, or the beginning of it, if only one has it."""
    reason: str | None = None
    """Kept in the audit."""


class BackfillPauseAsked(Question, frozen=True, kw_only=True):
    """Which backfill is to be paused."""

    id: str
    reason: str
    """For those who will wonder."""


@operation("POST", "/api/v1/backfills/{id}/pause", needs=Capability.MANAGE)
def pause_backfill(desk: Desk, asked: BackfillPauseAsked) -> Campaign:
    """Let no more of its runs go on; what is out ends."""
    return desk.app.campaigns.pause(asked.id, reason=asked.reason, actor=desk.actor)


@operation("POST", "/api/v1/backfills/{id}/resume", needs=Capability.MANAGE)
def resume_backfill(desk: Desk, asked: BackfillNamed) -> Campaign:
    """Let a paused or stopped backfill go on; the failures until now do not stop it again."""
    return desk.app.campaigns.resume(asked.id, reason=asked.reason, actor=desk.actor)


@operation("POST", "/api/v1/backfills/{id}/cancel", needs=Capability.MANAGE)
def cancel_backfill(desk: Desk, asked: BackfillNamed) -> Campaign:
    """Give a backfill up: its open runs are cancelled, and those that run are asked to stop."""
    return desk.app.campaigns.cancel(asked.id, reason=asked.reason, actor=desk.actor)


class BackfillLimits(BackfillNamed, frozen=True, kw_only=True):
    """What of the limits of a backfill is to change; null takes a limit away."""

    parallel: int | UnsetType | None = UNSET
    """So many of its runs at once."""
    rate: float | UnsetType | None = UNSET
    """So many of its runs begin per minute."""
    stop_after: int | UnsetType | None = UNSET
    """Stop when so many runs have failed."""


@operation("PATCH", "/api/v1/backfills/{id}", needs=Capability.MANAGE)
def set_backfill(desk: Desk, asked: BackfillLimits) -> Campaign:
    """Change the limits of a backfill while it runs. What is out is not stopped for it."""
    return desk.app.campaigns.set(
        asked.id,
        parallel=asked.parallel,
        rate=asked.rate,
        stop_after=asked.stop_after,
        reason=asked.reason,
        actor=desk.actor,
    )


def _wanted(app: Rota, asked: BackfillWanted) -> Wanted:
    only = chosen(app, asked.tenants)
    return Wanted(
        since=asked.since,
        until=asked.until,
        tenants=None if only is None else tuple(only),
        exclude=tuple(excluded(app, asked.exclude)),
        mode=asked.mode,
        newest_first=asked.newest_first,
        as_one=asked.as_one,
        parallel=asked.parallel,
        rate=asked.rate,
        stop_after=asked.stop_after,
        canary=asked.canary,
        reason=asked.reason,
    )
