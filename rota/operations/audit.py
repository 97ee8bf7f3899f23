"""What is asked about who changed what."""

from datetime import datetime

from rota.core.access import Capability
from rota.operations.operation import Cursor, Desk, Limit, Next, Page, Question, operation
from rota.queries import AuditQuery
from rota.views.audit import AuditRow, audited


class AuditAsked(Question, frozen=True, kw_only=True):
    """Which changes; every field that is set narrows the answer."""

    actor: str | None = None
    action: str | None = None
    """An action, or the beginning of one that ends in a dot: `schedule.`"""
    target: str | None = None
    """A job, schedule, tenant, run or campaign."""
    since: datetime | None = None
    cursor: Cursor | None = None
    """What `page.next` of the page before said."""
    limit: Limit = 50


@operation("GET", "/api/v1/audit", needs=Capability.READ, is_whole=True)
def list_audit(desk: Desk, asked: AuditAsked) -> Page[AuditRow]:
    """List what people changed, newest first."""
    query = AuditQuery(
        actor=asked.actor,
        action=asked.action,
        target=asked.target,
        since=asked.since,
        before_id=asked.cursor,
        limit=asked.limit,
    )
    rows = audited(desk.app, query)
    return Page(data=rows, page=Next(next=rows[-1].id if len(rows) == asked.limit else None))
