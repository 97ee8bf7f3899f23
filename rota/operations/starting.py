"""What is started by hand: a job, for all its tenants or some (R24)."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from msgspec import Struct, field

from rota.core.access import Capability
from rota.errors import Forbidden, TenantNotFound
from rota.operations.operation import Desk, Question, operation
from rota.views.chosen import chosen, excluded
from rota.views.jobs import the_job
from rota.views.pauses import in_the_way


class StartAsked(Question, frozen=True, kw_only=True):
    """What is to be started."""

    job: str
    tenants: tuple[str, ...] = ()
    """Only these: ids, or `@tag` for all that have it."""
    exclude: tuple[str, ...] = ()
    """Not these."""
    args: tuple[Any, ...] = ()
    """Arguments in their order."""
    kwargs: dict[str, Any] = field(default_factory=dict)
    """Arguments by name."""
    canary: str | None = None
    """This tenant goes first; the others only if it succeeds."""
    parallel: int | None = None
    """How many of its runs are out at once."""
    reason: str | None = None
    """Kept with the round and in the audit."""


class RunPlan(Struct, frozen=True, kw_only=True):
    """What is started, or would be."""

    job: str
    tenants: list[str] | None
    """None when the job is not per tenant, and where all are meant."""
    round: str | None
    """The id of the round that runs them; null where nothing was started."""
    in_the_way: list[str] = []
    """Why some of it would not run at once: pauses, parked tenants."""


@operation("POST", "/api/v1/rounds", needs=Capability.TRIGGER, status=HTTPStatus.ACCEPTED)
def start_job(desk: Desk, asked: StartAsked) -> RunPlan:
    """Start a job now, for all its tenants or some. A run by hand consumes no slot and moves none; it waits where an
    earlier one is not over."""
    app = desk.app
    the_job(app, asked.job)
    only, without = chosen(app, asked.tenants), excluded(app, asked.exclude)
    meant = meant_for(desk, asked.job, only, without)
    round_ = app.start_run(
        asked.job,
        tenants=only,
        exclude=without,
        args=asked.args,
        kwargs=asked.kwargs,
        canary=asked.canary,
        parallel=asked.parallel,
        reason=asked.reason,
        actor=desk.actor,
        keyed=desk.keyed(asked),
    )
    waits = in_the_way(app, asked.job, meant or ())
    return RunPlan(job=asked.job, tenants=only, round=round_.id, in_the_way=waits)


@operation("POST", "/api/v1/rounds/preview", needs=Capability.TRIGGER)
def preview_start(desk: Desk, asked: StartAsked) -> RunPlan:
    """Tell which tenants a start would be for, and what stands in its way. Nothing is started."""
    app = desk.app
    meant = meant_for(desk, asked.job, chosen(app, asked.tenants), excluded(app, asked.exclude))
    return RunPlan(job=asked.job, tenants=meant, round=None, in_the_way=in_the_way(app, asked.job, meant or ()))


def meant_for(desk: Desk, job: str, only: Sequence[str] | None, without: Sequence[str]) -> list[str] | None:
    """Return the tenants that a start is for; None of a job that is not per tenant.

    Raises:
        JobNotFound, TenantNotFound: there is no such one.
        Forbidden: they are more than who may only trigger may start a job for at once (T60).
    """
    app = desk.app
    if not the_job(app, job).per_tenant:
        return None
    listed = [tenant.id for tenant in app.list_tenants()]
    for name in only or ():
        if name not in listed:
            raise TenantNotFound(name, known=listed)
    meant = [name for name in listed if (only is None or name in only) and name not in without]
    check_fan_out(desk, meant)
    return meant


def check_fan_out(desk: Desk, tenants: Sequence[str]) -> None:
    """Refuse a start for so many tenants to who may only trigger (T60).

    Raises:
        Forbidden: they are more than `web.fan_out`.
    """
    most = desk.app.settings.web.fan_out
    if len(tenants) > most and not desk.principal.may(Capability.MANAGE):
        raise Forbidden(f"to start a job for more than {most} tenants at once needs the capability 'manage'")
