"""Time zones: where the offset of a zone changes, and what that does to the wall clock there.

Inside this module and `daylight` an instant is a naive datetime in UTC: plain arithmetic on it is exact, while
aware local datetimes drop `fold` when a timedelta is added (R3). `timing` converts at its door.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from rota.errors import BadSchedule

TENANT = "tenant"
"""In the place of a zone: the zone comes from the tenant."""

LONGEST_ZONE = 64

PROBE = timedelta(days=3)
"""How far apart offsets are compared. No two shifts in the zone database (2026f) are nearer than 3.98 days
(Africa/Freetown, 1939); since 1970 none nearer than 6.9. A test holds this."""

MEMORY = timedelta(days=2)
"""How long after a shift the wall clock may repeat itself: no zone was ever set back by more than 24 hours."""

FIRST = datetime(1800, 1, 1, tzinfo=UTC).replace(tzinfo=None)
LAST = datetime(9000, 1, 1, tzinfo=UTC).replace(tzinfo=None)
"""Nothing is due before the first or from the last: offsets and steps beyond the calendar need no thought."""

SECOND = timedelta(seconds=1)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*", re.ASCII)


class Shift(Struct, frozen=True, kw_only=True):
    """One change of a zone's offset: forward leaves a gap in the wall clock, backward repeats a part of it."""

    at: datetime
    """The first instant of the new offset, naive UTC."""
    before: timedelta
    after: timedelta


class Stretch(Struct, frozen=True, kw_only=True):
    """A span of UTC, from `start` to before `end`, in which the zone's offset does not change."""

    start: datetime
    end: datetime
    offset: timedelta
    reached: datetime
    """The wall clock has shown everything before this when the stretch begins. Later than `start + offset`: the
    stretch begins in a second pass. Earlier: it begins after a gap."""


def zone_named(name: str, *, text: str) -> ZoneInfo:
    """Return the zone of this IANA name.

    Raises:
        BadSchedule: there is no such zone, or it is `tenant`, which has to be resolved first; `text` is the
            schedule named in the message.
    """
    if name == TENANT:
        raise BadSchedule(text, field="zone", reason="it comes from the tenant: resolve it first, with in_zone()")
    # "right/..." counts leap seconds and would be half a minute off; "localtime" differs from machine to machine.
    if (
        len(name) <= LONGEST_ZONE
        and _NAME.fullmatch(name)
        and not name.startswith(("right/", "posix/", "localtime", "posixrules"))
    ):
        try:
            return ZoneInfo(name)
        except (LookupError, OSError, ValueError):
            pass
    shown = name if len(name) <= LONGEST_ZONE else name[: LONGEST_ZONE - 3] + "..."
    raise BadSchedule(
        text, field="zone", reason=f"unknown zone {shown!r}; use an IANA name such as Europe/Paris, or UTC"
    )


def is_zone(name: str) -> bool:
    """Return whether there is a zone of this name; the marker `tenant` is one."""
    try:
        return name == TENANT or zone_named(name, text=name) is not None
    except BadSchedule:
        return False


@lru_cache(maxsize=4096)
def shifts(zone: ZoneInfo, year: int) -> tuple[Shift, ...]:
    """Return every change of offset in this UTC year, oldest first.

    The cache is keyed by the zone object, not its name: a zone read anew from newer zone data is another key.
    """
    if zone.utcoffset(None) is not None:
        return ()
    low, end = _new_year(year), _new_year(year + 1)
    # The shift may be in the first second of the year: start one second before it.
    low -= SECOND
    before = offset_at(zone, low)
    found = []
    while low < end - SECOND:
        high = min(low + PROBE, end - SECOND)
        after = offset_at(zone, high)
        if after != before:
            found.append(Shift(at=_first_instant(zone, low, high, before), before=before, after=after))
        low, before = high, after
    return tuple(found)


def stretches(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[Stretch]:
    """Yield the stretches from `start` to before `end`, oldest first; the span must not be empty."""
    offset = offset_at(zone, start - timedelta.resolution)
    reached = start + offset
    for shift in shifts_between(zone, start - MEMORY, start):
        reached = max(reached, shift.at + shift.before)
    begin = start
    for shift in shifts_between(zone, start, end):
        yield Stretch(start=begin, end=shift.at, offset=offset, reached=reached)
        reached = max(reached, shift.at + shift.before)
        begin, offset = shift.at, shift.after
    yield Stretch(start=begin, end=end, offset=offset, reached=reached)


def shifts_between(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[Shift]:
    """Yield the changes of offset from `start` to before `end`, oldest first."""
    for year in range(start.year, end.year + 1):
        for shift in shifts(zone, year):
            if start <= shift.at < end:
                yield shift


def offset_at(zone: ZoneInfo, instant: datetime) -> timedelta:
    """Return the zone's offset from UTC at this instant."""
    offset = instant.replace(tzinfo=UTC).astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _first_instant(zone: ZoneInfo, low: datetime, high: datetime, before: timedelta) -> datetime:
    while high - low > SECOND:
        middle = low + (high - low) // SECOND // 2 * SECOND
        if offset_at(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def _new_year(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None)
