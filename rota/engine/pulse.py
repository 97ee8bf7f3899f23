"""Asks the store once a second what there is to do, and wakes the services that do it.

Each of them asked by itself, once a second: sixteen statements a second of a process that had nothing to do, each in a
thread that had to be woken for it (decision 27). Nobody depends on the pulse: all look by themselves as well, every few
seconds, and as often as before while the pulse gets no answer.
"""

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

from rota.clock import Clock
from rota.core.liveness import LATE
from rota.ports import Store
from rota.queries import Sign

EVERY = timedelta(seconds=1)

REST = timedelta(seconds=10)
"""How long it takes until somebody looks by itself; less where heartbeats are close together, see `rest_for`."""

CHANNEL = "deliver "
"""What the names of those begin with that take alerts to a channel, each in a loop of its own."""

FRESH = timedelta(seconds=3)
"""How old an answer may be to be relied on."""


def rest_for(heartbeat: timedelta) -> timedelta:
    """Return how long somebody may wait for a sign without being taken for dead: the watchdog counts by heartbeats, see
    `liveness.is_late`."""
    return min(REST, (LATE - 1) * heartbeat)


class Pulse:
    """One statement for all; what it says is a hint, and whoever is woken looks by the verbs of the matter."""

    def __init__(self, store: Store, *, clock: Clock, every: timedelta = EVERY, rest: timedelta = REST) -> None:
        self._store = store
        self._clock = clock
        self._every = every
        self._rest = rest
        self._woken: list[tuple[frozenset[Sign], threading.Event]] = []
        self._before: frozenset[Sign] = frozenset()
        self._answered_at: float | None = None

    def wake(self, event: threading.Event, *, at: Iterable[Sign]) -> None:
        """Have an event set whenever one of these signs is there, or has just gone: a pause that was ended is no sign,
        and has to be seen."""
        self._woken.append((frozenset(at), event))

    def tick(self, now: datetime) -> timedelta:
        signs = self._store.signs(now=now)
        self._answered_at = self._clock.monotonic()
        changed = signs | self._before
        self._before = signs
        for at, event in self._woken:
            if not at.isdisjoint(changed):
                event.set()
        return self._every

    def rest(self, delay: timedelta) -> timedelta:
        """Return how long to wait for a sign, for one who would come back after `delay` to look by itself. Who is at
        something comes back sooner than the pulse, and is not held up."""
        at = self._answered_at
        is_fresh = at is not None and self._clock.monotonic() - at <= FRESH.total_seconds()
        if not is_fresh or delay < self._every:
            return delay
        return max(delay, self._rest)


SIGNS = {
    "standing": {Sign.CONTROL},
    "promoter": {Sign.RUN_DUE},
    "limiter": {Sign.RUN_ASIDE},
    "gatekeeper": {Sign.RUN_HELD, Sign.CONTROL},
    "closer": {Sign.ROUND_OVER},
    "scheduler": {Sign.SLOT_DUE},
    "flows": {Sign.RUN_HELD},
    "campaigns": {Sign.RUN_HELD, Sign.CONTROL},
}
"""For which signs each service looks, by its name; those that are not named keep to a rhythm of their own."""


def signs_for(service: str) -> set[Sign]:
    """Return the signs that a service is woken for; none where it looks by itself."""
    return {Sign.ALERT_WAITING} if service.startswith(CHANNEL) else SIGNS.get(service, set())
