"""The rules R2 and R3, as slowly and plainly as they can be written: look at every step of UTC, one by one.

Nothing here comes from the implementation: cron fields are read anew, and zones are asked, step by step, what their
wall clocks show. Only the forms that the tests use are read.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
LONGEST_REPEAT = timedelta(hours=25)
"""Longer than any zone was ever set back."""
NAMES = {
    name: at
    for at, name in enumerate(["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
}
DAYS = {name: at for at, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}


def slots(
    expression: str,
    zone: ZoneInfo,
    *,
    after: datetime,
    until: datetime,
    step: timedelta = MINUTE,
    look_back: timedelta = LONGEST_REPEAT,
) -> list[datetime]:
    """Return the slots in (after, until], oldest first, by looking at each step of UTC.

    A fixed time counts at the first step at which the wall clock shows it, or, if it never shows it, at the first
    step at which it shows a later one. Everything else counts at each step that shows it. `step` is a minute for
    expressions without seconds in zones whose offsets are whole minutes, else a second. `look_back` is how long
    before `after` the wall clock may have shown what it shows again: shorter is faster.
    """
    fields = expression.lower().split()
    seconds = fields.pop(0) if len(fields) == 6 else "0"
    fixed = not fields[0].startswith("*") and not fields[1].startswith("*")
    found = []
    instant = (after - look_back).replace(microsecond=0)
    if step == MINUTE:
        instant = instant.replace(second=0)
    shown = _wall(instant, zone)
    while instant <= after - step:
        instant += step
        shown = max(shown, _wall(instant, zone))
    while instant < until:
        instant += step
        wall = _wall(instant, zone)
        if fixed:
            # Every wall time since the latest one seen: one step as a rule, all of a gap, none in a second pass.
            hit = any(_matches(fields, seconds, missed) for missed in _steps(shown + step, wall, step))
            shown = max(shown, wall)
        else:
            hit = _matches(fields, seconds, wall)
        if hit and after < instant <= until:
            found.append(instant)
    return found


def shifts(zone: ZoneInfo, *, since: datetime, until: datetime) -> list[datetime]:
    """Return the instants in (since, until] at which the zone's offset changes, found by looking at each hour."""
    found = []
    instant = since
    while instant < until:
        low, high = instant, instant + timedelta(hours=1)
        if _offset(low, zone) != _offset(high, zone):
            while high - low > SECOND:
                middle = low + (high - low) // SECOND // 2 * SECOND
                low, high = (middle, high) if _offset(middle, zone) == _offset(low, zone) else (low, middle)
            found.append(high)
        instant += timedelta(hours=1)
    return found


def has_whole_minutes(zone: ZoneInfo, at: datetime) -> bool:
    """Return whether the zone's offsets around this instant are whole minutes."""
    return all(_offset(at + days * LONGEST_REPEAT, zone) % MINUTE == timedelta(0) for days in (-1, 0, 1))


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _steps(low: datetime, high: datetime, step: timedelta) -> Iterator[datetime]:
    while low <= high:
        yield low
        low += step


def _matches(fields: list[str], seconds: str, wall: datetime) -> bool:
    minute, hour, day, month, weekday = fields
    if not (
        wall.minute in _values(minute, 0, 59)
        and wall.hour in _values(hour, 0, 23)
        and wall.second in _values(seconds, 0, 59)
        and wall.month in _values(month, 1, 12, NAMES)
    ):
        return False
    by_day, by_weekday = _day_matches(day, wall), _weekday_matches(weekday, wall)
    if day.startswith("*") or weekday.startswith("*"):
        return by_day and by_weekday
    return by_day or by_weekday


def _day_matches(text: str, wall: datetime) -> bool:
    last = monthrange(wall.year, wall.month)[1]
    if text == "l":
        return wall.day == last
    if text == "lw":
        working = [day for day in range(1, last + 1) if wall.replace(day=day).isoweekday() <= 5]
        return wall.day == working[-1]
    return wall.day in _values(text, 1, 31)


def _weekday_matches(text: str, wall: datetime) -> bool:
    today = wall.isoweekday() % 7
    last = monthrange(wall.year, wall.month)[1]
    if "#" in text:
        name, nth = text.split("#")
        return today == _number(name, DAYS) % 7 and (wall.day - 1) // 7 + 1 == int(nth)
    if text.endswith("l"):
        return today == _number(text[:-1], DAYS) % 7 and wall.day + 7 > last
    return today in {day % 7 for day in _values(text, 0, 7, DAYS)}


def _values(text: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    key = (text, low, high)
    if key not in _read:
        _read[key] = set().union(*(_part(part, low, high, names or {}) for part in text.split(",")))
    return _read[key]


def _part(text: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    span, _, step = text.partition("/")
    if span == "*":
        first, last = low, high
    elif "-" in span:
        first, last = (_number(end, names) for end in span.split("-"))
    else:
        first = _number(span, names)
        last = high if step else first
    return set(range(first, last + 1, int(step or 1)))


def _number(text: str, names: dict[str, int]) -> int:
    return names[text] if text in names else int(text)


_read: dict[tuple[str, int, int], set[int]] = {}
