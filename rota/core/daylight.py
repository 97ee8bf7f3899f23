"""From the wall clock to UTC: what a gap and a repeated hour do to a schedule (R3).

Sources:
    Debian's cron(8), "Daylight Saving Time and other time changes", exact here for shifts of any length.
"""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from rota.core.wall import Wall
from rota.core.zone import MEMORY, Stretch, stretches


def forward(wall: Wall, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the instants at which the wall's times are kept, from `start` to before `end`, oldest first."""
    last = None
    for year in range(start.year, end.year + 1):
        for stretch in _year(zone, year, start, end):
            for instant in _up(wall, stretch):
                # A fixed time inside a gap and one right after it name the same instant.
                if instant != last:
                    yield instant
                last = instant


def backward(wall: Wall, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the same instants as `forward`, newest first."""
    last = None
    for year in range(end.year, start.year - 1, -1):
        for stretch in reversed(_year(zone, year, start, end)):
            for instant in _down(wall, stretch):
                if instant != last:
                    yield instant
                last = instant


def instant_of(local: datetime, zone: ZoneInfo) -> datetime:
    """Return when the zone's wall clock first shows `local`, or, if it never does, the first instant after that gap."""
    span = stretches(zone, local - MEMORY, local + MEMORY)
    return next(max(part.start, local - part.offset) for part in span if part.end + part.offset > local)


def _year(zone: ZoneInfo, year: int, start: datetime, end: datetime) -> list[Stretch]:
    # Year by year, so that the search in a zone without shifts does not look for one until the end of time.
    start = max(start, start.replace(year=year, month=1, day=1, hour=0, minute=0, second=0, microsecond=0))
    end = min(end, end.replace(year=year + 1, month=1, day=1, hour=0, minute=0, second=0, microsecond=0))
    return list(stretches(zone, start, end)) if start < end else []


def _up(wall: Wall, stretch: Stretch) -> Iterator[datetime]:
    low, high = stretch.start + stretch.offset, stretch.end + stretch.offset
    if wall.fixed:
        if _missed(wall, stretch):
            yield stretch.start
        low = max(low, stretch.reached)
    for local in wall.ascending(low, high):
        yield local - stretch.offset


def _down(wall: Wall, stretch: Stretch) -> Iterator[datetime]:
    low, high = stretch.start + stretch.offset, stretch.end + stretch.offset
    if wall.fixed:
        low = max(low, stretch.reached)
    for local in wall.descending(low, high):
        yield local - stretch.offset
    if wall.fixed and _missed(wall, stretch):
        yield stretch.start


def _missed(wall: Wall, stretch: Stretch) -> bool:
    """Return whether a time of the wall lies in the gap before this stretch."""
    first = stretch.start + stretch.offset
    # Not before the gap: everything up to `reached` was shown, and so was kept.
    return stretch.reached < first and next(wall.ascending(stretch.reached, first), None) is not None
