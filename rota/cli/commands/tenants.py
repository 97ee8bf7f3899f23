"""`rota tenants`: who they are, and whether their databases answer."""

import click

from rota.cli.command import RotaCommand, RotaGroup
from rota.cli.exits import Exit
from rota.cli.output import Column, by_state
from rota.cli.progress import progress
from rota.cli.selection import chosen
from rota.cli.session import Session, pass_session
from rota.core.duration import rough_duration
from rota.views.tenants import TenantTried, tenant_rows, try_tenants


@click.group(cls=RotaGroup, default="list")
def tenants() -> None:
    """List tenants, or try their databases."""


@tenants.command(name="list", cls=RotaCommand)
@pass_session
def list_(session: Session) -> None:
    """List the tenants, asked of their source now."""
    rows = tenant_rows(session.app)
    columns = [
        Column("TENANT", lambda row: row.id),
        Column("DATABASE", lambda row: row.database),
        Column("SCHEMA", lambda row: row.schema),
        Column("TAGS", lambda row: ", ".join(row.tags)),
    ]
    session.out.rows("rota.tenants.list/1", rows, columns, foot=f"{len(rows)} tenants")


@tenants.command(
    cls=RotaCommand,
    exits={
        Exit.FAILED: "no database answers",
        Exit.NOT_FOUND: "no such tenant",
        Exit.PARTIAL: "some databases do not answer",
    },
)
@click.argument("names", nargs=-1)
@pass_session
def test(session: Session, names: tuple[str, ...]) -> None:
    """Open the database of each tenant, or of those named, and say which do not answer."""
    app = session.app
    rows: list[TenantTried] = []
    with progress(session, "tenants", monotonic=app.clock.monotonic) as report:
        for row, total in try_tenants(app, chosen(app, names)):
            rows.append(row)
            report(len(rows), total, sum(1 for tried in rows if tried.state == "failed"))
    columns = [
        Column("STATE", lambda row: row.state, style=by_state),
        Column("TENANT", lambda row: row.id),
        Column("TOOK", lambda row: rough_duration(row.took_s), right=True),
        Column("WHY", lambda row: row.error),
    ]
    session.out.rows("rota.tenants.test/1", rows, columns)
    failed = sum(1 for row in rows if row.state == "failed")
    if failed:
        click.get_current_context().exit(Exit.PARTIAL if failed < len(rows) else Exit.FAILED)
