"""What errors have in common: the same failure of many tenants is one cause, whatever numbers its message carries."""

import re
from collections.abc import Iterable
from hashlib import blake2b

from msgspec import Struct

from rota.core.model import ErrorReport, Run

UNSAID = "no error was recorded"

LONGEST = 500
"""Characters of a line that are compared: more says nothing about the cause."""

# Ids and addresses first: their letters are part of the number. A word of letters alone is no number, however much
# it looks like one.
_NUMBER = re.compile(r"0x[0-9a-f]+|\b(?=[0-9a-f-]*[0-9])[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b|[0-9]+(?:[.,:][0-9]+)*", re.I)


class Cause(Struct, frozen=True, kw_only=True):
    """One way in which runs failed, and whom it met."""

    fingerprint: str
    """The same for the same type and message, whatever numbers are in it."""
    error: str
    """The first line of one of them."""
    count: int
    tenants: list[str]
    """In the order given, each once."""


def fingerprint(error: ErrorReport) -> str:
    """Return 12 hexadecimal digits for an error's type and the first line of its message, its numbers left out."""
    return _digest(error.first_line)


def causes(runs: Iterable[Run]) -> list[Cause]:
    """Return why runs failed, the most frequent cause first. One without an error counts by its reason."""
    found: dict[str, Cause] = {}
    tenants: dict[str, dict[str, None]] = {}
    counts: dict[str, int] = {}
    for run in runs:
        line = said(run)
        key = _digest(line)
        found.setdefault(key, Cause(fingerprint=key, error=line, count=0, tenants=[]))
        counts[key] = counts.get(key, 0) + 1
        tenants.setdefault(key, {})[run.tenant or ""] = None
    told = [
        Cause(fingerprint=key, error=cause.error, count=counts[key], tenants=[name for name in tenants[key] if name])
        for key, cause in found.items()
    ]
    return sorted(told, key=lambda cause: (-cause.count, cause.error))


def said(run: Run) -> str:
    """Return in one line why a run ended as it did."""
    return run.error.first_line if run.error is not None else run.reason or UNSAID


def _digest(line: str) -> str:
    same = _NUMBER.sub("#", line[:LONGEST])
    return blake2b(same.encode("utf-8", "replace"), digest_size=6).hexdigest()
