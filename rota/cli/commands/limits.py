"""`rota limits`: how many runs run at once, and how many begin in a while."""

from shlex import quote

import click

from rota.cli.command import RotaCommand, RotaGroup
from rota.cli.output import Column
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.limits import LimitScope
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.limit_changes import LimitAsked, LimitDropAsked, drop_limit, set_limit
from rota.operations.limits import list_limits
from rota.operations.operation import Nothing

SCOPE = click.Choice([str(scope) for scope in LimitScope])


@click.group(cls=RotaGroup, default="list")
def limits() -> None:
    """List limits with their use, or set them for all processes."""


@limits.command(name="list", cls=RotaCommand)
@pass_session
def list_(session: Session) -> None:
    """List the limits, what runs and has begun under each, and how many runs wait for it."""
    found = session.ask(list_limits, Nothing())
    columns = [
        Column("ON", lambda row: row.scope),
        Column("NAME", lambda row: row.name),
        Column("LIMIT", lambda row: row.limit),
        Column("USED", lambda row: row.used),
        Column("WAITING", lambda row: str(row.waiting), right=True),
        Column("SET BY", lambda row: row.author if row.author is not None else ""),
        Column("REASON", lambda row: row.reason or ""),
    ]
    waiting = sum(row.waiting for row in found.data)
    foot = f"held back: {counted(waiting, 'run')}" if waiting else "" if found.data else "nothing is limited"
    session.out.page("rota.limits.list/1", found, columns, foot=foot)


@limits.command(name="set", cls=RotaCommand, exits={Exit.NOT_FOUND: "no such job, queue or tenant"})
@click.argument("scope", type=SCOPE)
@click.argument("name")
@click.option("--running", type=int, metavar="N", help="How many run at once.")
@click.option("--rate", metavar="N/TIME", help="How many begin in any such time: 100/1m.")
@click.option("--lift", is_flag=True, help="No limit, whatever the code or the settings say.")
@click.option("--reason", required=True, help="For those who will wonder.")
@pass_session
def set_(
    session: Session, *, scope: str, name: str, running: int | None, rate: str | None, lift: bool, reason: str
) -> None:
    """Set a limit in place of what the code says, within seconds and for all processes. `*` is each one apart."""
    if lift == (running is not None or rate is not None):
        raise click.UsageError("say --running, --rate or both; or --lift")
    asked = LimitAsked(scope=LimitScope(scope), name=name, running=running, rate=rate, lift=lift, reason=reason)
    limit = session.ask(set_limit, asked)
    back = f"to take that back: rota limits drop {scope} {quote(name)}"
    session.out.one("rota.limits.set/1", limit, [safe_text(f"limit {scope} {name}: {limit.said}; {back}")])


@limits.command(cls=RotaCommand, exits={Exit.REFUSED: "nobody set it"})
@click.argument("scope", type=SCOPE)
@click.argument("name")
@click.option("--reason", help="Kept in the audit.")
@pass_session
def drop(session: Session, *, scope: str, name: str, reason: str | None) -> None:
    """Take away what was set: what the code or the settings say holds again."""
    dropped = session.ask(drop_limit, LimitDropAsked(scope=LimitScope(scope), name=name, reason=reason))
    session.out.one("rota.limits.drop/1", dropped, [safe_text(f"limit {scope} {name}: {dropped.limit}")])
