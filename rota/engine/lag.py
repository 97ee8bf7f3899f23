"""Notices an event loop that does not come round."""

import logging
from datetime import datetime, timedelta
from typing import Protocol

from rota.core.events import LoopBlocked
from rota.core.model import Run
from rota.engine.bus import Bus

log: logging.Logger = logging.getLogger(__name__)


class Blocked(Protocol):
    """What holds a loop, and for how long."""

    @property
    def lag(self) -> timedelta: ...

    @property
    def run(self) -> Run | None: ...

    @property
    def stack(self) -> str: ...


class Watched(Protocol):
    """An executor with an event loop."""

    def blockage(self) -> Blocked | None:
        """Return what holds the loop if it has not come round since the last question."""


class LagWatch:
    """Says which coroutine blocks the loop of all others: one that calls `time.sleep`, or computes for long.

    Once for each blockage; it asks from a thread of its own, so a blocked loop cannot keep it from saying so.
    """

    def __init__(self, watched: Watched, *, bus: Bus, every: timedelta = timedelta(milliseconds=500)) -> None:
        self._watched = watched
        self._bus = bus
        self._every = every
        self._is_told = False

    def tick(self, now: datetime) -> timedelta:
        blocked = self._watched.blockage()
        if blocked is not None and not self._is_told:
            run = blocked.run
            log.warning(
                "the event loop has not come round for %.1f s; all coroutine jobs of this process wait for %s:\n%s",
                blocked.lag.total_seconds(),
                "code that is no job's" if run is None else f"job {run.job!r}",
                blocked.stack,
                extra={} if run is None else {"job": run.job, "run": run.id, "tenant": run.tenant},
            )
            self._bus.publish(LoopBlocked(lag=blocked.lag, run=run, stack=blocked.stack))
        self._is_told = blocked is not None
        return self._every
