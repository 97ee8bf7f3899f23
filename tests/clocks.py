"""A clock that stands still until a test moves it."""

import threading
from datetime import datetime, timedelta

from tests.values import NOON, new_id


class FakeClock:
    """A `Clock` whose instants and durations move by `tick`, and whose wall alone moves by `step`."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._monotonic = 1000.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def new_id(self) -> str:
        return new_id()

    def anchor(self, store_now: datetime) -> timedelta:
        with self._lock:
            behind = store_now - self._now
            self._now = store_now
        return behind

    def tick(self, duration: timedelta) -> datetime:
        """Let time pass, and return the new instant."""
        assert duration >= timedelta(0), "time does not run backwards; step() turns the wall clock back"
        with self._lock:
            self._now += duration
            self._monotonic += duration.total_seconds()
            return self._now

    def step(self, by: timedelta) -> datetime:
        """Set the wall clock forward or back, as an administrator does; no time passes."""
        with self._lock:
            self._now += by
            return self._now
