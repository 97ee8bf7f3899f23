"""An incident in words: what a channel is told of it."""

from collections.abc import Iterable
from datetime import datetime
from shlex import quote

from rota.core.alert import Alert, IncidentKind, Stage
from rota.core.counting import counted
from rota.core.incident import Incident, Member
from rota.core.safe import safe_text
from rota.core.search import term_of
from rota.core.secret_shape import without_shapes

MOST_NAMES = 20
"""Tenants that an alert names; how many there are in all it says besides."""


def alert_of(incident: Incident, members: Iterable[Member], stage: Stage, *, now: datetime, url: str = "") -> Alert:
    """Return the news of an incident, after that was decided on: its number is the one that the incident has now.

    `url` is where the pages of the application's incidents are.
    """
    names = [member.name for member in members if member.recovered_at is None or stage is Stage.RECOVERED]
    named = sorted(name for name in names if name)
    last = incident.remarks[-1] if incident.remarks else None
    return Alert(
        id=f"{incident.id}-{incident.messages}",
        incident=incident.id,
        stage=stage,
        kind=incident.kind,
        job=incident.job,
        title=title_of(incident, named),
        error=incident.error,
        place=incident.place,
        tenants=tuple(named[:MOST_NAMES]),
        number_of_tenants=len(named),
        slot=incident.slot,
        run_id=incident.run_id,
        number=incident.number,
        openings=incident.openings,
        first_at=incident.opened_at,
        last_at=incident.last_at,
        at=now,
        note="" if last is None else f"{last.author}: {last.text}",
        advice=advice_of(incident),
        url=f"{url.rstrip('/')}/{incident.id}" if url else "",
    )


def trial_of(channel: str, *, new_id: str, now: datetime) -> Alert:
    """Return what a channel is told to see whether it works."""
    return Alert(
        id=new_id,
        incident=new_id,
        stage=Stage.TEST,
        kind=IncidentKind.FAILED,
        job="",
        title=f"A test of the channel {safe_text(channel)}: nothing is wrong",
        first_at=now,
        last_at=now,
        at=now,
        advice="rota alerts list",
    )


def title_of(incident: Incident, names: list[str]) -> str:
    """Return one line: what is wrong with what, for whom. `names` are the members that have one."""
    job = incident.job or "a job"
    match incident.kind:
        case IncidentKind.FAILED:
            text = f"{job} fails{_for(names)}"
        case IncidentKind.TIMED_OUT:
            text = f"{job} ran out of time{_for(names)}"
        case IncidentKind.LOST:
            text = f"{job} lost its worker again and again{_for(names)}"
        case IncidentKind.STALE:
            text = f"{incident.about or job} has not succeeded in time{_for(names)}"
        case IncidentKind.PARKED:
            text = f"{_who(names, 'tenant')} {_are(names)} parked: no way to the database"
        case IncidentKind.BROKEN:
            text = f"{_who(names, 'schedule')} of {job} cannot be understood"
        case IncidentKind.STOPPED:
            text = f"{_who(names, 'loop')} of Rota did not come round"
    return safe_text(without_shapes(text))


def advice_of(incident: Incident) -> str:
    """Return the command that shows more."""
    job = quote(term_of("job", safe_text(incident.job)))
    match incident.kind:
        case IncidentKind.FAILED | IncidentKind.TIMED_OUT | IncidentKind.LOST:
            return f"rota failures --where {job}"
        case IncidentKind.STALE:
            # A script outside of Rota has no job, and nothing here that could be explained.
            return f"rota explain {quote(safe_text(incident.about or incident.job))}" if incident.job else "rota stale"
        case IncidentKind.PARKED:
            return "rota tenants list"
        case IncidentKind.BROKEN | IncidentKind.STOPPED:
            return "rota doctor"


def _for(names: list[str]) -> str:
    return f" for {_who(names, 'tenant')}" if names else ""


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _who(names: list[str], noun: str) -> str:
    return names[0] if len(names) == 1 else counted(len(names), noun)
