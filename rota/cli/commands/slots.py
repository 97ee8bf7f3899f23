"""`rota slots`: which slots ran, failed or are missing."""

from datetime import date
from itertools import groupby

import click

from rota.cli.command import RotaCommand
from rota.cli.exits import Exit
from rota.cli.output import Column, Form, by_state
from rota.cli.selection import chosen
from rota.cli.session import Session, pass_session
from rota.views.slots import SlotRow, slot_grid

MARKS = {"succeeded": "●", "failed": "■", "missing": "◇", "running": "○", "skipped": "·", "cancelled": "×"}


@click.command(
    cls=RotaCommand,
    exits={Exit.FAILED: "with --missed: there are missing or failed slots", Exit.NOT_FOUND: "no such job or tenant"},
)
@click.argument("job")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG", help="Only these tenants.")
@click.option("--since", metavar="TIME", default="7d", show_default=True, help="From here on: 7d (ago), 2026-11-20.")
@click.option("--until", metavar="TIME", default="now", show_default=True, help="Up to here, not included.")
@click.option("--missed", is_flag=True, help="List only slots that are missing or failed for somebody.")
@pass_session
def slots(session: Session, job: str, *, tenants: tuple[str, ...], since: str, until: str, missed: bool) -> None:
    """Show which slots ran, failed or are missing."""
    app, now = session.app, session.app.clock.now()
    first = session.instant(since, flag="--since", now=now)
    last = session.instant(until, flag="--until", now=now)
    if first >= last:
        raise click.UsageError(f"--since {since} is not before --until {until}: there is no slot between them")
    rows = slot_grid(app, job, since=first, until=last, tenants=chosen(app, tenants))
    wrong = [row for row in rows if row.state in ("missing", "failed")]
    if session.out.form is Form.TABLE and not missed:
        for line in _strips(session, rows):
            session.out.text(line)
        session.out.say(f"{len(rows)} slots, {len(wrong)} missing or failed for somebody")
    else:
        session.out.rows("rota.slots.list/1", wrong if missed else rows, _columns(session))
    if missed and wrong:
        click.get_current_context().exit(Exit.FAILED)


def _strips(session: Session, rows: list[SlotRow]) -> list[str]:
    """Return one line per day and schedule: a mark for each slot."""

    def line(row: SlotRow) -> tuple[date, str]:
        return row.slot.astimezone(session.zone).date(), row.schedule

    # The rows of several schedules come mixed, by slot; sorting by line keeps the order of slots within each.
    days = groupby(sorted(rows, key=line), key=line)
    return [
        f"{day}  {schedule}  {''.join(MARKS.get(row.state, '○') for row in group)}" for (day, schedule), group in days
    ]


def _columns(session: Session) -> list[Column]:
    return [
        Column("SLOT", lambda row: session.shown(row.slot)),
        Column("STATE", lambda row: row.state, style=by_state),
        Column("TENANTS", _counts),
        Column("MISSING", lambda row: _named(row.missing)),
        Column("FAILED", lambda row: _named(row.failed)),
    ]


def _counts(row: SlotRow) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(row.counts.items()))


def _named(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
