"""The parts of a store, for wrappers that see each of its calls."""

from collections.abc import Callable
from typing import Any

PARTS = ("freshness", "alerts", "rollups")

Wrap = Callable[[str, Callable[..., Any]], Callable[..., Any]]


class Part:
    """A part of a store as `wrap` shows it; its verbs are called `part.verb`."""

    def __init__(self, name: str, part: Any, wrap: Wrap) -> None:
        self._name = name
        self._part = part
        self._wrap = wrap

    def __getattr__(self, verb: str) -> Any:
        return self._wrap(f"{self._name}.{verb}", getattr(self._part, verb))
