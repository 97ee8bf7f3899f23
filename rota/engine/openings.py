"""Which limits may have a place free for runs that stand aside for them (R35)."""

import threading
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from rota.core.limits import Bounds, Limit, LimitScope, known_as, place_of, reopened
from rota.core.model import Settlement
from rota.engine.standing import Standing
from rota.ports import Store

AT_ONCE = 50
"""Of how many limits that were found open a claim is told. The next is told of the next ones."""

SOONEST = timedelta(milliseconds=2)


class Openings:
    """What a worker tells with its claims: the limits of the runs that it settles in the same call, and those that a
    look has found open.

    Claims count exactly, whatever they are told: one that was missed here is found by the next look.
    """

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._found: deque[str] = deque()
        self._bounds = Bounds(())
        self._limits: tuple[Limit, ...] = ()

    @property
    def limits(self) -> tuple[Limit, ...]:
        """The limits that hold now."""
        return self._standing.limits

    def find(self, names: Iterable[str]) -> None:
        """Take note of what is open, in place of what was known before. Safe from any thread."""
        self._found = deque(names)

    def after(self, settlements: Iterable[Settlement]) -> tuple[str, ...]:
        """Return the limits that may be open once these are settled, those first that they free."""
        limits, found = self._standing.limits, self._found
        if limits is not self._limits:
            self._limits, self._bounds = limits, Bounds(limits)
        names: dict[str, None] = {}
        if limits:
            names = dict.fromkeys(name for one in settlements for name in self._bounds.names(place_of(one.run)))
        some = min(AT_ONCE, len(found))
        names |= dict.fromkeys(found[index] for index in range(some))
        found.rotate(-some)
        return tuple(names)


class Limiter:
    """Looks for limits with places free that runs stand aside for: raised ones, windows that have passed, and what
    those that claimed last could not take.

    It comes back as soon as the next window passes: a rate is used in full.
    """

    def __init__(
        self,
        store: Store,
        *,
        standing: Standing,
        openings: Openings,
        wake: threading.Event,
        every: timedelta = timedelta(seconds=1),
    ) -> None:
        """`wake` is what the worker waits for."""
        self._store = store
        self._standing = standing
        self._openings = openings
        self._wake = wake
        self._every = every

    def tick(self, now: datetime) -> timedelta:
        _, next_at = self.look(now)
        return self._every if next_at is None else max(SOONEST, min(self._every, next_at - now))

    def look(self, now: datetime) -> tuple[bool, datetime | None]:
        """Tell the worker what is open, and return whether anything is, and when the next opens by time alone."""
        limits = self._standing.limits
        names, next_at = reopened(limits, self._store.limit_use(limits, now=now), now=now)
        stopped = self._stopped()
        open_ = [name for name in names if name not in stopped]
        self._openings.find(open_)
        if open_:
            self._wake.set()
        return bool(open_), next_at

    def _stopped(self) -> set[str]:
        """Return the limits whose runs may not begin in any case."""
        standing = self._standing
        return {
            *(known_as(LimitScope.TENANT, name) for name in standing.held_tenants),
            *(known_as(LimitScope.JOB, name) for name in standing.paused_jobs),
            *(known_as(LimitScope.QUEUE, name) for name in standing.paused_queues),
        }
