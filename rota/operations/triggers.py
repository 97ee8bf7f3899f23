"""What schedulers outside and people ask for by hand: a pass, and the start of a job."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from rota.core.access import Capability
from rota.core.campaign import Mode
from rota.core.pass_report import PassReport
from rota.errors import BadRequest
from rota.operations.operation import Desk, Question, operation
from rota.operations.starting import meant_for
from rota.views.chosen import chosen, excluded
from rota.views.pauses import in_the_way

LONGEST_PASS_S = 3600.0


class PassAsked(Question, frozen=True, kw_only=True):
    """How long the answer may take."""

    limit_s: float | None = None
    """After how many seconds it comes at the latest; what has begun by then goes on. Null is the setting
    `web.pass_limit`, which is 55 seconds."""
    work: bool = True
    """Whether runs are worked off as well, in the process that answers; else they are left to workers."""


@operation("POST", "/api/cron/run", needs=Capability.TRIGGER, is_whole=True, is_slow=True)
def run_pass(desk: Desk, asked: PassAsked) -> PassReport:
    """Do one pass: fire what is due and work it off; answer what fired, ran, failed and was skipped, per job.

    Call it once a minute from any scheduler. Two calls at once run nothing twice, and a run is told of in the answer of
    one of them. A pass in which jobs failed is answered with 200 as well: it was done.
    """
    limit = desk.app.settings.web.pass_limit
    if asked.limit_s is not None:
        if not 0 <= asked.limit_s <= LONGEST_PASS_S:
            raise BadRequest("limit_s", f"{asked.limit_s:g} is not within 0 and {LONGEST_PASS_S:g} seconds")
        limit = timedelta(seconds=asked.limit_s)
    return desk.app.passes.run(limit=limit, works=asked.work)


class TriggerAsked(Question, frozen=True, kw_only=True):
    """Which job, for whom, with what."""

    job_name: str
    tenants: tuple[str, ...] | None = None
    """Ids, or `@tag` for all that have it; null is all of the job's tenants."""
    exclude: tuple[str, ...] = ()
    """Not these."""
    args: tuple[Any, ...] | Mapping[str, Any] = ()
    """Arguments, by name or in order."""
    kwargs: Mapping[str, Any] | None = None
    """Arguments by name, beside those in order."""
    slot: datetime | None = None
    """Run it for this slot of its schedule, again if need be. Null is a run by hand, which consumes no slot."""
    canary: str | None = None
    """This tenant goes first, the others only if it succeeds."""
    parallel: int | None = None
    """How many tenants at once."""
    wait: bool = False
    """Whether it stands in line where an earlier run is not over; else the job's overlap policy decides, and where that
    is to skip, it is refused with 409."""
    reason: str | None = None
    """Kept with the round, and in the audit."""


class Started(Struct, frozen=True, kw_only=True):
    """What was started, and where to ask after it."""

    job: str
    round: str | None
    """The id of its round; null where a slot is run."""
    backfill: str | None = None
    """The id of the backfill that runs a slot."""
    tenants: int | None
    """For how many; null of a job that is not per tenant."""
    url: str
    in_the_way: list[str] = []
    """Why some of it does not run at once: pauses, parked tenants."""


def _is_plain(desk: Desk, asked: TriggerAsked) -> bool:
    return not desk.key and asked.slot is None


@operation("POST", "/scheduler/run/{job_name}", needs=Capability.TRIGGER, status=HTTPStatus.ACCEPTED, shares=_is_plain)
def trigger_job(desk: Desk, asked: TriggerAsked) -> Started:
    """Start a job by hand, now, for all its tenants or some.

    For more tenants than the setting `web.fan_out` the capability `manage` is needed. A run by hand consumes no slot
    and moves none. 409: an earlier run is not over, and the job's overlap policy is to skip.
    """
    app = desk.app
    app.find(asked.job_name)
    only = None if asked.tenants is None else chosen(app, asked.tenants)
    without = excluded(app, asked.exclude)
    meant = meant_for(desk, asked.job_name, only, without)
    if asked.slot is not None:
        return _for_slot(desk, asked, only, without, asked.slot)
    positional, named = arguments(asked.args, asked.kwargs)
    round_ = app.start_run(
        asked.job_name,
        tenants=only,
        exclude=without,
        args=positional,
        kwargs=named,
        canary=asked.canary,
        parallel=asked.parallel,
        reason=asked.reason,
        actor=desk.actor,
        waits=asked.wait,
        keyed=desk.keyed(asked),
    )
    return Started(
        job=asked.job_name,
        round=round_.id,
        tenants=None if meant is None else len(meant),
        url=f"{desk.root}/api/v1/rounds/{round_.id}",
        in_the_way=in_the_way(app, asked.job_name, meant or ()),
    )


def arguments(
    args: Sequence[Any] | Mapping[str, Any], named: Mapping[str, Any] | None
) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """Return the arguments in order, and those by name."""
    if isinstance(args, Mapping):
        twice = args.keys() & (named or {}).keys()
        if twice:
            raise BadRequest("kwargs", f"{sorted(twice)[0]!r} is among args as well")
        return (), {**args, **(named or {})}
    return args, named or {}


def _for_slot(
    desk: Desk, asked: TriggerAsked, only: list[str] | None, without: Sequence[str], slot: datetime
) -> Started:
    if slot.tzinfo is None:
        raise BadRequest("slot", "it has no zone: write 2026-11-20T02:00:00Z, or with an offset")
    if asked.args or asked.kwargs:
        raise BadRequest("args", "the run of a slot has the arguments of its schedule")
    made = desk.app.backfill(
        asked.job_name,
        since=slot,
        until=slot + timedelta(microseconds=1),
        tenants=only,
        exclude=without,
        mode=Mode.ALL,
        canary=asked.canary,
        parallel=asked.parallel,
        reason=asked.reason,
        actor=desk.actor,
        keyed=desk.keyed(asked),
    )
    if made.id is None:
        raise BadRequest("slot", f"{slot.isoformat()} is no slot of {asked.job_name!r}")
    return Started(
        job=asked.job_name,
        round=None,
        backfill=made.id,
        tenants=len(made.preview.tenants) if desk.app.find(made.preview.job).job.per_tenant else None,
        url=f"{desk.root}/api/v1/backfills/{made.id}",
    )
