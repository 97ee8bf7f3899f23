"""Amounts of memory as people write them: `64MB`, `1.5GB`. Units are powers of 1024, as in tools that show memory."""

import re

_UNITS = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", re.IGNORECASE)


class Size(int):
    """A number of bytes, told apart from other numbers where a setting is read."""


def parse_size(text: str) -> Size:
    """Return the number of bytes that `text` names.

    Raises:
        ValueError: no size; the message says what is expected.
    """
    written = text.strip()
    match = _SIZE.fullmatch(written) if len(written) <= 32 else None
    if match is None:
        raise ValueError(f"{written[:40]!r} is no size; write a number with a unit: 512KB, 64MB, 2GB")
    number, unit = match.groups()
    unit = unit.upper()
    return Size(float(number) * _UNITS[unit if unit in _UNITS else f"{unit}B"])


def size_text(size: int) -> str:
    """Return a number of bytes in the largest unit that shows it whole, so that `parse_size` reads it again."""
    for unit in ("TB", "GB", "MB", "KB"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return f"{size}B"
