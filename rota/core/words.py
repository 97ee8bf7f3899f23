"""Schedules as text: words read into a timing, and a timing said in words.

`parse` accepts what `str(timing)` writes, cron expressions, and common ways to say the same. It is one grammar for
code, stored rows, settings, HTTP and the command line (R4).
"""

import re
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from itertools import islice

from msgspec.structs import replace

from rota.core import cron, grammar
from rota.core.cron import LONGEST
from rota.core.kind import WORKDAYS, Calendar, Cron, Interval, Once, Timing, Unit
from rota.core.timing import wall_of, with_default_zone, zone_of
from rota.core.zone import LONGEST_ZONE, MEMORY, SECOND, TENANT, Shift, offset_at, shifts_between
from rota.errors import BadSchedule

MINUTE = timedelta(minutes=1)
_SHOWN = 3
"""How many local times a note names before it says "and others"."""

_DAILY = re.compile(r"([0-9]{1,2}) ([0-9]{1,2}) \* \* (\*|1-5|MON-FRI|[0-7])")
_HOURLY = re.compile(r"([0-9]{1,2}) \* \* \* \*")


def parse(text: str, *, tz: str | None = None) -> Timing:
    """Return the timing that a text names; `tz` is its zone when the text names none.

    Raises:
        BadSchedule: it cannot be read, or could never be due; the field and the reason are named.
    """
    return _parsed(text, tz)


def text_of(timing: Timing) -> str:
    """Return the canonical text of a timing: `parse` reads it back as the same value."""
    return str(timing)


def describe(timing: Timing) -> str:
    """Return the timing in words a person reads, its zone included when it names one."""
    match timing:
        case Interval():
            return str(timing)
        case Once():
            said = f"once at {timing.at.isoformat(' ', 'seconds' if timing.at.second else 'minutes')}"
        case Calendar():
            said = str(replace(timing, tz=None))
        case Cron():
            said = _described_cron(timing.expression)
    if timing.tz == TENANT:
        return f"{said}, in the zone of the tenant"
    return f"{said} {timing.tz}" if timing.tz else said


def notes(timing: Timing, slot: datetime, *, key: str = "") -> str | None:
    """Return what daylight saving does to this slot, or None: `slot` is aware, and a slot of the timing.

    Raises:
        ValueError: `slot` is naive.
        BadSchedule: the timing's zone is `tenant`.
    """
    if slot.utcoffset() is None:
        raise ValueError(f"{slot!r} is naive; give a time with a zone")
    if isinstance(timing, Interval):
        return None
    instant = slot.astimezone(UTC).replace(tzinfo=None)
    zone = zone_of(timing)
    local = instant + offset_at(zone, instant)
    for shift in shifts_between(zone, instant - MEMORY, instant + MEMORY):
        if shift.at == instant and shift.after > shift.before:
            return _gap_note(_times_in_gap(timing, shift, key))
        if shift.at + shift.after <= local < shift.at + shift.before:
            is_fixed = isinstance(timing, Once) or wall_of(timing, key).fixed
            return f"{_clock(local)} happens twice: runs {'at the first' if is_fixed else 'both times'}"
    return None


def change_between(timing: Timing, after: datetime, until: datetime) -> str | None:
    """Return how the clocks of the timing's zone changed in (after, until], for the slot at its end; None if they did
    not. Raises as `notes` does."""
    if isinstance(timing, Interval):
        return None
    zone = zone_of(timing)
    first, last = (moment.astimezone(UTC).replace(tzinfo=None) + SECOND for moment in (after, until))
    found = list(shifts_between(zone, first, last))
    return f"the clocks of {zone.key} {_turned(found[-1])}" if found else None


def _turned(shift: Shift) -> str:
    by = abs(shift.after - shift.before)
    way = "forward" if shift.after > shift.before else "back"
    showed, shows = _clock(shift.at + shift.before), _clock(shift.at + shift.after)
    return f"went {way} {by // MINUTE} minutes, {showed} became {shows}"


@lru_cache(maxsize=2048)
def _parsed(text: str, tz: str | None) -> Timing:
    # The longest expression, with the longest zone after it.
    if len(text) > LONGEST + 1 + LONGEST_ZONE:
        raise BadSchedule(text, field="text", reason=f"{len(text)} characters; at most {LONGEST}")
    return with_default_zone(grammar.read(text), tz)


def _described_cron(expression: str) -> str:
    same = _as_calendar(expression)
    if same is not None:
        return str(same)
    if cron.is_hashed(expression):
        return f"cron {expression} (each H stays the same for a schedule and tenant)"
    return cron.explained(expression)


def _as_calendar(expression: str) -> Calendar | None:
    """Return the calendar timing with the same slots, for the few expressions that most people write."""
    if hourly := _HOURLY.fullmatch(expression):
        return Calendar(unit=Unit.HOUR, at=time(0, int(hourly[1])))
    if daily := _DAILY.fullmatch(expression):
        at = time(int(daily[2]), int(daily[1]))
        if daily[3] == "*":
            return Calendar(unit=Unit.DAY, at=at)
        # Sunday is 0 and 7 in cron, and Monday is 0 here.
        days = ((int(daily[3]) - 1) % 7,) if daily[3].isdigit() else WORKDAYS
        return Calendar(unit=Unit.WEEK, weekdays=days, at=at)
    return None


def _times_in_gap(timing: Cron | Calendar | Once, shift: Shift, key: str) -> list[datetime]:
    low, high = shift.at + shift.before, shift.at + shift.after
    if isinstance(timing, Once):
        return [timing.at] if low <= timing.at < high else []
    wall = wall_of(timing, key)
    return list(islice(wall.ascending(low, high), _SHOWN + 1)) if wall.fixed else []


def _gap_note(missed: list[datetime]) -> str | None:
    if not missed:
        return None
    if len(missed) == 1:
        return f"{_clock(missed[0])} does not exist: runs at the first minute after the gap"
    shown = ", ".join(_clock(local) for local in missed[:_SHOWN]) + (" and others" if len(missed) > _SHOWN else "")
    return f"{shown} do not exist: runs once, at the first minute after the gap"


def _clock(local: datetime) -> str:
    return local.strftime("%H:%M:%S" if local.second else "%H:%M")
