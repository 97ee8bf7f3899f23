"""What is asked and changed about how far a job has come (R14)."""

from datetime import datetime

from msgspec import Struct

from rota.core.access import Capability
from rota.core.model import Progress
from rota.operations.operation import Desk, Page, Question, operation
from rota.views.chosen import chosen, known


class ProgressAsked(Question, frozen=True, kw_only=True):
    """Of which job, for which tenants."""

    name: str
    tenants: tuple[str, ...] = ()
    """Only for these: ids, or `@tag` for all that have it. Without: for all."""
    reason: str | None = None
    """Kept in the audit."""
    dry_run: bool = False
    """Only tell whom it is for."""


class MarkAsked(ProgressAsked, frozen=True, kw_only=True):
    """What is to be taken as done."""

    until: datetime | None = None
    """The newest slot that is not after this. Without: not after now."""


class Marked(Struct, frozen=True, kw_only=True):
    """How far a job has come now."""

    tenants: list[str] | None
    """Those that were named; null when all were meant."""
    data: list[Progress] = []


class Forgotten(Struct, frozen=True, kw_only=True):
    """Whose progress is forgotten."""

    tenants: list[str] | None
    """Those that were named; null when all were meant."""
    forgotten: int = 0
    """How many had any."""


class HowFarAsked(Question, frozen=True, kw_only=True):
    """How far what has come; every field that is set narrows the answer."""

    schedule: str | None = None
    tenant: tuple[str, ...] = ()
    """Ids, or `@tag` for all that have it."""


@operation("GET", "/api/v1/progress", needs=Capability.READ)
def list_progress(desk: Desk, asked: HowFarAsked) -> Page[Progress]:
    """List for each schedule and tenant its newest slot that succeeded, and what was met since."""
    tenants = chosen(desk.app, asked.tenant)
    return Page(data=desk.app.store.progress(schedule=asked.schedule, tenants=tenants))


@operation("POST", "/api/v1/jobs/{name}/mark-success", needs=Capability.MANAGE)
def mark_success(desk: Desk, asked: MarkAsked) -> Marked:
    """Take slots as succeeded that were not run. Nothing runs because of it."""
    ids = known(desk.app, asked.name, asked.tenants)
    if asked.dry_run:
        return Marked(tenants=ids)
    marked = desk.app.mark_success(asked.name, tenants=ids, until=asked.until, reason=asked.reason, actor=desk.actor)
    return Marked(tenants=ids, data=marked)


@operation("POST", "/api/v1/jobs/{name}/reset", needs=Capability.MANAGE)
def reset_progress(desk: Desk, asked: ProgressAsked) -> Forgotten:
    """Forget how far a job has come; its history stays."""
    ids = known(desk.app, asked.name, asked.tenants)
    if asked.dry_run:
        return Forgotten(tenants=ids)
    count = desk.app.reset(asked.name, tenants=ids, reason=asked.reason, actor=desk.actor)
    return Forgotten(tenants=ids, forgotten=count)
