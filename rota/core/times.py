"""Times as people type them after `--since`, `--until` and `--at`."""

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from rota.core.duration import parse_duration

_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


def parse_time(text: str, *, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant that `text` names, in UTC.

    `2026-11-20T02:00+01:00`; the same without an offset, a date (midnight) or `02:00` (today) in `zone`; `yesterday`,
    `today`, `tomorrow`, each with an hour or without; `2d` and `-3h`, both that long ago; `+10m`, from now on; `now`.

    Raises:
        ValueError: none of these; the message shows them.
    """
    written = text.strip()
    found = _relative(written, now=now) or _on_a_day(written, now=now, zone=zone) or _iso(written, zone=zone)
    if found is None:
        shown = written if len(written) <= 40 else written[:37] + "..."
        raise ValueError(
            f"{shown!r} is no time; write 2026-11-20T02:00+01:00, 2026-11-20, 'yesterday 02:00', 2d (ago) or +10m"
        )
    try:
        return found.astimezone(ZoneInfo("UTC"))
    except OverflowError as error:
        raise ValueError(f"{written!r} is too far away") from error


def _relative(text: str, *, now: datetime) -> datetime | None:
    if text == "now":
        return now
    sign, length = (text[0], text[1:]) if text[:1] in ("-", "+") else ("-", text)
    try:
        distance = parse_duration(length)
    except ValueError:
        return None
    return now + distance if sign == "+" else now - distance


def _on_a_day(text: str, *, now: datetime, zone: ZoneInfo) -> datetime | None:
    first, _, rest = text.lower().partition(" ")
    if first not in _DAYS:
        first, rest = "today", text
        if not _CLOCK.fullmatch(rest):
            return None
    day = now.astimezone(zone).date() + timedelta(days=_DAYS[first])
    hour = _clock(rest.strip()) if rest.strip() else time()
    return None if hour is None else datetime.combine(day, hour, tzinfo=zone)


def _clock(text: str) -> time | None:
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups())
    try:
        return time(hour, minute, second)
    except ValueError:
        return None


def _iso(text: str, *, zone: ZoneInfo) -> datetime | None:
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return datetime.combine(date.fromisoformat(text), time(), tzinfo=zone)
        if not re.match(r"\d{4}-\d{2}-\d{2}[T ]", text):
            return None
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)
