"""`rota next`: what fires next."""

import click

from rota.cli.command import RotaCommand
from rota.cli.output import Column
from rota.cli.session import Session, pass_session
from rota.core.duration import rough_duration
from rota.exits import Exit
from rota.operations.upcoming import FiresAsked, list_fires
from rota.views.upcoming import Fire


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such job"})
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True, max=24 * 366),
    default=24.0,
    show_default=True,
    help="How far ahead.",
)
@click.option("--job", "jobs", multiple=True, help="Only this job; may be repeated.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="At most this many.")
@pass_session
def next(session: Session, hours: float, jobs: tuple[str, ...], limit: int) -> None:  # noqa: A001  the command's name
    """List what fires next."""
    fires = session.ask(list_fires, FiresAsked(hours=hours, job=jobs, limit=limit))
    columns = [
        Column("AT", lambda row: session.shown(row.slot)),
        Column("IN", _wait, right=True),
        Column("JOB", lambda row: row.job),
        Column("SCHEDULE", lambda row: row.text),
        Column("NOTE", lambda row: row.note),
    ]
    session.out.page("rota.next/1", fires, columns)


def _wait(row: Fire) -> str:
    return rough_duration(row.in_s) if row.in_s >= 0 else f"overdue {rough_duration(-row.in_s)}"
