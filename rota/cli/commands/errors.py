"""`rota errors`: what fails, by what failures have in common."""

import click

from rota.cli.command import RotaCommand, RotaGroup
from rota.cli.output import Column
from rota.cli.round import facts
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.errors import ErrorAsked, ErrorsAsked, list_errors, show_error
from rota.redaction import redacted
from rota.views.errors import SHORT, ErrorDetail, ErrorRow, read_page_key


@click.group(cls=RotaGroup, default="list")
def errors() -> None:
    """List the errors that runs met, each once, with how often and whom it met."""


@errors.command(name="list", cls=RotaCommand, exits={Exit.NOT_FOUND: "no tenant has that tag"})
@click.option("--job", "jobs", multiple=True, help="Only of this job; may be repeated.")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG", help="Only what met one of these tenants.")
@click.option("--since", metavar="TIME", help="Last met at or after: 2d (ago), 2026-11-20, 'yesterday 02:00'.")
@click.option("--until", metavar="TIME", help="Last met before.")
@click.option("--cursor", metavar="KEY", help="The page after this one: what `page.next` said.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most this many.")
@pass_session
def list_(
    session: Session,
    *,
    jobs: tuple[str, ...],
    tenants: tuple[str, ...],
    since: str | None,
    until: str | None,
    cursor: str | None,
    limit: int,
) -> None:
    """List errors, last met first.

    An error is a class of exceptions, a message without its values, and the place in the application. Attempts that
    were tried again count as well.
    """
    if cursor:
        _check(cursor)
    now = session.clock.now()
    found = session.ask(
        list_errors,
        ErrorsAsked(
            job=jobs,
            tenant=tenants,
            since=session.instant(since, flag="--since", now=now) if since else None,
            until=session.instant(until, flag="--until", now=now) if until else None,
            cursor=cursor or None,
            limit=limit,
        ),
    )
    next_page = found.page.next
    foot = f"more: --cursor '{safe_text(next_page)}'" if next_page else counted(len(found.data), "error")
    session.out.page("rota.errors.list/1", found, _columns(session), foot=foot)


@errors.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such error"})
@click.argument("fingerprint")
@pass_session
def show(session: Session, fingerprint: str) -> None:
    """Show one error: whom it met, its newest runs, and the last traceback.

    The beginning of a fingerprint will do, if only one has it.
    """
    details = session.ask(show_error, ErrorAsked(fingerprint=fingerprint)).data
    session.out.one("rota.errors.show/1", details, [line for detail in details for line in _lines(session, detail)])


def _check(cursor: str) -> None:
    try:
        read_page_key(cursor)
    except ValueError as error:
        raise click.UsageError("--cursor: this is not what `page.next` said") from error


def _columns(session: Session) -> list[Column]:
    return [
        Column("ERROR", lambda row: row.fingerprint[:SHORT]),
        Column("JOB", lambda row: row.job),
        Column("COUNT", lambda row: f"{row.count:,}", right=True),
        Column("TENANTS", lambda row: f"{row.tenants:,}" if row.tenants else "", right=True),
        Column("FIRST", lambda row: session.shown(row.first_at)),
        Column("LAST", lambda row: session.shown(row.last_at)),
        Column("PLACE", lambda row: row.place),
        Column("WHAT", first_line),
    ]


def first_line(row: ErrorRow) -> str:
    """Return an error as one line: class and first line of the message."""
    lines = row.message.strip().splitlines()
    return f"{row.type}: {lines[0]}" if lines else row.type


def _lines(session: Session, detail: ErrorDetail) -> list[str]:
    row = detail.error
    lines = facts(
        {
            "error": row.fingerprint,
            "job": row.job,
            "what": first_line(row),
            "place": row.place,
            "met": f"{counted(row.count, 'time')}, {session.shown(row.first_at)} to {session.shown(row.last_at)}",
            "tenants": _tenants(row),
            "last run": row.last_run_id,
        }
    )
    for run in detail.runs:
        lines.append(safe_text(f"ended     {run.id}  {run.tenant or ''}  {session.shown(run.ended_at)}".rstrip()))
    return [*lines, *(f"    {line}" for line in safe_text(redacted(detail.traceback), lines=True).splitlines())]


def _tenants(row: ErrorRow) -> str:
    named = ", ".join(f"{tenant} ({number:,})" for tenant, number in row.top.items())
    more = row.tenants - len(row.top)
    return f"{named} and {more:,} more" if more > 0 else named
