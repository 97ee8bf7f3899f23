"""What all errors are, and how they name what was probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def close_names(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three known names that look like `name`, best first."""
    return get_close_matches(name, sorted(known), n=3, cutoff=0.6)


def probably(close: Iterable[str]) -> str:
    names = list(close)
    return f"; did you mean {', '.join(repr(name) for name in names)}?" if names else ""


class RotaError(Exception):
    """Anything Rota raises on purpose."""
