"""`rota mark-success`: slots that need not run."""

from shlex import quote

import click
from msgspec.structs import replace

from rota.cli.arguments import names
from rota.cli.command import RotaCommand
from rota.cli.output import Column
from rota.cli.session import Session, pass_session
from rota.exits import Exit
from rota.operations.progress import MarkAsked
from rota.operations.progress import mark_success as mark_success_of
from rota.views.chosen import said


@click.command(name="mark-success", cls=RotaCommand, exits={Exit.NOT_FOUND: "no such job or tenant"})
@click.argument("job")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG|all", help="Only for these tenants.")
@click.option("--until", metavar="TIME", help="The newest slot not after this. Default: now.")
@click.option("--reason", help="Kept in the audit.")
@pass_session
def mark_success(
    session: Session, job: str, *, tenants: tuple[str, ...], until: str | None, reason: str | None
) -> None:
    """Record slots as done without running them.

    JOB may be the name of a schedule, where that has one of its own.
    """
    ends = session.instant(until, flag="--until", now=session.clock.now()) if until else None
    asked = MarkAsked(name=job, tenants=names(tenants), until=ends, reason=reason)
    ids = session.ask(mark_success_of, replace(asked, dry_run=True)).tenants
    session.confirm(f"Take {job} as succeeded for {said(ids)} until {until or 'now'}?")
    # Those who were asked about: a tag may mean others by now.
    marked = session.ask(mark_success_of, replace(asked, tenants=tuple(ids or ()))).data
    # Not less than what was named: of all tenants it would forget what nobody meant.
    only = "" if ids is None else f" --tenant {quote(','.join(ids))}"
    foot = f"{len(marked)} marked; to forget all of their progress: rota reset {quote(job)}{only}"
    columns = [
        Column("SCHEDULE", lambda row: row.schedule),
        Column("TENANT", lambda row: row.tenant),
        Column("LAST SUCCESS", lambda row: session.shown(row.last_success)),
    ]
    session.out.rows("rota.mark-success/1", marked, columns, foot=foot)
