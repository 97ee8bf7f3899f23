"""`rota audit`: who changed what."""

import click

from rota.cli.command import RotaCommand
from rota.cli.output import Column
from rota.cli.session import Session, pass_session
from rota.operations.audit import AuditAsked, list_audit
from rota.views.audit import to_json


@click.command(cls=RotaCommand)
@click.option("--actor", metavar="NAME", help="Only what this person did.")
@click.option("--action", metavar="ACTION", help="Only this action; one that ends in a dot: all that begin so.")
@click.option("--target", metavar="NAME", help="Only what was done to this job, schedule, tenant, run or campaign.")
@click.option("--since", metavar="TIME", help="Only from this time on.")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@click.option("--before", metavar="ID", help="The page after the one that ended with this id.")
@pass_session
def audit(
    session: Session,
    *,
    actor: str | None,
    action: str | None,
    target: str | None,
    since: str | None,
    limit: int,
    before: str | None,
) -> None:
    """List what people changed, newest first."""
    first = session.instant(since, flag="--since", now=session.clock.now()) if since else None
    asked = AuditAsked(actor=actor, action=action, target=target, since=first, cursor=before, limit=limit)
    found = session.ask(list_audit, asked)
    columns = [
        Column("WHEN", lambda row: session.shown(row.at)),
        Column("WHO", lambda row: row.actor or ""),
        Column("VIA", lambda row: row.via),
        Column("ACTION", lambda row: row.action),
        Column("TARGET", lambda row: row.target),
        Column("REASON", lambda row: row.reason or ""),
        Column("DETAIL", lambda row: to_json(row.detail) if row.detail else ""),
    ]
    session.out.page("rota.audit/1", found, columns, foot="" if found.data else "nobody changed anything")
