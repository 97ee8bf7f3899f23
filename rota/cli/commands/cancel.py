"""`rota cancel`: stop what is not over."""

from collections.abc import Sequence

import click

from rota.cli.command import RotaCommand
from rota.cli.searching import in_batches, said, where_option
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.errors import Refused
from rota.exits import Exit
from rota.operations.run_changes import CANCELLED, CancelAsked, cancel_runs


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such run or round", Exit.REFUSED: "they are over already"})
@click.argument("runs_or_rounds", nargs=-1)
@where_option("What this means, as of now: 'job:sync tenant:acme'.")
@click.option("--reason", default=CANCELLED, show_default=True, help="Kept with the runs.")
@click.option("--dry-run", is_flag=True, help="Only say what would be cancelled.")
@pass_session
def cancel(
    session: Session, *, runs_or_rounds: tuple[str, ...], where: tuple[str, ...], reason: str, dry_run: bool
) -> None:
    """Cancel runs that are not over.

    A round, chain or batch stands for all such runs of it. Running ones are asked to stop.
    """
    if bool(runs_or_rounds) is bool(where):
        raise click.UsageError("name runs or rounds, or say --where, and not both")
    if where:
        _cancel_matching(session, where, reason=reason, dry_run=dry_run)
        return
    found = session.ask(cancel_runs, CancelAsked(runs=runs_or_rounds, dry_run=True, rows=True)).runs
    if not found:
        raise Refused("nothing to cancel: they are over already")
    if dry_run:
        session.out.one(
            "rota.cancel/1", found, [f"{counted(len(found), 'run')} would be cancelled. Nothing was done (--dry-run)."]
        )
        return
    if len(found) > 1:
        session.confirm(f"Cancel {counted(len(found), 'run')}?")
    done = session.ask(cancel_runs, CancelAsked(runs=tuple(run.id for run in found), reason=reason)).done
    session.out.one(
        "rota.cancel/1", done, [f"{counted(len(done), 'run')} cancelled or asked to stop; to run again: rota retry"]
    )


def _cancel_matching(session: Session, where: Sequence[str], *, reason: str, dry_run: bool) -> None:
    asked = CancelAsked(where=" ".join(where), zone=session.zone.key, dry_run=True, rows=dry_run)
    meant = session.ask(cancel_runs, asked)
    session.out.warn_all(meant.warnings)
    told = said(session, meant, where)
    if not meant.meant:
        raise Refused(f"nothing to cancel: {told} that are not over")
    if dry_run:
        session.out.one("rota.cancel/1", meant.runs, [f"{told}. Nothing was done (--dry-run)."])
        return
    session.confirm(f"Cancel {told}?")
    done = in_batches(
        session,
        meant.meant,
        title="cancel",
        act=lambda ids: session.ask(cancel_runs, CancelAsked(runs=ids, reason=reason)),
    )
    skipped = len(meant.meant) - len(done)
    line = f"{counted(len(done), 'run')} cancelled or asked to stop" + (
        f", {skipped:,} skipped: over by now" if skipped else ""
    )
    session.out.one("rota.cancel/1", done, [f"{line}; to run again: rota retry"])
