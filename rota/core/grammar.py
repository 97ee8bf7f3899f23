"""The grammar of schedule texts: from the words people write to a timing. `words.parse` is its door."""

import re
from datetime import UTC, date, datetime, time, timedelta

from rota.core.kind import WEEKDAYS, WEEKEND, WORKDAYS, Calendar, Cron, Interval, Once, Timing, Unit
from rota.core.zone import FIRST, LAST, is_zone
from rota.errors import BadSchedule

EXAMPLES = "write 'every 15 minutes', 'daily at 02:30 Europe/Paris', 'every monday at 02:00' or '30 2 * * *'"

_SIZES = {"second": timedelta(seconds=1), "minute": timedelta(minutes=1), "hour": timedelta(hours=1)}
_UNITS = {
    name: unit
    for unit, names in {
        "second": "seconds second secs sec s",
        "minute": "minutes minute mins min m",
        "hour": "hours hour hrs hr h",
        "day": "days day d",
        "week": "weeks week w",
    }.items()
    for name in names.split()
}
_DAYS: dict[str, tuple[int, ...]] = {name[:size]: (at,) for at, name in enumerate(WEEKDAYS) for size in (3, len(name))}
_DAYS |= {"tues": (1,), "thur": (3,), "thurs": (3,), "weekday": WORKDAYS, "weekend": WEEKEND}
_SHORT = {"hourly": "every hour", "daily": "every day", "weekly": "every week"}
_ALIASES = {"monthly": "@monthly", "yearly": "@yearly", "annually": "@annually"}
_MOST = 10**9

# How a cron expression begins; words begin with more than one letter.
_CRON = re.compile(r"[0-9*@?,/-]|H(?:[(/,]|$)", re.IGNORECASE)
_CRON_WEEKDAY = re.compile(r"(?:SUN|MON|TUE|WED|THU|FRI|SAT|[HL0-9*#,/()-])+", re.IGNORECASE)
_COUNTED = re.compile(r"([0-9]+)? ?([a-z]+)")
_CLOCK = re.compile(r"([0-9]{1,2})(?::([0-9]{2})(?::([0-9]{2}))?)? ?(am|pm)?")
_MINUTE_OF_HOUR = re.compile(r":([0-9]{2})(?::([0-9]{2}))?")


def read(text: str) -> Timing:
    """Return the timing that the text names.

    Raises:
        BadSchedule: it cannot be read, or what it names is refused.
    """
    words = text.split()
    if not words:
        raise BadSchedule(text, field="text", reason=f"it is empty; {EXAMPLES}")
    if _CRON.match(words[0]):
        return _read_cron(words)
    words, tz = _without_zone(words)
    said = " ".join(words).lower()
    first = words[0].lower()
    if said in _ALIASES:
        return Cron(expression=_ALIASES[said], tz=tz)
    if first in ("at", "once"):
        return _read_once(text, said.removeprefix("once ").removeprefix("at ").removeprefix("on "), tz)
    if first in _SHORT:
        said = said.replace(first, _SHORT[first], 1)
    return _read_repeated(text, said.removeprefix("every ").removeprefix("on "), tz)


def _read_cron(words: list[str]) -> Cron:
    # With six words the last is a zone or, when the first are seconds, the day of week.
    has_zone = len(words) >= 6 or (len(words) == 2 and words[0].startswith("@"))
    if has_zone and not _CRON_WEEKDAY.fullmatch(words[-1]):
        return Cron(expression=" ".join(words[:-1]), tz=words[-1])
    return Cron(expression=" ".join(words))


def _without_zone(words: list[str]) -> tuple[list[str], str | None]:
    last = words[-1]
    if len(words) == 1 or not (is_zone(last) or ("/" in last and last[0].isalpha())):
        return words, None
    rest = words[:-1]
    if rest[-1].lower() == "in" and len(rest) > 1:
        rest = rest[:-1]
    return rest, last


def _read_once(text: str, moment: str, tz: str | None) -> Once:
    at = _moment(text, moment)
    if ":" not in moment:
        raise BadSchedule(text, field="time", reason="it is missing; write at 2026-12-01T09:00")
    if at.tzinfo is None:
        return Once(at=at, tz=tz)
    if tz is not None:
        raise BadSchedule(text, field="zone", reason="the time has an offset already; leave one of the two out")
    return Once(at=at.astimezone(UTC).replace(tzinfo=None), tz="UTC")


def _read_repeated(text: str, said: str, tz: str | None) -> Timing:
    rest, _, start = said.partition(" from ")
    rest, _, at = rest.partition(" at ")
    head, _, on = rest.partition(" on ")
    counted = _COUNTED.fullmatch(head)
    unit = _UNITS.get(counted[2]) if counted else None
    if counted is None or unit is None:
        if counted and counted[1]:
            reason = f"unknown unit {counted[2]!r}; use seconds, minutes, hours, days or weeks: every 2 weeks on monday"
            raise BadSchedule(text, field="unit", reason=reason)
        return _week(text, 1, days=rest, at=at, start=start, tz=tz)
    n = int(counted[1] or 1)
    if not 1 <= n <= _MOST:
        raise BadSchedule(text, field="interval", reason=f"{counted[1][:20]} is not between 1 and {_MOST}")
    if unit == "week":
        return _week(text, n, days=on, at=at, start=start, tz=tz)
    if on:
        raise BadSchedule(text, field="weekday", reason=f"days go with weeks: every week on {on}")
    if unit == "day":
        return Calendar(unit=Unit.DAY, n=n, at=_clock(text, at), anchor=_day(text, start), tz=tz)
    if unit == "hour" and at:
        return Calendar(unit=Unit.HOUR, n=n, at=_minute_of_hour(text, at), anchor=_day(text, start), tz=tz)
    return _interval(text, n, unit, at=at, start=start, tz=tz)


def _week(text: str, n: int, *, days: str, at: str, start: str, tz: str | None) -> Calendar:
    if not days:
        raise BadSchedule(text, field="weekday", reason="it is missing; write every week on monday at 02:00")
    weekdays: set[int] = set()
    for name in re.split(r", and |,? and |, ?", days):
        known = _DAYS.get(name) or _DAYS.get(name.removesuffix("s"))
        if known is None:
            raise BadSchedule(text, field="weekday", reason=f"cannot read {name[:40]!r}; {EXAMPLES}")
        weekdays.update(known)
    anchor = _day(text, start)
    return Calendar(unit=Unit.WEEK, n=n, weekdays=tuple(sorted(weekdays)), at=_clock(text, at), anchor=anchor, tz=tz)


def _interval(text: str, n: int, unit: str, *, at: str, start: str, tz: str | None) -> Interval:
    if at:
        reason = f"{unit}s are elapsed time and have no time of day; leave it out, or write a cron expression"
        raise BadSchedule(text, field="time", reason=reason)
    if tz is not None:
        reason = "an interval is elapsed time and has none; leave it out, or write a cron expression: */15 * * * *"
        raise BadSchedule(text, field="zone", reason=reason)
    anchor = _moment(text, start) if start else None
    if anchor is not None and anchor.tzinfo is None:
        anchor = anchor.replace(tzinfo=UTC)
    return Interval(every=n * _SIZES[unit], anchor=anchor)


def _moment(text: str, said: str) -> datetime:
    try:
        moment = datetime.fromisoformat(said.upper())
    except ValueError as error:
        reason = f"cannot read {said[:40]!r}; write 2026-12-01T09:00, or 'daily at 09:00'"
        raise BadSchedule(text, field="date", reason=reason) from error
    if not FIRST.year < moment.year < LAST.year:
        raise BadSchedule(text, field="date", reason=f"the year is not between {FIRST.year + 1} and {LAST.year - 1}")
    return moment


def _day(text: str, said: str) -> date | None:
    if not said:
        return None
    try:
        return date.fromisoformat(said)
    except ValueError as error:
        raise BadSchedule(text, field="anchor", reason=f"cannot read {said[:40]!r}; write 2026-01-05") from error


def _clock(text: str, said: str) -> time:
    if said in ("", "midnight"):
        return time()
    if said == "noon":
        return time(12)
    reason = f"cannot read {said[:40]!r}; write 02:30 or 14:30:15, and after it a zone such as Europe/Paris"
    found = _CLOCK.fullmatch(said)
    if found is None or (found[2] is None and found[4] is None):
        raise BadSchedule(text, field="time", reason=reason)
    hour, minute, second = (int(part or 0) for part in found.group(1, 2, 3))
    if found[4]:
        if not 1 <= hour <= 12:
            raise BadSchedule(text, field="time", reason=f"{said}: there is no {hour} {found[4]}")
        hour = hour % 12 + (12 if found[4] == "pm" else 0)
    if hour > 23 or minute > 59 or second > 59:
        raise BadSchedule(text, field="time", reason=f"{said} is not between 00:00 and 23:59:59")
    return time(hour, minute, second)


def _minute_of_hour(text: str, said: str) -> time:
    found = _MINUTE_OF_HOUR.fullmatch(said)
    if found is None or int(found[1]) > 59 or int(found[2] or 0) > 59:
        raise BadSchedule(text, field="time", reason=f"cannot read {said[:40]!r}; write :17, from :00 to :59")
    return time(0, int(found[1]), int(found[2] or 0))
