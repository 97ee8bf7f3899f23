"""`rota cancel`: stop what is not over."""

import click

from rota.cli.arguments import actor
from rota.cli.command import RotaCommand
from rota.cli.exits import Exit
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.errors import Refused
from rota.views.selection import cancellable


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such run or round", Exit.REFUSED: "they are over already"})
@click.argument("runs_or_rounds", nargs=-1, required=True)
@click.option("--reason", default="cancelled by an operator", show_default=True, help="Kept with the runs.")
@click.option("--dry-run", is_flag=True, help="Only say what would be cancelled.")
@pass_session
def cancel(session: Session, *, runs_or_rounds: tuple[str, ...], reason: str, dry_run: bool) -> None:
    """Cancel runs that are not over.

    A round stands for all such runs of it. Running ones are asked to stop.
    """
    app = session.app
    found = cancellable(app, runs_or_rounds)
    if not found:
        raise Refused("nothing to cancel: they are over already")
    if dry_run:
        session.out.one(
            "rota.cancel/1", found, [f"{counted(len(found), 'run')} would be cancelled. Nothing was done (--dry-run)."]
        )
        return
    if len(found) > 1:
        session.confirm(f"Cancel {counted(len(found), 'run')}?")
    done = app.cancel([run.id for run in found], reason=reason, actor=actor())
    session.out.one(
        "rota.cancel/1", done, [f"{counted(len(done), 'run')} cancelled or asked to stop; to run again: rota retry"]
    )
