"""The only file that asks what time it is, or sleeps."""

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """The only source of time. Instants come from `now`, durations from `monotonic`; never subtract one from the
    other."""

    def now(self) -> datetime:
        """Return the store's time, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that only grow."""

    def new_id(self) -> str:
        """Return a new id of 32 hexadecimal digits; later ids of one process sort after earlier ones."""

    def anchor(self, store_now: datetime) -> timedelta:
        """Take the store's time as now, and return by how much this clock was behind it."""

    def sleep(self, duration: timedelta) -> None:
        """Return when so much time has passed: for those who poll for somebody else's work."""


class Ids:
    """Ids of 32 hexadecimal digits, of which later ones sort after earlier ones: UUIDs of version 7.

    48 bits of milliseconds, 12 bits that count within the millisecond, and 62 random bits: ids of one process sort in
    the order they were made, those of several processes to the millisecond.
    """

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._last = 0

    def new(self, *, millis: int) -> str:
        """Return an id of this millisecond since the epoch, or right after the last one if that is later."""
        with self._one_at_a_time:
            tick = max(millis << 12, self._last + 1)
            self._last = tick
        random = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
        return f"{(tick >> 12):012x}7{(tick & 0xFFF):03x}{(2 << 62 | random):016x}"


class SystemClock:
    """Wall time anchored to the store's clock and moved by the monotonic one.

    Until it is anchored it follows this host's clock as it was at start. A step of the host's wall clock does not
    move it.
    """

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()
        self._ids = Ids()

    def now(self) -> datetime:
        # On the way of every run, and a third faster than to add a timedelta.
        return datetime.fromtimestamp(self._offset + time.monotonic(), UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def anchor(self, store_now: datetime) -> timedelta:
        """Take the store's time as now, and return by how much this clock was behind it.

        A difference below 50 ms is the way there and back, not a clock: it is left alone, so that `now` does not
        jitter.
        """
        behind = store_now - self.now()
        if abs(behind) >= timedelta(milliseconds=50):
            self._offset += behind.total_seconds()
        return behind

    def new_id(self) -> str:
        return self._ids.new(millis=int(time.time() * 1000))

    def sleep(self, duration: timedelta) -> None:
        sleep(duration)


class ReplaceableClock:
    """Another clock, until a test puts a third in its place: all parts of an application hold this one.

    What it has are the bound methods of the other, so that going through it costs nothing.
    """

    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    new_id: Callable[[], str]
    anchor: Callable[[datetime], timedelta]
    sleep: Callable[[timedelta], None]

    def __init__(self, clock: Clock) -> None:
        self.use(clock)

    def use(self, clock: Clock) -> None:
        """Go by this clock from now on."""
        self.clock = clock
        self.now, self.monotonic = clock.now, clock.monotonic
        self.new_id, self.anchor, self.sleep = clock.new_id, clock.anchor, clock.sleep


def sleep(duration: timedelta) -> None:
    """Sleep. For the few who wait without a stop signal: command-line polls."""
    time.sleep(duration.total_seconds())


def id_after(instant: datetime) -> str:
    """Return what sorts after every id that was made by this instant, and before those of later milliseconds."""
    return f"{max(0, to_micros(instant)) // 1000 + 1:012x}"


def to_micros(instant: datetime) -> int:
    """Return microseconds since the epoch; exact."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """Return the instant, in UTC, that `to_micros` turned into a number."""
    return EPOCH + timedelta(microseconds=micros)
