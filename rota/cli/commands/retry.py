"""`rota retry`: ended runs again."""

import click

from rota.cli.arguments import actor
from rota.cli.command import RotaCommand
from rota.cli.exits import Exit
from rota.cli.follow import follow
from rota.cli.selection import chosen, excluded
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.model import FINAL, State
from rota.errors import Refused
from rota.views.selection import retriable

UNASKED = 100
"""So many runs are opened again without asking."""


@click.command(
    cls=RotaCommand,
    exits={
        Exit.FAILED: "with --follow: all failed again",
        Exit.NOT_FOUND: "no such run or round",
        Exit.REFUSED: "nothing there has ended and can run again",
        Exit.PARTIAL: "with --follow: some failed again",
    },
)
@click.argument("runs_or_rounds", nargs=-1, required=True)
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG", help="Only these tenants of a round.")
@click.option("--exclude", "exclude", multiple=True, metavar="A,B|@TAG", help="Not these tenants of a round.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(sorted(str(state) for state in FINAL)),
    help="Only those that ended so. Default: of a round, failed and cancelled.",
)
@click.option("--canary", metavar="ID", help="This tenant first; the others only if it succeeds.")
@click.option("--reason", default="retried by an operator", show_default=True, help="Kept with the runs.")
@click.option("--dry-run", is_flag=True, help="Only say what would run again.")
@click.option("--follow", "is_followed", is_flag=True, help="Wait for it, with a bar.")
@pass_session
def retry(
    session: Session,
    *,
    runs_or_rounds: tuple[str, ...],
    tenants: tuple[str, ...],
    exclude: tuple[str, ...],
    states: tuple[str, ...],
    canary: str | None,
    reason: str,
    dry_run: bool,
    is_followed: bool,
) -> None:
    """Run ended runs again, or the failed tenants of a round.

    What is meant is decided now: a run that fails later is not among them.
    """
    app = session.app
    found = retriable(
        app,
        runs_or_rounds,
        tenants=chosen(app, tenants),
        exclude=excluded(app, exclude),
        states=[State(state) for state in states],
    )
    if not found:
        raise Refused(f"nothing to retry: none of these has {' or '.join(states) or 'failed or was cancelled'}")
    if dry_run:
        session.out.one(
            "rota.retry/1", found, [f"{counted(len(found), 'run')} would run again. Nothing was started (--dry-run)."]
        )
        return
    if len(found) > UNASKED:
        session.confirm(f"Run {counted(len(found), 'run')} again?")
    again = app.retry([run.id for run in found], canary=canary, reason=reason, actor=actor())
    rounds = list(dict.fromkeys(run.round_id for run in found if run.round_id))
    if is_followed and rounds:
        follow(session, app, rounds, job=found[0].job, schema="rota.retry.follow/1")
    session.out.one("rota.retry/1", again, [f"{counted(len(again), 'run')} queued again; to take back: rota cancel"])
