"""`rota explain`: why something does not run, or a schedule in words."""

import re
from datetime import UTC, datetime, tzinfo

import click

from rota.app import Rota
from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session
from rota.clock import SystemClock
from rota.core import words
from rota.core.model import Round, State
from rota.core.safe import safe_text
from rota.errors import (
    AppNotFound,
    AppNotImportable,
    BadSchedule,
    CampaignNotFound,
    NothingNamed,
    RunNotFound,
    close_names,
)
from rota.exits import Exit
from rota.queries import RunQuery
from rota.redaction import redacted
from rota.views.explain import Explained, explain_timing
from rota.views.flows import flow_runs
from rota.views.runs import find
from rota.views.why import Why, ask_backfill, ask_job, ask_round, ask_run, ask_schedule

ID = re.compile(r"[0-9a-f]{6,32}")
NAME = re.compile(r"[\w.:-]+")


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
    tz = session.flags.zone or None
    asks = tenant is not None or slot is not None
    try:
        # By its name first: a job may be called "daily". What cannot be a name needs no app.
        timing = None if asks or (NAME.fullmatch(what) and _is_known(session, what)) else words.parse(what, tz=tz)
    except BadSchedule as error:
        _explain_named(session, what, tenant, slot, count, error)
        return
    if timing is None:
        _explain_named(session, what, tenant, slot, count, None)
        return
    now = SystemClock().now()
    after = session.instant(around, flag="--around", now=now) if around else now
    explained = explain_timing(
        words.parse(what, tz=str(session.zone)), after=after, count=count, zone=str(session.zone)
    )
    session.out.one("rota.explain.schedule/1", explained, _schedule_lines(session, explained))


def _is_known(session: Session, name: str) -> bool:
    try:
        return name in session.app.jobs
    except AppNotFound:
        return False


def _explain_named(
    session: Session, what: str, tenant: str | None, slot: str | None, count: int, unread: BadSchedule | None
) -> None:
    try:
        app = session.app
    except AppNotImportable:
        raise
    except AppNotFound:
        if unread is None:
            raise
        # Without an app it can only have been meant as a schedule, and that is what is wrong with it.
        raise unread from None
    at = session.instant(slot, flag="--slot", now=app.clock.now()) if slot else None
    # The sentences of a document are in UTC, as all its times are.
    zone = session.zone if session.out.is_for_people else UTC
    why = _why(app, what, tenant, at, count, zone)
    if why is None:
        known = [*app.jobs, *(schedule.name for schedule in app.schedules.list())]
        if NAME.fullmatch(what) or close_names(what, known):
            raise NothingNamed(what, known=known, unread=None if unread is None else f"{unread.field}: {unread.reason}")
        # No name has blanks and stars in it: it was meant as a schedule.
        raise unread or NothingNamed(what, known=known)
    session.out.one("rota.explain.why/1", why, _why_lines(session, why))


def _why(app: Rota, what: str, tenant: str | None, slot: datetime | None, count: int, zone: tzinfo) -> Why | None:
    """Return the answer for what this names; None when it names nothing."""
    if what in app.jobs:
        return ask_job(app, what, tenant=tenant, slot=slot, count=count, zone=zone)
    schedule = app.store.schedule(what)
    if schedule is not None:
        return ask_schedule(app, schedule, tenant=tenant, slot=slot, count=count, zone=zone)
    if tenant is None and slot is None and ID.fullmatch(what):
        return _of_id(app, what, zone)
    # A job that left the code, and has runs or schedules all the same.
    is_left = app.schedules.list(job=what) or app.store.runs(RunQuery(jobs=(what,), limit=1))
    return ask_job(app, what, tenant=tenant, slot=slot, count=count, zone=zone) if is_left else None


def _of_id(app: Rota, text: str, zone: tzinfo) -> Why | None:
    try:
        found = find(app, text)
    except RunNotFound:
        runs = flow_runs(app, text)
        if runs:
            # The first that keeps the others waiting.
            stands = next((run for run in runs if run.state is not State.SUCCEEDED), runs[-1])
            return ask_run(app, stands, zone=zone)
        try:
            return ask_backfill(app, app.campaigns.get(text), zone=zone)
        except CampaignNotFound:
            return None
    return ask_round(app, found, zone=zone) if isinstance(found, Round) else ask_run(app, found.run, zone=zone)


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
