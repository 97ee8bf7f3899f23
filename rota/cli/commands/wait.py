"""`rota wait`: until runs are over."""

from datetime import timedelta

import click

from rota.cli.command import RotaCommand
from rota.cli.output import Column, by_state
from rota.cli.session import Session, pass_session
from rota.clock import sleep
from rota.core.duration import duration_text, parse_duration
from rota.core.model import State
from rota.errors import WaitTimedOut
from rota.exits import Exit
from rota.operations.runs import StandingAsked, runs_standing

POLL = timedelta(milliseconds=100)
MOST = 100
"""Runs that are asked about at once."""


@click.command(
    cls=RotaCommand,
    exits={
        Exit.FAILED: "none succeeded",
        Exit.NOT_FOUND: "no such run",
        Exit.UNREACHABLE: "the store is unreachable, or --timeout has passed; the runs go on",
        Exit.PARTIAL: "some succeeded",
    },
)
@click.argument("runs", nargs=-1, required=True)
@click.option("--timeout", metavar="DURATION", help="Give up after this long: 90s, 10m.")
@pass_session
def wait(session: Session, *, runs: tuple[str, ...], timeout: str | None) -> None:
    """Wait until runs are over.

    RUNS are their ids, or those of chains and batches for all of their runs.
    """
    try:
        limit = parse_duration(timeout) if timeout else None
    except ValueError as error:
        raise click.UsageError(f"--timeout: {error}") from error
    started = session.clock.monotonic()
    parts = [runs[start : start + MOST] for start in range(0, len(runs), MOST)]
    while True:
        rows = [row for ids in parts for row in session.ask(runs_standing, StandingAsked(id=ids)).data]
        still = [row for row in rows if not row.state.is_final]
        if not still:
            break
        if limit is not None and session.clock.monotonic() - started >= limit.total_seconds():
            raise WaitTimedOut(f"{len(still)} of {len(rows)} not over after {duration_text(limit)}")
        sleep(session.poll if session.is_far else POLL)
    columns = [
        Column("RUN", lambda row: row.id),
        Column("STATE", lambda row: row.state, style=by_state),
        Column("WHY", lambda row: row.error or row.reason),
    ]
    session.out.rows("rota.wait/1", rows, columns)
    good = sum(1 for row in rows if row.state is State.SUCCEEDED)
    if good < len(rows):
        click.get_current_context().exit(Exit.PARTIAL if good else Exit.FAILED)
