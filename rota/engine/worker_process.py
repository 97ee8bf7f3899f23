"""The life of a worker process: it waits for the store, works, and ends when it is told to or left alone."""

import faulthandler
import logging
import os
import selectors
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

from rota.clock import Clock
from rota.engine.bus import Bus
from rota.engine.channel import Channel, Dead, Ended, Hurry, Ready
from rota.engine.child import HURRY_S
from rota.engine.crew import Crew
from rota.engine.loop import FIRST_PAUSE, LONGEST_PAUSE, Loop
from rota.engine.maintenance import Neighbours
from rota.engine.restart import REPLACE
from rota.engine.signals import Signals
from rota.errors import StoreUnavailable

log: logging.Logger = logging.getLogger(__name__)

LOOKS_EVERY = timedelta(milliseconds=250)
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
GIVEN_UP = 143


class Orders:
    """What this process is told, by its supervisor and by signals; heard from a thread of its own.

    So that it is heard whatever the main thread does: import an application, migrate a store, drain.
    """

    def __init__(self, channel: Channel, *, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock
        self._signals = Signals(SIGNALS)
        faulthandler.register(signal.SIGUSR1, all_threads=True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._signals, selectors.EVENT_READ)
        self._selector.register(channel, selectors.EVENT_READ)
        self._over_at: float | None = None
        self.asked: threading.Event = threading.Event()
        """Set when this process is to drain and end."""
        self.at_once: threading.Event = threading.Event()
        """Set when it must not wait for its runs."""
        self.dead: deque[Dead] = deque()
        """The workers whose runs are free."""
        self.died: threading.Event = threading.Event()
        """Set with each of them."""

    def start(self) -> None:
        Loop("orders", self, clock=self._clock, bus=Bus(), stamps={}).start()

    def tick(self, now: datetime) -> timedelta:
        left = None if self._over_at is None else max(self._over_at - self._clock.monotonic(), 0.0)
        self._selector.select(left)
        # SIGINT and SIGHUP are for the supervisor. A second SIGTERM says nothing new: one comes from the supervisor,
        # and where systemd signals every process of a unit, another one from there.
        if signal.SIGTERM in self._signals.read():
            self.asked.set()
        for message in self._channel.receive():
            match message:
                case Dead():
                    self.dead.append(message)
                    self.died.set()
                case Hurry():
                    self._hurry()
                case _:
                    log.warning("the supervisor says what only a worker process may")
        if self._channel.is_over and self._channel.fileno() in self._selector.get_map():
            self._selector.unregister(self._channel)
            log.warning("the supervisor is gone: this worker process ends")
            self._hurry()
        if self._over_at is not None and self._clock.monotonic() >= self._over_at:
            # The main thread hangs: at a store, in a migration, in the application. Leases will end.
            os._exit(GIVEN_UP)
        return timedelta(0)

    def tell(self, message: Ready | Ended) -> None:
        self._channel.send(message)

    def take_signals(self) -> None:
        """Have the signals again, after the application was imported. In the main thread."""
        self._signals.take()

    def _hurry(self) -> None:
        self.at_once.set()
        self.asked.set()
        if self._over_at is None:
            # Not quite as long as whoever waits for it: a supervisor, or a person counting processes.
            self._over_at = self._clock.monotonic() + HURRY_S - 0.5


class Burials:
    """Frees the runs of workers that the supervisor saw die."""

    def __init__(self, orders: Orders, neighbours: Neighbours) -> None:
        self._orders = orders
        self._neighbours = neighbours

    def tick(self, now: datetime) -> timedelta:
        self._orders.died.clear()
        dead = self._orders.dead
        while dead:
            # It stays until it is done: with the store away, the loop tries again.
            self._neighbours.bury(dead[0].worker, reason=dead[0].reason, now=now)
            dead.popleft()
        return timedelta(minutes=1)


def work(orders: Orders, make: Callable[[], Crew], *, ready: Callable[[Crew], Ready], clock: Clock) -> int:
    """Work until told to end, and return the exit code. The main thread only waits."""
    orders.take_signals()
    crew = _started(orders, make)
    if crew is None:
        orders.tell(Ended(clean=True))
        return 0
    neighbours = crew.services["neighbours"]
    assert isinstance(neighbours, Neighbours), "the crew of every process has them"
    Loop("burials", Burials(orders, neighbours), clock=clock, bus=Bus(), stamps={}, wake=orders.died).start()
    orders.tell(ready(crew))
    while not orders.asked.wait(LOOKS_EVERY.total_seconds()):
        if crew.must_end.is_set():
            log.error("a job goes on though its time to stop is over: this worker process is replaced")
            crew.abandon()
            return REPLACE
    clean = crew.stop(at_once=orders.at_once)
    orders.tell(Ended(clean=clean))
    return 0


def end(code: int) -> None:
    """End this process now. Threads that a job left behind, daemons or not, do not hold it up."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _started(orders: Orders, make: Callable[[], Crew]) -> Crew | None:
    """Return the crew, working; None when this process is told to end before the store is there."""
    crew: Crew | None = None
    pause = FIRST_PAUSE
    while not orders.asked.is_set():
        try:
            crew = crew or make()
            crew.start()
            return crew
        except StoreUnavailable as error:
            log.warning("the store is away: %s; again in %.1f s", error, pause.total_seconds())
        orders.asked.wait(pause.total_seconds())
        pause = min(pause * 2, LONGEST_PAUSE)
    return None
