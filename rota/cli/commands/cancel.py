"""`rota cancel`: stop what is not over."""

from collections.abc import Sequence

import click

from rota.cli.arguments import actor
from rota.cli.command import RotaCommand
from rota.cli.searching import in_batches, said, snapshot, where_option
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.model import OPEN
from rota.errors import Refused
from rota.exits import Exit
from rota.views.runs import run_row
from rota.views.selection import cancellable


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such run or round", Exit.REFUSED: "they are over already"})
@click.argument("runs_or_rounds", nargs=-1)
@where_option("What this means, as of now: 'job:sync tenant:acme'.")
@click.option("--reason", default="cancelled by an operator", show_default=True, help="Kept with the runs.")
@click.option("--dry-run", is_flag=True, help="Only say what would be cancelled.")
@pass_session
def cancel(
    session: Session, *, runs_or_rounds: tuple[str, ...], where: tuple[str, ...], reason: str, dry_run: bool
) -> None:
    """Cancel runs that are not over.

    A round, chain or batch stands for all such runs of it. Running ones are asked to stop.
    """
    app = session.app
    if bool(runs_or_rounds) is bool(where):
        raise click.UsageError("name runs or rounds, or say --where, and not both")
    if where:
        _cancel_matching(session, where, reason=reason, dry_run=dry_run)
        return
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


def _cancel_matching(session: Session, where: Sequence[str], *, reason: str, dry_run: bool) -> None:
    runs = [run for run in snapshot(session, where, states=tuple(OPEN)) if not run.state.is_final]
    told = said(session, runs, where)
    if not runs:
        raise Refused(f"nothing to cancel: {told} that are not over")
    if dry_run:
        rows = [run_row(run) for run in runs]
        session.out.one("rota.cancel/1", rows, [f"{told}. Nothing was done (--dry-run)."])
        return
    session.confirm(f"Cancel {told}?")
    done = in_batches(
        session, runs, title="cancel", act=lambda ids: session.app.cancel(ids, reason=reason, actor=actor())
    )
    skipped = len(runs) - len(done)
    line = f"{counted(len(done), 'run')} cancelled or asked to stop" + (
        f", {skipped:,} skipped: over by now" if skipped else ""
    )
    session.out.one("rota.cancel/1", done, [f"{line}; to run again: rota retry"])
