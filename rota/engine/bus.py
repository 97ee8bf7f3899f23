"""Hands events to their subscribers."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

from rota.core.events import Event

log: logging.Logger = logging.getLogger(__name__)

Subscriber = Callable[[Any], object]


class Bus:
    """Calls every subscriber of an event's class, or of a class above it, in the order they subscribed.

    In the thread that publishes: a subscriber that is slow should only take note. One that raises is logged and
    harms nobody else.
    """

    def __init__(self) -> None:
        self._subscribers: dict[type[Event], list[Subscriber]] = {}
        self._resolved: dict[type[Event], Sequence[Subscriber]] = {}

    def on(self, kind: type[Event], subscriber: Subscriber) -> None:
        self._subscribers.setdefault(kind, []).append(subscriber)
        self._resolved.clear()

    def wants(self, kind: type[Event]) -> bool:
        """Return whether anybody listens: an event nobody hears need not be built."""
        return bool(self._of(kind))

    def publish(self, event: Event) -> None:
        for subscriber in self._of(type(event)):
            try:
                subscriber(event)
            except Exception:
                log.exception("a subscriber of %s failed", type(event).__name__)

    def _of(self, kind: type[Event]) -> Sequence[Subscriber]:
        found = self._resolved.get(kind)
        if found is None:
            found = [one for known, many in self._subscribers.items() if issubclass(kind, known) for one in many]
            self._resolved[kind] = found
        return found
