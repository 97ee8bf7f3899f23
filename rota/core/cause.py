"""What errors have in common: the same failure of many tenants is one cause, whatever values its message carries."""

from collections.abc import Iterable

from msgspec import Struct

from rota.core.fingerprint import fingerprint
from rota.core.model import Run

UNSAID = "no error was recorded"


class Cause(Struct, frozen=True, kw_only=True):
    """One way in which runs failed, and whom it met."""

    fingerprint: str
    """The same for the same type, message and place, whatever values are in the message."""
    error: str
    """The first line of one of them."""
    count: int
    tenants: list[str]
    """In the order given, each once."""


def causes(runs: Iterable[Run]) -> list[Cause]:
    """Return why runs failed, the most frequent cause first. One without an error counts by its reason."""
    found: dict[str, Cause] = {}
    tenants: dict[str, dict[str, None]] = {}
    counts: dict[str, int] = {}
    for run in runs:
        line = said(run)
        key = print_of(run)
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


def print_of(run: Run) -> str:
    """Return the fingerprint of what ended a run: that of its error, else of its reason."""
    error = run.error
    if error is None:
        return fingerprint("", said(run), "")
    return error.fingerprint or fingerprint(error.type, error.message, error.place)
