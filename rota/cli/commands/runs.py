"""`rota runs`: runs, newest first."""

from typing import NoReturn

import click
import msgspec

from rota.cli.command import RotaCommand
from rota.cli.output import Column, Form, by_state
from rota.cli.searching import where_option
from rota.cli.session import Session, pass_session
from rota.clock import sleep
from rota.core.counting import counted
from rota.core.duration import rough_duration
from rota.core.model import State
from rota.core.policy import tries
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.runs import RunsAsked, list_runs
from rota.redaction import redacted
from rota.views.runs import RunRow

PATIENCE_MS = 20_000
"""Whoever typed a search waits for it."""


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "with --fail-empty: no run matches"})
@click.option("--job", "jobs", multiple=True, help="Only this job; may be repeated.")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG", help="Only these tenants.")
@click.option(
    "--state", "states", multiple=True, type=click.Choice([str(state) for state in State]), help="Only in this state."
)
@click.option("--queue", "queues", multiple=True, help="Only of this queue.")
@click.option("--since", metavar="TIME", help="Made at or after: 2d (ago), 2026-11-20, 'yesterday 02:00'.")
@click.option("--until", metavar="TIME", help="Made before.")
@where_option("Only what this means: 'error:timeout attempt:>1 -tenant:acme'. May be repeated; see the guide.")
@click.option("--round", "round_id", metavar="ID", help="Only of this round.")
@click.option("--flow", metavar="ID", help="Only the steps or members of this chain or batch.")
@click.option("--cursor", metavar="ID", help="The page after this id: what `page.next` said.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most this many.")
@click.option("--expansions", is_flag=True, help="With the runs that only list tenants.")
@click.option("--fail-empty", is_flag=True, help="End with 3 when there is none.")
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on: a line for each run that is new or changes.")
@pass_session
def runs(
    session: Session,
    *,
    jobs: tuple[str, ...],
    tenants: tuple[str, ...],
    states: tuple[str, ...],
    queues: tuple[str, ...],
    since: str | None,
    until: str | None,
    where: tuple[str, ...],
    round_id: str | None,
    flow: str | None,
    cursor: str | None,
    limit: int,
    expansions: bool,
    fail_empty: bool,
    follows: bool,
) -> None:
    """List runs, newest first.

    With -f they come oldest first, a line each, and again whenever one of the newest changes; with --json, each line is
    a document of its own. Ctrl-C ends it.
    """
    if follows and (cursor is not None or fail_empty):
        raise click.UsageError("--follow begins with the newest and has no end: leave --cursor and --fail-empty out")
    now = session.clock.now()
    asked = RunsAsked(
        job=jobs,
        tenant=tenants,
        state=tuple(State(state) for state in states),
        queue=queues,
        since=session.instant(since, flag="--since", now=now) if since else None,
        until=session.instant(until, flag="--until", now=now) if until else None,
        where=" ".join(where),
        zone=session.zone.key,
        round=round_id,
        flow=flow,
        expansions=expansions,
        cursor=cursor,
        patience_ms=PATIENCE_MS,
        limit=limit,
    )
    if follows:
        _follow(session, asked)
    found = session.ask(list_runs, asked)
    next_page = found.page.next
    foot = f"more: --cursor {next_page}" if next_page else counted(len(found.data), "run")
    session.out.page("rota.runs.list/1", found, columns(session), foot=foot)
    if fail_empty and not found.data:
        click.get_current_context().exit(Exit.NOT_FOUND)


def _follow(session: Session, asked: RunsAsked) -> NoReturn:
    """Write the newest runs and then each change, until nobody reads any more."""
    known: dict[str, tuple[State, int]] = {}
    while True:
        found = session.ask(list_runs, asked)
        for row in reversed(found.data):
            if known.get(row.id) != (row.state, row.attempt):
                _write(session, row)
        # Those that are older cannot come back: what is looked at is a window over the newest.
        known = {row.id: (row.state, row.attempt) for row in found.data}
        sleep(session.poll)


def _write(session: Session, row: RunRow) -> None:
    if session.out.form in (Form.JSON, Form.NDJSON):
        session.out.event(msgspec.to_builtins(row))
        return
    at = session.shown(row.ended_at or row.started_at or row.created_at)
    attempts = tries(row.attempt, row.max_attempts, between="/")
    line = (
        f"{at}  {row.state:<9}  {attempts:>5}  {row.job} {row.tenant or ''}  {row.id}  {row.error or row.reason or ''}"
    )
    session.out.text(safe_text(redacted(line)).rstrip())


def columns(session: Session) -> list[Column]:
    """Return the columns of a list of runs."""
    return [
        Column("RUN", lambda row: row.id),
        Column("STATE", lambda row: row.state, style=by_state),
        Column("JOB", lambda row: row.job),
        Column("TENANT", lambda row: row.tenant),
        Column("SLOT", lambda row: session.shown(row.slot)),
        Column("MADE", lambda row: session.shown(row.created_at)),
        Column("TOOK", _took, right=True),
        Column("TRY", lambda row: tries(row.attempt, row.max_attempts, between="/"), right=True),
        Column("WHY", lambda row: row.error or row.reason),
    ]


def _took(row: RunRow) -> str:
    return "" if row.duration_s is None else rough_duration(row.duration_s)
