"""A clock that stands still until a test moves it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from rota.clock import EPOCH, Ids
from rota.core.duration import parse_duration

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
"""A Monday, at noon."""

_ids = Ids()
"""Of all clocks together: two of them may feed one store."""


class FakeClock:
    """The time of an application under test, from Monday, 5 January 2026, noon UTC, unless another start is given."""

    def __init__(self, now: datetime = START) -> None:
        if now.tzinfo is None:
            raise ValueError(f"FakeClock({now!r}): it needs an aware datetime, with its zone")
        self._now = now.astimezone(UTC)
        self._monotonic = 1000.0
        self._lock = threading.Lock()
        self.on_sleep: Callable[[], object] | None = None
        """Called whenever somebody sleeps by this clock: the one thread of a test has to do what is waited for."""

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def new_id(self) -> str:
        return _ids.new(millis=(self._now - EPOCH) // timedelta(milliseconds=1))

    def anchor(self, store_now: datetime) -> timedelta:
        with self._lock:
            behind = store_now - self._now
            self._now = store_now
        return behind

    def sleep(self, duration: timedelta) -> None:
        self.advance(duration)
        if self.on_sleep is not None:
            self.on_sleep()

    def advance(self, by: timedelta | str) -> datetime:
        """Let time pass, `"1h30m"` or a timedelta, and return the new instant.

        Nothing happens by itself: `Captured.advance` also works off what comes due on the way.

        Raises:
            ValueError: it runs backwards, or is no duration.
        """
        duration = as_duration(by)
        with self._lock:
            self._now += duration
            self._monotonic += duration.total_seconds()
            return self._now

    def step(self, by: timedelta) -> datetime:
        """Set the wall clock forward or back, as an administrator does; no time passes."""
        with self._lock:
            self._now += by
            return self._now


def as_duration(by: timedelta | str) -> timedelta:
    """Return a duration, given as such or as text, that is not below zero."""
    duration = parse_duration(by) if isinstance(by, str) else by
    if duration < timedelta(0):
        raise ValueError(f"{by}: time does not run backwards; step() turns the wall clock back")
    return duration
