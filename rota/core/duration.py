"""Durations as people write them: `90s`, `10m`, `1h30m`, `2d`."""

import re
from datetime import timedelta

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|[smhdw])")
_WHOLE = re.compile(rf"(?:{_PART.pattern}\s*)+")
_LONGEST = timedelta(days=36500)


def parse_duration(text: str) -> timedelta:
    """Return the duration that `text` names: numbers with a unit each, largest first or not.

    Raises:
        ValueError: no duration, or longer than a century; the message says what is expected.
    """
    written = text.strip().lower()
    # The length is checked first: nothing a person means is longer, and the pattern never sees a novel.
    if len(written) > 64 or not _WHOLE.fullmatch(written):
        shown = written if len(written) <= 40 else written[:37] + "..."
        raise ValueError(f"{shown!r} is no duration; write a number with a unit: 500ms, 90s, 10m, 2h, 1d")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(written))
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"{written!r} is longer than a century")
    return timedelta(seconds=seconds)


def duration_text(duration: timedelta) -> str:
    """Return `duration` so that `parse_duration` reads it again, exact to the millisecond."""
    milliseconds = round(duration.total_seconds() * 1000)
    if milliseconds <= 0:
        return "0s"
    parts: list[str] = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def rough_duration(seconds: float) -> str:
    """Return a duration to two significant units, for tables: `41s`, `6m12s`, `3d4h`, `120ms`."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = timedelta(seconds=round(seconds))
    parts = re.findall(r"\d+[dhms]", duration_text(whole))
    return "".join(parts[:2])
