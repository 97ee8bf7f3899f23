"""An alert as people read it at three in the morning: what, of which job, for whom, why, since when, and what to type.

Every channel for people draws from this, and only from this: its texts are on one line each, cut, and without secrets
and without characters that a reader could be tricked by (R65). What a form of its own treats as marks (HTML, mrkdwn)
its channel escapes.
"""

import re
import shlex
from datetime import datetime, timedelta
from math import ceil

from msgspec import Struct

from rota.core.alert import Alert, IncidentKind, Stage
from rota.core.duration import rough_duration
from rota.core.safe import safe_text
from rota.core.search import term_of
from rota.redaction import redacted

LONGEST_TITLE = 150
LONGEST_LINE = 500
MOST_TENANTS = 8
"""Named; the others are counted."""

_LINK = re.compile(r"https?://[^\s<>\"'|\\]{1,2000}")
_BEGINNINGS = {Stage.REMINDER: "Still: ", Stage.RECOVERED: "Recovered: ", Stage.TEST: "Test: "}
_HOUR = timedelta(hours=1)


class Command(Struct, frozen=True, kw_only=True):
    """Something to type."""

    text: str
    meaning: str
    """What it does, in a few words; "" where it is known from elsewhere."""


class Message(Struct, frozen=True, kw_only=True):
    """One alert, in words."""

    title: str
    is_bad: bool
    """False for what is over, and for a test."""
    error: str
    place: str
    facts: tuple[tuple[str, str], ...]
    """What there is to know, each with its name."""
    note: str
    commands: tuple[Command, ...]
    url: str
    footer: str


def message_of(alert: Alert) -> Message:
    """Return an alert in words."""
    return Message(
        title=_BEGINNINGS.get(alert.stage, "") + line(alert.title, most=LONGEST_TITLE),
        is_bad=alert.stage in (Stage.OPENED, Stage.REMINDER),
        error=line(alert.error),
        place=line(alert.place),
        facts=_facts(alert),
        note=line(alert.note),
        commands=_commands(alert) if alert.stage in (Stage.OPENED, Stage.REMINDER) else (),
        url=_link(alert.url),
        footer=_footer(alert),
    )


def line(text: str, *, most: int = LONGEST_LINE) -> str:
    """Return text as it may be shown: without secrets, on one line, harmless, and cut."""
    # Cut last: half a secret is not found any more.
    shown = safe_text(redacted(text.strip()))
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _link(url: str) -> str:
    """Return an address if it is a plain one of the web without a secret in it; else there is no link."""
    return url if url.isascii() and _LINK.fullmatch(url) and redacted(url) == url else ""


def _facts(alert: Alert) -> tuple[tuple[str, str], ...]:
    if alert.stage is Stage.TEST:
        return (("Meaning", "Somebody tries this channel. Nothing is wrong."),)
    facts = [("Job", line(alert.job))] if alert.job else []
    if tenants := _tenants(alert):
        facts.append(("Tenants" if alert.number_of_tenants > 1 else "Tenant", tenants))
    if alert.stage is Stage.RECOVERED:
        facts += [("Lasted", f"{_ago(alert.at - alert.first_at)}, from {_instant(alert.first_at)}")]
    else:
        facts += [("Since", f"{_instant(alert.first_at)}, {_ago(alert.at - alert.first_at)} ago")]
    if alert.number > 1:
        facts.append(("Met", f"{alert.number:,} times, last at {_instant(alert.last_at)}"))
    if alert.slot is not None:
        facts.append(("Slot", _instant(alert.slot)))
    if alert.run_id:
        facts.append(("Last run", line(alert.run_id)))
    return tuple(facts)


def _tenants(alert: Alert) -> str:
    named = [line(name, most=60) for name in alert.tenants[:MOST_TENANTS]]
    others = max(alert.number_of_tenants, len(alert.tenants)) - len(named)
    if not others:
        return ", ".join(named)
    return f"{', '.join(named)} and {others:,} more" if named else f"{others:,}"


def _commands(alert: Alert) -> tuple[Command, ...]:
    job, tenant = shlex.quote(line(alert.job)), shlex.quote(line(alert.tenants[0])) if alert.tenants else ""
    run = shlex.quote(line(alert.run_id or ""))
    found = [Command(text=line(alert.advice), meaning="")] if alert.advice else []
    if not alert.is_kept:
        return tuple(found)
    match alert.kind:
        case IncidentKind.FAILED | IncidentKind.TIMED_OUT | IncidentKind.LOST if alert.job:
            if alert.run_id:
                found.append(Command(text=f"rota show {run}", meaning="what happened to the last one"))
            hours = ceil((alert.at - alert.first_at) / _HOUR) + 1
            where = shlex.quote(f"{term_of('job', line(alert.job))} state:failed since:{hours}h")
            found.append(Command(text=f"rota retry --where {where}", meaning="run them again"))
        case IncidentKind.STALE if alert.job:
            found.append(Command(text=f"rota explain {job}", meaning="why it does not run"))
            found.append(Command(text=f"rota run {job}", meaning="run it now"))
        case IncidentKind.PARKED if tenant:
            found.append(Command(text=f"rota tenants test {tenant}", meaning="try its database"))
        case IncidentKind.BROKEN:
            found.append(Command(text="rota schedules list", meaning="which one, and why"))
        case _:
            found.append(Command(text="rota doctor", meaning="what is wrong with Rota itself"))
    found.append(Command(text=f"rota alerts ack {shlex.quote(line(alert.incident))}", meaning="no reminders of it"))
    return tuple({one.text: one for one in reversed(found)}.values())[::-1]


def _footer(alert: Alert) -> str:
    return f"Rota · {alert.kind} · incident {line(alert.incident, most=64)} · alert {line(alert.id, most=64)}"


def _instant(at: datetime) -> str:
    return f"{at:%a} {at.day} {at:%b %H:%M} UTC"


def _ago(duration: timedelta) -> str:
    return rough_duration(max(duration.total_seconds(), 0.0))
