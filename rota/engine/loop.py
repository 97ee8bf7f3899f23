"""Drives services: the only owner of threads besides the executors."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from rota.clock import Clock, sleep
from rota.core.events import ServiceFailed
from rota.core.model import ErrorReport
from rota.engine.bus import Bus
from rota.redaction import redacted

log: logging.Logger = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(milliseconds=200)
MOST_WAIT = timedelta(milliseconds=250)
"""For a sign of work; short, since a process that ends waits for this."""

STANDS_BACK = timedelta(microseconds=300)

LONGEST_PAUSE = timedelta(seconds=5)
"""After a store comes back, every loop is at work again within this time."""


class Service(Protocol):
    def tick(self, now: datetime) -> timedelta:
        """Do one pass, and return when to come back."""


class Loop:
    """One thread that ticks one service until it is stopped.

    A tick that raises is logged, published, and repeated after a growing pause: a store that is away for a minute
    stops nobody for good.
    """

    def __init__(
        self,
        name: str,
        service: Service,
        *,
        clock: Clock,
        bus: Bus,
        stamps: dict[str, datetime],
        wake: threading.Event | None = None,
        rest: Callable[[timedelta], timedelta] | None = None,
    ) -> None:
        """`wake` ends a wait; `rest` says how long one may be, where somebody sets that when there is work."""
        self.name = name
        self._service = service
        self._clock = clock
        self._bus = bus
        self._stamps = stamps
        self._wake = wake or threading.Event()
        self._rest = rest
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=f"rota-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the loop to end after its present tick."""
        self._stopped = True
        self._wake.set()

    def join(self, timeout: timedelta) -> bool:
        """Wait for the thread's end, if it was started; return whether it has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout.total_seconds())
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopped:
            # Before it looks: what wakes it from now on may be what it does not see.
            self._wake.clear()
            try:
                delay = self._service.tick(self._clock.now())
                pause = FIRST_PAUSE
            except Exception as error:
                log.error("%s: %s: %s; again in %s", self.name, type(error).__name__, error, pause)
                log.debug("the traceback of that", exc_info=True)
                report = ErrorReport(type=type(error).__qualname__, message=redacted(str(error)))
                self._bus.publish(ServiceFailed(service=self.name, error=report))
                self._pause(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            self._stamps[self.name] = self._clock.now()
            if self._rest is not None:
                delay = self._rest(delay)
            if delay > timedelta(0) and not self._stopped:
                self._wake.wait(delay.total_seconds())

    def _pause(self, pause: timedelta) -> None:
        ended = self._clock.monotonic() + pause.total_seconds()
        # Not one wait: a wake-up for work must not end the pause after an error.
        while not self._stopped and (left := ended - self._clock.monotonic()) > 0:
            threading.Event().wait(min(left, 0.1))


class Waiter:
    """Waits at the store for a sign that work may have come, and wakes the worker."""

    def __init__(self, wait: Callable[[timedelta], bool], wake: threading.Event, *, hungry: threading.Event) -> None:
        """`hungry` is set while the worker has places for what may come: a busy one has its processor time for itself,
        and looks by itself once places are free."""
        self._wait = wait
        self._wake = wake
        self._hungry = hungry

    def tick(self, now: datetime) -> timedelta:
        if self._hungry.wait(MOST_WAIT.total_seconds()) and self._wait(MOST_WAIT):
            self._wake.set()
            # This thread goes back to wait, the worker's is in a hurry, and there is one interpreter for both.
            sleep(STANDS_BACK)
        return timedelta(0)
