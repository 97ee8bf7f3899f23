"""`rota schedules shadow` and `compare`: a schedule beside the system that still carries it out."""

from collections import Counter

import click

from rota.cli.command import RotaCommand
from rota.cli.output import Column
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.duration import parse_duration
from rota.core.safe import safe_text
from rota.core.shadow import Verdict
from rota.exits import Exit
from rota.operations.operation import Nothing
from rota.operations.shadows import (
    ComparisonAsked,
    ShadowAsked,
    ShadowEnded,
    begin_shadow,
    compare_systems,
    end_shadow,
    list_shadows,
)
from rota.shadows import WITHIN


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such schedule", Exit.REFUSED: "it is in no shadow"})
@click.argument("name", required=False)
@click.option("--end", "ends", is_flag=True, help="Let it work, from its next slot on.")
@click.option("--reason", help="Which system still does the work. Needed to begin; kept in the audit.")
@pass_session
def shadow(session: Session, name: str | None, *, ends: bool, reason: str | None) -> None:
    """Let a schedule fire and start nothing, while another system does the work; without a name, list these.

    Each slot is recorded as skipped. Let the other system say `rota ping NAME` when it runs, and see whether the two
    agree with `rota schedules compare NAME`.
    """
    if name is None:
        _list(session)
    elif ends:
        was = session.ask(end_shadow, ShadowEnded(name=name, reason=reason))
        text = f"schedule {safe_text(name)} works from its next slot on; stop the other system before that"
        session.out.one("rota.schedules.unshadow/1", was, [text])
    elif not reason:
        raise click.UsageError("--reason is needed, such as which system still does the work")
    else:
        made = session.ask(begin_shadow, ShadowAsked(name=name, reason=reason))
        text = (
            f"schedule {safe_text(name)} fires and starts nothing; to let it work: rota schedules shadow {name} --end"
        )
        session.out.one("rota.schedules.shadow/1", made, [safe_text(text)])


def _list(session: Session) -> None:
    found = session.ask(list_shadows, Nothing())
    columns = [
        Column("SCHEDULE", lambda row: row.schedule),
        Column("BY", lambda row: row.author or ""),
        Column("SINCE", lambda row: session.shown(row.since)),
        Column("REASON", lambda row: row.reason),
    ]
    foot = f"{len(found.data)} in the shadow of another system" if found.data else "every schedule works by itself"
    session.out.page("rota.schedules.shadows/1", found, columns, foot=foot)


@click.command(cls=RotaCommand, exits={Exit.FAILED: "the two differ", Exit.NOT_FOUND: "no such schedule"})
@click.argument("name")
@click.option("--since", default="-7d", show_default=True, metavar="TIME", help="From then on.")
@click.option(
    "--within",
    default="15m",
    show_default=True,
    metavar="DURATION",
    help="How far behind a slot the other system may be and still have meant it.",
)
@click.option("--all", "shows_all", is_flag=True, help="List what both did too.")
@pass_session
def compare(session: Session, name: str, *, since: str, within: str, shows_all: bool) -> None:
    """Put what a schedule fired beside what another system said that it ran, and list where they differ.

    The other system says so with `rota ping NAME start`, or `rota ping NAME` when it is done.
    """
    try:
        near = parse_duration(within) if within else WITHIN
    except ValueError as error:
        raise click.UsageError(f"--within: {error}") from error
    asked = ComparisonAsked(
        name=name,
        since=session.instant(since, flag="--since", now=session.clock.now()),
        within_s=near.total_seconds(),
    )
    found = session.ask(compare_systems, asked).data
    columns = [
        Column("SLOT", lambda row: session.shown(row.slot)),
        Column("FIRED", lambda row: session.shown(row.fired_at)),
        Column("THERE", lambda row: session.shown(row.there_at)),
        Column("VERDICT", lambda row: row.verdict),
    ]
    counts = Counter(row.verdict for row in found)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    shown = [row for row in found if shows_all or row.verdict is not Verdict.BOTH]
    foot = f"{counted(len(found), 'time')}: {told}" if found else "neither of the two has done anything"
    session.out.rows("rota.schedules.compare/1", shown, columns, foot=foot)
    if counts.keys() - {Verdict.BOTH}:
        click.get_current_context().exit(Exit.FAILED)
