"""`rota reset`: forget the progress of a job."""

import click
from msgspec.structs import replace

from rota.cli.arguments import names
from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session
from rota.exits import Exit
from rota.operations.progress import ProgressAsked, reset_progress
from rota.views.chosen import said


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such job or tenant"})
@click.argument("job")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG|all", help="Only for these tenants.")
@click.option("--reason", help="Kept in the audit.")
@pass_session
def reset(session: Session, job: str, *, tenants: tuple[str, ...], reason: str | None) -> None:
    """Forget the progress of a job; its history stays.

    JOB may be the name of a schedule, where that has one of its own.
    """
    asked = ProgressAsked(name=job, tenants=names(tenants), reason=reason)
    ids = session.ask(reset_progress, replace(asked, dry_run=True)).tenants
    session.confirm(f"Forget how far {job} has come for {said(ids)}?")
    # Those who were asked about: a tag may mean others by now.
    count = session.ask(reset_progress, replace(asked, tenants=tuple(ids or ()))).forgotten
    session.out.one("rota.reset/1", {"forgotten": count}, [f"progress of {count} forgotten; history stays"])
