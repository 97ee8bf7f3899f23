"""`rota failures`: failed runs, counted."""

from collections.abc import Callable

import click

from rota.cli.command import RotaCommand
from rota.cli.output import Column
from rota.cli.searching import where_option
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.duration import parse_duration
from rota.operations.failures import FailuresAsked, count_failures
from rota.views.errors import SHORT
from rota.views.failures import By, FailureRow
from rota.views.search import MOST


@click.command(cls=RotaCommand)
@click.option("--since", default="7d", show_default=True, metavar="LENGTH", help="How far back: 24h, 7d.")
@click.option(
    "--by",
    type=click.Choice([str(by) for by in By]),
    default=str(By.ERROR),
    show_default=True,
    help="What they are put together by.",
)
@where_option("Only runs that this means: 'job:sync tenant:@gold'. May be repeated.")
@pass_session
def failures(session: Session, *, since: str, by: str, where: tuple[str, ...]) -> None:
    """Count the runs that failed for good, by what they have in common.

    The columns say how many failed in the last hour, three hours, and so on. What is still tried again is not among
    them: see `rota errors`.
    """
    try:
        parse_duration(since)
    except ValueError as error:
        raise click.UsageError(f"--since: {error}") from error
    asked = FailuresAsked(by=By(by), span=since, where=" ".join(where), zone=session.zone.key)
    found = session.ask(count_failures, asked)
    if found.is_cut:
        session.out.warn(f"counted the newest {MOST:,} failed runs only")
    foot = counted(sum(row.counts[found.windows[-1]] for row in found.rows), "failed run")
    session.out.rows("rota.failures/1", found.rows, _columns(session, By(by), found.windows), foot=foot)


def _columns(session: Session, by: By, windows: list[str]) -> list[Column]:
    counts = [Column(window.upper(), _count_in(window), right=True) for window in windows]
    tenants = Column("TENANTS", lambda row: row.tenants or "", right=True)
    last = Column("LAST", lambda row: session.shown(row.last_at))
    what = Column("WHAT", lambda row: row.what)
    match by:
        case By.ERROR:
            jobs = Column("JOB", lambda row: ", ".join(row.jobs))
            return [Column("ERROR", lambda row: row.name[:SHORT]), *counts, tenants, last, jobs, what]
        case By.JOB:
            return [Column("JOB", lambda row: row.name), *counts, tenants, last, what]
        case By.TENANT:
            return [Column("TENANT", lambda row: row.name), *counts, last, what]


def _count_in(window: str) -> Callable[[FailureRow], object]:
    # A column of noughts hides what is not nought.
    return lambda row: row.counts[window] or ""
