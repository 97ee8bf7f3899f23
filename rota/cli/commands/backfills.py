"""`rota backfills`: look at backfill campaigns, and change them."""

import click
from msgspec import UNSET, UnsetType

from rota.cli.campaign import detail_lines, how, share
from rota.cli.command import RotaCommand, RotaGroup
from rota.cli.commands.backfill import PARALLEL, RATE, STOP_AFTER
from rota.cli.output import Column
from rota.cli.session import Session, pass_session
from rota.core.campaign import Campaign
from rota.core.duration import rough_duration
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.backfill_changes import (
    BackfillLimits,
    BackfillNamed,
    BackfillPauseAsked,
    cancel_backfill,
    pause_backfill,
    resume_backfill,
    set_backfill,
)
from rota.operations.backfills import BackfillAsked, BackfillsAsked, list_backfills, show_backfill
from rota.operations.following import follow_backfill

FOUND = {Exit.NOT_FOUND: "no such backfill"}
CHANGED = FOUND | {Exit.REFUSED: "it is over, or in a state where this means nothing"}
LIMITS = ("parallel", "rate", "stop-after")


@click.group(cls=RotaGroup, default="list")
def backfills() -> None:
    """List, show and change backfills."""


@backfills.command(name="list", cls=RotaCommand)
@click.option("--active", is_flag=True, help="Only those that are not over.")
@pass_session
def list_(session: Session, *, active: bool) -> None:
    """List backfills, newest first."""
    found = session.ask(list_backfills, BackfillsAsked(active=active))
    columns = [
        Column("ID", lambda row: row.campaign.id),
        Column("STATE", lambda row: row.campaign.state),
        Column("JOB", lambda row: row.campaign.job),
        Column("SINCE", lambda row: session.shown(row.campaign.since)),
        Column("UNTIL", lambda row: session.shown(row.campaign.until)),
        Column("DONE", share, right=True),
        Column("FAILED", lambda row: row.failed, right=True),
        Column("LEFT", lambda row: "" if row.eta_s is None else rough_duration(row.eta_s), right=True),
        Column("BY", lambda row: row.campaign.actor or ""),
        Column("WHY", lambda row: row.campaign.why or row.campaign.reason or ""),
    ]
    session.out.page("rota.backfills/1", found, columns, foot="" if found.data else "there are no backfills")


@backfills.command(cls=RotaCommand, exits=FOUND)
@click.argument("backfill", metavar="ID")
@pass_session
def show(session: Session, backfill: str) -> None:
    """Show a backfill: how far it has come, how fast, and what failed."""
    detail = session.ask(show_backfill, BackfillAsked(id=backfill))
    session.out.one("rota.backfills.show/1", detail, detail_lines(session, detail))


@backfills.command(cls=RotaCommand, exits=CHANGED)
@click.argument("backfill", metavar="ID")
@click.option("--reason", required=True, help="For those who will wonder.")
@pass_session
def pause(session: Session, backfill: str, *, reason: str) -> None:
    """Let no more of its runs go on; what is out ends."""
    _say(session, session.ask(pause_backfill, BackfillPauseAsked(id=backfill, reason=reason)))


@backfills.command(cls=RotaCommand, exits=CHANGED)
@click.argument("backfill", metavar="ID")
@click.option("--reason", help="Kept in the audit.")
@pass_session
def resume(session: Session, backfill: str, *, reason: str | None) -> None:
    """Let a paused or stopped backfill go on; the failures until now do not stop it again."""
    _say(session, session.ask(resume_backfill, BackfillNamed(id=backfill, reason=reason)))


@backfills.command(cls=RotaCommand, exits=CHANGED)
@click.argument("backfill", metavar="ID")
@click.option("--reason", help="Kept with it and in the audit.")
@pass_session
def cancel(session: Session, backfill: str, *, reason: str | None) -> None:
    """Give a backfill up: its open runs are cancelled, and those that run are asked to stop."""
    known = session.ask(follow_backfill, BackfillAsked(id=backfill)).row.campaign
    session.confirm(f"Cancel the backfill {known.id} of {known.job}?")
    _say(session, session.ask(cancel_backfill, BackfillNamed(id=known.id, reason=reason)))


@backfills.command(name="set", cls=RotaCommand, exits=CHANGED)
@click.argument("backfill", metavar="ID")
@PARALLEL
@RATE
@STOP_AFTER
@click.option("--no", "without", multiple=True, type=click.Choice(LIMITS), help="Take this limit away.")
@click.option("--reason", help="Kept in the audit.")
@pass_session
def set_(
    session: Session,
    backfill: str,
    *,
    parallel: int | None,
    rate: float | None,
    stop_after: int | None,
    without: tuple[str, ...],
    reason: str | None,
) -> None:
    """Change the limits of a backfill while it runs. What is out is not stopped for it."""

    def limit(given: int | None, name: str) -> int | UnsetType | None:
        return None if name in without else UNSET if given is None else given

    pace: float | UnsetType | None = None if "rate" in without else UNSET if rate is None else rate
    asked = BackfillLimits(
        id=backfill,
        parallel=limit(parallel, "parallel"),
        rate=pace,
        stop_after=limit(stop_after, "stop-after"),
        reason=reason,
    )
    _say(session, session.ask(set_backfill, asked))


def _say(session: Session, campaign: Campaign) -> None:
    why = f" ({campaign.why})" if campaign.why else ""
    line = safe_text(f"backfill {campaign.id} of {campaign.job} is {campaign.state}{why}: {how(campaign)}")
    session.out.one("rota.backfills.change/1", campaign, [line])
