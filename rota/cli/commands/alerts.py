"""`rota alerts`: what is wrong, who is at it, and who is told."""

import click

from rota.cli.command import RotaCommand, RotaGroup
from rota.cli.output import Column, by_state
from rota.cli.round import facts
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.incident_changes import (
    ChannelAsked,
    IncidentSaid,
    MuteAsked,
    NoteAsked,
    ack_incident,
    mute_incident,
    note_incident,
    try_channel,
    unmute_incident,
)
from rota.operations.incidents import (
    DeliveriesAsked,
    IncidentAsked,
    IncidentsAsked,
    list_channels,
    list_deliveries,
    list_incidents,
    show_incident,
)
from rota.operations.operation import Nothing
from rota.views.incidents import IncidentDetail, IncidentRow

NOT_FOUND = {Exit.NOT_FOUND: "no such incident"}
SHOWN = 8
"""Digits of an id that a list shows: the last ones, in which incidents differ."""

MOST_MEMBERS = 50


@click.group(cls=RotaGroup, default="list")
def alerts() -> None:
    """List incidents, acknowledge and mute them, and try the channels that tell of them."""


@alerts.command(name="list", cls=RotaCommand)
@click.option("--all", "closed", is_flag=True, help="Also incidents that are over.")
@click.option("--job", "jobs", multiple=True, metavar="NAME", help="Only of this job. May be repeated.")
@click.option("--cursor", metavar="ID", help="The page after this id: what `page.next` said.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most.")
@pass_session
def list_(session: Session, *, closed: bool, jobs: tuple[str, ...], cursor: str | None, limit: int) -> None:
    """List what is wrong now, newest first.

    An incident is one thing that is wrong, with all the tenants that it meets. It is over when each of them has
    succeeded since, or is as it should be.
    """
    found = session.ask(list_incidents, IncidentsAsked(closed=closed, job=jobs, cursor=cursor, limit=limit))
    columns = [
        Column("STATE", lambda row: row.state, style=by_state),
        Column("ID", lambda row: row.id[-SHOWN:]),
        Column("KIND", lambda row: row.kind),
        Column("SINCE", lambda row: session.shown(row.opened_at)),
        Column("LAST", lambda row: session.shown(row.last_at)),
        Column("TIMES", lambda row: f"{row.number:,}", right=True),
        Column("SEEN BY", lambda row: row.seen_by),
        Column("WHAT", lambda row: f"{row.title}: {row.error}" if row.error else row.title),
    ]
    next_page = found.page.next
    foot = counted(len(found.data), "incident") if found.data or cursor else "nothing is wrong"
    foot = f"more: --cursor {next_page}" if next_page else foot
    session.out.page("rota.alerts.list/1", found, columns, foot=foot)


@alerts.command(cls=RotaCommand, exits=NOT_FOUND)
@click.argument("incident")
@pass_session
def show(session: Session, incident: str) -> None:
    """Show one incident: whom it meets, what was told of it, and what people wrote down."""
    detail = session.ask(show_incident, IncidentAsked(id=incident))
    session.out.one("rota.alerts.show/1", detail, _lines(session, detail))


@alerts.command(cls=RotaCommand, exits=NOT_FOUND | {Exit.REFUSED: "it is over"})
@click.argument("incident")
@click.option("--note", default="", help="What the others should know.")
@pass_session
def ack(session: Session, incident: str, note: str) -> None:
    """Say that you are at it: it is not repeated any more, and its end is told."""
    acked = session.ask(ack_incident, IncidentSaid(id=incident, note=note))
    _said(session, acked.incident, f"acknowledged by {acked.by}")


@alerts.command(cls=RotaCommand, exits=NOT_FOUND | {Exit.REFUSED: "it is over, and no time is named"})
@click.argument("incident")
@click.option("--until", metavar="TIME", help="When it is told of again: 18:00, +8h. Default: when it is over.")
@click.option("--for", "length", metavar="LENGTH", help="The same, from now on: 8h.")
@click.option("--note", default="", help="Why.")
@pass_session
def mute(session: Session, *, incident: str, until: str | None, length: str | None, note: str) -> None:
    """Tell nobody of it, until a time or until it is over. It stays in every list."""
    if until is not None and length is not None:
        raise click.UsageError("--until and --for say the same: name one of them")
    now = session.clock.now()
    ends = None if until is None else session.instant(until, flag="--until", now=now)
    if length is not None:
        ends = session.instant(f"+{length.lstrip('+')}", flag="--for", now=now)
    row = session.ask(mute_incident, MuteAsked(id=incident, until=ends, note=note))
    _said(session, row, f"muted until {session.shown(ends) if ends is not None else 'it is over'}")


@alerts.command(cls=RotaCommand, exits=NOT_FOUND | {Exit.REFUSED: "it is not muted"})
@click.argument("incident")
@click.option("--note", default="", help="Why.")
@pass_session
def unmute(session: Session, incident: str, note: str) -> None:
    """Tell of it again."""
    _said(session, session.ask(unmute_incident, IncidentSaid(id=incident, note=note)), "not muted any more")


@alerts.command(cls=RotaCommand, exits=NOT_FOUND)
@click.argument("incident")
@click.argument("text")
@pass_session
def note(session: Session, incident: str, text: str) -> None:
    """Write something down about it: it goes along with the next message."""
    _said(session, session.ask(note_incident, NoteAsked(id=incident, text=text)), "noted")


@alerts.command(cls=RotaCommand, exits=NOT_FOUND)
@click.option("--incident", metavar="ID", help="Only of this incident.")
@click.option("--channel", metavar="NAME", help="Only to this channel.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most.")
@pass_session
def deliveries(session: Session, *, incident: str | None, channel: str | None, limit: int) -> None:
    """List what channels were told, or are to be, newest first, with what became of it."""
    found = session.ask(list_deliveries, DeliveriesAsked(incident=incident, channel=channel, limit=limit))
    columns = [
        Column("STATE", lambda row: row.state, style=by_state),
        Column("CHANNEL", lambda row: row.channel),
        Column("STAGE", lambda row: row.stage),
        Column("INCIDENT", lambda row: row.incident[-SHOWN:]),
        Column("DECIDED", lambda row: session.shown(row.created_at)),
        Column("TRIES", lambda row: row.attempts, right=True),
        Column("NEXT", lambda row: session.shown(row.due_at)),
        Column("SENT", lambda row: session.shown(row.ended_at) if row.state == "sent" else ""),
        Column("WHAT", lambda row: f"{row.title}: {row.error}" if row.error else row.title),
    ]
    session.out.page("rota.alerts.deliveries/1", found, columns, foot=f"{len(found.data):,} shown")


@alerts.command(cls=RotaCommand, exits={Exit.FAILED: "a channel does not accept what it is told"})
@pass_session
def channels(session: Session) -> None:
    """List the channels, and whether they accept what they are told."""
    found = session.ask(list_channels, Nothing())
    columns = [
        Column("STATE", lambda row: row.state, style=by_state),
        Column("CHANNEL", lambda row: row.name),
        Column("KIND", lambda row: row.kind),
        Column("WAITING", lambda row: row.waiting, right=True),
        Column("GIVEN UP", lambda row: row.given_up, right=True),
        Column("LAST SENT", lambda row: session.shown(row.last_sent_at)),
        Column("WHY", lambda row: row.error),
    ]
    session.out.page("rota.alerts.channels/1", found, columns, foot=counted(len(found.data), "channel"))
    if any(row.is_failing for row in found.data):
        click.get_current_context().exit(Exit.FAILED)


@alerts.command(
    cls=RotaCommand, exits={Exit.FAILED: "the channel did not accept it", Exit.NOT_FOUND: "no such channel"}
)
@click.argument("channel")
@pass_session
def test(session: Session, channel: str) -> None:
    """Send a channel a message that says that nothing is wrong, now and from here."""
    alert = session.ask(try_channel, ChannelAsked(name=channel))
    session.out.one("rota.alerts.test/1", alert, [f"{safe_text(channel)} accepted alert {alert.id}"])


def _said(session: Session, row: IncidentRow, text: str) -> None:
    session.out.one("rota.alerts.incident/1", row, [f"{safe_text(row.title)}: {safe_text(text)}"])


def _lines(session: Session, detail: IncidentDetail) -> list[str]:
    row = detail.incident
    lines = facts(
        {
            "incident": row.id,
            "what": row.title,
            "state": _state(session, row),
            "error": row.error,
            "place": detail.place,
            "run": detail.run,
            "slot": session.shown(detail.slot),
            "times": f"{row.number:,}, first {session.shown(row.opened_at)}, last {session.shown(row.last_at)}",
            "try": row.advice,
        }
    )
    lines += [f"note      {safe_text(one)}" for one in detail.notes]
    for member in detail.members[:MOST_MEMBERS]:
        over = f", over {session.shown(member.recovered_at)}" if member.recovered_at else ""
        name = safe_text(member.name) or "no tenant"
        lines.append(f"  {name}: {member.number:,} times, last {session.shown(member.last_at)}{over}")
    more = len(detail.members) - MOST_MEMBERS
    lines += [f"  and {more:,} more"] if more > 0 else []
    for one in detail.deliveries:
        why = f": {safe_text(one.error)}" if one.error else ""
        lines.append(f"  told {safe_text(one.channel)} that it {_VERBS[one.stage]}: {one.state}{why}")
    return lines


def _state(session: Session, row: IncidentRow) -> str:
    match row.state:
        case "muted":
            until = session.shown(row.muted_until) if row.muted_until else "it is over"
            return f"muted by {row.seen_by} until {until}"
        case "acked":
            return f"acknowledged by {row.seen_by}"
        case "closed":
            return f"over since {session.shown(row.closed_at)}"
        case _:
            return "open"


_VERBS = {"opened": "began", "reminder": "goes on", "recovered": "is over", "test": "is a test"}
