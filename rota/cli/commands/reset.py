"""`rota reset`: forget the progress of a job."""

import click

from rota.cli.command import RotaCommand
from rota.cli.exits import Exit
from rota.cli.selection import chosen
from rota.cli.session import Session, pass_session


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such job or tenant"})
@click.argument("job")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG|all", help="Only for these tenants.")
@pass_session
def reset(session: Session, job: str, *, tenants: tuple[str, ...]) -> None:
    """Forget the progress of a job; its history stays."""
    app = session.app
    session.confirm(f"Forget how far {job} has come?")
    count = app.reset(job, tenants=chosen(app, tenants))
    session.out.one("rota.reset/1", {"forgotten": count}, [f"progress of {count} forgotten; history stays"])
