"""`rota explain`: a schedule in words, or why a job, run or round is as it is."""

import re

import click

from rota.cli.command import RotaCommand
from rota.cli.exits import Exit
from rota.cli.session import Session, pass_session
from rota.clock import SystemClock
from rota.core import words
from rota.core.model import Round
from rota.core.safe import safe_text
from rota.errors import AppNotFound, AppNotImportable, BadSchedule, JobNotFound, close_names
from rota.views.explain import Explained, explain_job, explain_round, explain_run, explain_timing
from rota.views.runs import find


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such job, run or round"})
@click.argument("what")
@click.option("-n", "--count", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many slots.")
@click.option("--around", metavar="TIME", help="Show the slots around this time, to see a change of the clocks.")
@pass_session
def explain(session: Session, what: str, count: int, around: str | None) -> None:
    """Say in words when a schedule or a job is due, and why a run waits.

    WHAT is a job, a run, a round, or a schedule in words or as a cron expression. A schedule needs no app and no store.
    """
    try:
        timing = words.parse(what, tz=session.flags.zone or None)
    except BadSchedule as error:
        _explain_named(session, what, count, error)
        return
    now = SystemClock().now()
    after = session.instant(around, flag="--around", now=now) if around else now
    timing = words.parse(what, tz=str(session.zone))
    explained = explain_timing(timing, after=after, count=count)
    session.out.one("rota.explain.schedule/1", explained, _schedule_lines(session, explained))


def _explain_named(session: Session, what: str, count: int, unread: BadSchedule) -> None:
    try:
        app = session.app
    except AppNotImportable:
        raise
    except AppNotFound:
        # Without an app it can only have been meant as a schedule, and that is what is wrong with it.
        raise unread from None
    if what in app.jobs:
        explained = explain_job(app, what, count=count)
        lines = [safe_text(reason) for reason in explained.reasons]
        for schedule in explained.schedules:
            lines.extend(_schedule_lines(session, schedule))
        session.out.one("rota.explain.job/1", explained, lines)
        return
    if re.fullmatch(r"[0-9a-f]{6,32}", what):
        found = find(app, what)
        reasons = explain_round(app, found) if isinstance(found, Round) else explain_run(app, found.run)
        session.out.one("rota.explain.run/1", reasons, [safe_text(reason) for reason in reasons])
        return
    if close_names(what, app.jobs):
        raise JobNotFound(what, known=app.jobs)
    raise unread


def _schedule_lines(session: Session, explained: Explained) -> list[str]:
    cron = f"      cron: {explained.cron}" if explained.cron else ""
    lines = [safe_text(explained.text) + cron]
    for item in explained.slots:
        local = item.slot.astimezone(session.zone)
        note = f"   {item.note}" if item.note else ""
        lines.append(f"  {local:%a %d %b %Y %H:%M:%S %Z}   {item.slot:%Y-%m-%d %H:%M} UTC{note}")
    return lines if explained.slots else [*lines, "  no more slots"]
