"""`rota slots`: which slots ran, failed or are missing."""

from collections import Counter

import click

from rota.cli.command import RotaCommand
from rota.cli.output import Column, Form, by_state
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.exits import Exit
from rota.operations.slots import WRONG, SlotsAsked, list_slots
from rota.views.slots import SlotRow

MARKS = {"succeeded": "●", "failed": "■", "missing": "◇", "running": "○", "skipped": "·", "cancelled": "×"}

DATE = len("2026-11-20")
WIDEST = 96
"""Marks that a line has at most: a day of a schedule that is due each 15 minutes."""


@click.command(
    cls=RotaCommand,
    exits={
        Exit.FAILED: "with --missed: there are missing or failed slots",
        Exit.NOT_FOUND: "no such job, schedule or tenant",
    },
)
@click.argument("job", metavar="JOB|SCHEDULE")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG", help="Only these tenants.")
@click.option("--since", metavar="TIME", default="7d", show_default=True, help="From here on: 7d (ago), 2026-11-20.")
@click.option("--until", metavar="TIME", default="now", show_default=True, help="Up to here, not included.")
@click.option("--missed", is_flag=True, help="List only slots that are missing or failed for somebody.")
@pass_session
def slots(session: Session, job: str, *, tenants: tuple[str, ...], since: str, until: str, missed: bool) -> None:
    """Show which slots ran, failed or are missing."""
    now = session.clock.now()
    first = session.instant(since, flag="--since", now=now)
    last = session.instant(until, flag="--until", now=now)
    if first >= last:
        raise click.UsageError(f"--since {since} is not before --until {until}: there is no slot between them")
    found = session.ask(list_slots, SlotsAsked(name=job, tenant=tenants, since=first, until=last, missed=missed))
    rows = found.data
    wrong = [row for row in rows if row.state in WRONG]
    if session.out.form is Form.TABLE and not missed:
        for line in _strips(session, rows):
            session.out.text(line)
        session.out.say(f"{counted(len(rows), 'slot')}, {len(wrong)} missing or failed for somebody")
    else:
        session.out.page("rota.slots.list/1", found, _columns(session))
    if missed and wrong:
        click.get_current_context().exit(Exit.FAILED)


def _strips(session: Session, rows: list[SlotRow]) -> list[str]:
    """Return one line per day and schedule, a mark for each slot; one per hour for a schedule with very many."""

    def day(row: SlotRow) -> tuple[str, str]:
        return f"{row.slot.astimezone(session.zone):%Y-%m-%d}", row.schedule

    busy = {schedule for (_, schedule), count in Counter(day(row) for row in rows).items() if count > WIDEST}

    def line(row: SlotRow) -> tuple[str, str]:
        if row.schedule not in busy:
            return day(row)
        # With the offset: the hour that the clocks repeat is two hours.
        return f"{row.slot.astimezone(session.zone):%Y-%m-%d %H:00 %z}", row.schedule

    # The rows of several schedules come mixed, by slot: in each line they keep that order.
    lines: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        lines.setdefault(line(row), []).append(MARKS.get(row.state, "○"))
    # By day, then by schedule; the hours of a day by its clock, the repeated one in the order in which it passed.
    ordered = sorted(lines.items(), key=lambda item: (item[0][0][:DATE], item[0][1]))
    return [f"{when}  {schedule}  {''.join(marks)}" for (when, schedule), marks in ordered]


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
