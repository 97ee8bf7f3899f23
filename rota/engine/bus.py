"""Hands events to their subscribers."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
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
        # Replaced and never changed: while one thread subscribes, others publish.
        self._subscribers: Mapping[type[Event], Sequence[Subscriber]] = {}
        self._resolved: dict[type[Event], Sequence[Subscriber]] = {}
        self._one_subscribes = threading.Lock()

    def on(self, kind: type[Event], subscriber: Subscriber) -> None:
        with self._one_subscribes:
            self._subscribers = {**self._subscribers, kind: [*self._subscribers.get(kind, ()), subscriber]}
            # A new one, after the line above: what a thread resolves meanwhile goes into the old one, and is forgotten.
            self._resolved = {}

    def off(self, kind: type[Event], subscriber: Subscriber) -> None:
        """Call this one no more. It may be called once more where an event is published right now."""
        with self._one_subscribes:
            left = [one for one in self._subscribers.get(kind, ()) if one != subscriber]
            self._subscribers = {**self._subscribers, kind: left}
            self._resolved = {}

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
        resolved = self._resolved
        found = resolved.get(kind)
        if found is None:
            found = [one for known, many in self._subscribers.items() if issubclass(kind, known) for one in many]
            resolved[kind] = found
        return found
