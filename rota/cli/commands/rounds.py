"""`rota rounds`: rounds, newest first."""

import click

from rota.cli.command import RotaCommand
from rota.cli.output import Column, by_state
from rota.cli.round import counts_text
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.duration import rough_duration
from rota.core.model import RoundState
from rota.exits import Exit
from rota.operations.rounds import RoundsAsked, list_rounds
from rota.views.rounds import RoundRow


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "with --fail-empty: no round matches"})
@click.option("--job", "jobs", multiple=True, help="Only of this job; may be repeated.")
@click.option("--schedule", help="Only of this schedule.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([str(state) for state in RoundState]),
    help="Only in this state.",
)
@click.option("--since", metavar="TIME", help="Made at or after: 2d (ago), 2026-11-20, 'yesterday 02:00'.")
@click.option("--cursor", metavar="ID", help="The page after this id: what `page.next` said.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most this many.")
@click.option("--fail-empty", is_flag=True, help="End with 3 when there is none.")
@pass_session
def rounds(
    session: Session,
    *,
    jobs: tuple[str, ...],
    schedule: str | None,
    states: tuple[str, ...],
    since: str | None,
    cursor: str | None,
    limit: int,
    fail_empty: bool,
) -> None:
    """List rounds, newest first: firings and starts by hand, each with the sum of its runs."""
    begin = session.instant(since, flag="--since", now=session.clock.now()) if since else None
    found = session.ask(
        list_rounds,
        RoundsAsked(
            job=jobs,
            schedule=schedule,
            state=tuple(RoundState(state) for state in states),
            since=begin,
            cursor=cursor,
            limit=limit,
        ),
    )
    next_page = found.page.next
    foot = f"more: --cursor {next_page}" if next_page else counted(len(found.data), "round")
    session.out.page("rota.rounds.list/1", found, _columns(session), foot=foot)
    if fail_empty and not found.data:
        click.get_current_context().exit(Exit.NOT_FOUND)


def _columns(session: Session) -> list[Column]:
    return [
        Column("ROUND", lambda row: row.id),
        Column("STATE", lambda row: row.state, style=by_state),
        Column("JOB", lambda row: row.job),
        Column("SCHEDULE", lambda row: row.schedule if row.schedule != row.job else ""),
        Column("SLOT", lambda row: session.shown(row.slot)),
        Column("MADE", lambda row: session.shown(row.created_at)),
        Column("TOOK", _took, right=True),
        Column("RUNS", counts_text),
        Column("WHY", lambda row: row.reason),
    ]


def _took(row: RoundRow) -> str:
    return "" if row.duration_s is None else rough_duration(row.duration_s)
