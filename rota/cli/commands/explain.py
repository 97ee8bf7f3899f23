"""`rota explain`: why something does not run, or a schedule in words."""

from contextlib import suppress
from datetime import datetime

import click

from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session
from rota.clock import SystemClock
from rota.core.safe import safe_text
from rota.errors import AppNotFound, AppNotImportable, BadSchedule
from rota.exits import Exit
from rota.operations.explaining import NAME, Explanation, WhyAsked, schedule_in_words
from rota.operations.explaining import explain as ask_why
from rota.redaction import redacted
from rota.views.explain import Explained
from rota.views.why import Why


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such job, schedule, run, round or backfill"})
@click.argument("what")
@click.option("--tenant", metavar="ID", help="For this tenant.")
@click.option("--slot", metavar="TIME", help="This slot: 2026-11-20T02:00+01:00, 02:00, 'yesterday 02:00'.")
@click.option("-n", "--count", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many slots.")
@click.option("--around", metavar="TIME", help="Show the slots around this time, to see a change of the clocks.")
@pass_session
def explain(
    session: Session, what: str, *, tenant: str | None, slot: str | None, count: int, around: str | None
) -> None:
    """Say why a job, a run or a slot does not run; or a schedule in words.

    WHAT is a job, a schedule, a run, a round or a backfill, by its name or id. Any other text is read as a schedule,
    in words or as a cron expression; that needs no app and no store.
    """
    now = SystemClock().now()
    asked = WhyAsked(
        what=what,
        tenant=tenant,
        slot=session.instant(slot, flag="--slot", now=session.clock.now()) if slot else None,
        count=count,
        after=session.instant(around, flag="--around", now=now) if around else now,
        zone=str(session.zone),
        # The sentences of a document are in UTC, as all its times are.
        said_in=str(session.zone) if session.out.is_for_people else "UTC",
    )
    found = _explained(session, asked, now)
    if found.schedule is not None:
        session.out.one("rota.explain.schedule/1", found.schedule, _schedule_lines(session, found.schedule))
    if found.why is not None:
        session.out.one("rota.explain.why/1", found.why, _why_lines(session, found.why))


def _explained(session: Session, asked: WhyAsked, now: datetime) -> Explanation:
    if not asked.is_of_something and not NAME.fullmatch(asked.what):
        # What cannot be a name needs no application.
        with suppress(BadSchedule):
            return Explanation(schedule=schedule_in_words(asked, now=now))
    try:
        return session.ask(ask_why, asked)
    except AppNotFound as missing:
        if asked.is_of_something:
            raise
        try:
            return Explanation(schedule=schedule_in_words(asked, now=now))
        except BadSchedule:
            # Without an app it can only have been meant as a schedule, and that is what is wrong with it.
            if isinstance(missing, AppNotImportable):
                raise missing from None
            raise


def _why_lines(session: Session, why: Why) -> list[str]:
    lines = [f"{why.subject}: {why.state}"]
    for reason in why.reasons:
        lines.append(f"  {reason.text}")
        if reason.fix is not None:
            lines.append(f"    -> {reason.fix}")
    lines = [safe_text(redacted(line)) for line in lines]
    for schedule in why.schedules:
        lines.extend(_schedule_lines(session, schedule))
    return lines


def _schedule_lines(session: Session, explained: Explained) -> list[str]:
    cron = f"      cron: {explained.cron}" if explained.cron else ""
    lines = [safe_text(explained.text) + cron]
    for item in explained.slots:
        if item.change:
            lines.append(f"  -- {item.change} --")
        local = item.slot.astimezone(session.zone)
        note = f"   {item.note}" if item.note else ""
        lines.append(f"  {local:%a %d %b %Y %H:%M:%S %Z}   {item.slot:%Y-%m-%d %H:%M} UTC{note}")
    return lines if explained.slots else [*lines, "  no more slots"]
