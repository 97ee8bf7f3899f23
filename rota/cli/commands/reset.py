"""`rota reset`: forget the progress of a job."""

import click

from rota.cli.arguments import actor
from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session
from rota.exits import Exit
from rota.views.chosen import known, said


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such job or tenant"})
@click.argument("job")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG|all", help="Only for these tenants.")
@click.option("--reason", help="Kept in the audit.")
@pass_session
def reset(session: Session, job: str, *, tenants: tuple[str, ...], reason: str | None) -> None:
    """Forget the progress of a job; its history stays."""
    app = session.app
    ids = known(app, job, tenants)
    session.confirm(f"Forget how far {job} has come for {said(ids)}?")
    count = app.reset(job, tenants=ids, reason=reason, actor=actor())
    session.out.one("rota.reset/1", {"forgotten": count}, [f"progress of {count} forgotten; history stays"])
