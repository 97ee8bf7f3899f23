"""Waking a worker as soon as work may have come. A hint: losing one costs a poll, never a run."""

import math
import os
import select
import threading
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

from rota.clock import SystemClock

BACK_AFTER = 1.0
"""How many seconds a source that failed is left alone."""
NEVER = math.inf
FOLLOW = 0.05
"""How often a thread that waits behind another looks whether it has to take over."""


class Source(Protocol):
    """Where other processes' work shows."""

    pause: float
    """In how many seconds to look again, whatever shows by then. May be another after each look; `NEVER` where all
    that comes shows at the descriptor."""
    errors: tuple[type[Exception], ...]

    def open(self) -> int | None:
        """Connect, and return a descriptor that becomes readable when work may have come, if there is such a thing."""

    def came(self) -> bool:
        """Return whether work may have come since the last look."""

    def tell(self) -> None:
        """Tell other processes that work came, if they would not see it."""

    def close(self) -> None:
        """Disconnect."""

    def forget(self) -> None:
        """Let go of a connection without closing it: it is the parent process's."""


class Waking:
    """Wakes each thread of this process once for what came since it last waited.

    One of the threads that wait looks at the source, on behalf of all.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._clock = SystemClock()
        self._rung = threading.Condition()
        self._times = 0
        self._closed = False
        self._seen = threading.local()
        self._watching = threading.Lock()
        self._is_open = False
        self._descriptor: int | None = None
        self._back_at = 0.0
        self._pipe: tuple[int, int] | None = None

    def ring(self) -> None:
        """Say that something was queued: to this process, and to others where they would not see it."""
        self._wake()
        # A worker that misses it finds the work with its next poll.
        with suppress(*self._source.errors):
            self._source.tell()

    def _wake(self) -> None:
        with self._rung:
            self._times += 1
            self._rung.notify_all()
            if self._pipe is not None:
                # A full pipe is rung already.
                with suppress(BlockingIOError):
                    os.write(self._pipe[1], b"!")

    def wait(self, timeout: timedelta) -> bool:
        """Return True when something may have been queued since this thread last waited, False after `timeout`."""
        until = self._clock.monotonic() + timeout.total_seconds()
        came = self._has_come()
        while not came and not self._closed:
            left = max(0.0, until - self._clock.monotonic())
            if self._watching.acquire(blocking=False):
                try:
                    self._watch(left)
                finally:
                    self._watching.release()
            else:
                with self._rung:
                    self._rung.wait(min(left, FOLLOW))
            came = self._has_come()
            if not left:
                break
        with self._rung:
            self._seen.times = self._times
        return came

    def _has_come(self) -> bool:
        with self._rung:
            return self._times != getattr(self._seen, "times", 0)

    def _watch(self, left: float) -> None:
        """Look at the source, wait for it or for this process, and look again."""
        try:
            if not self._is_open and self._clock.monotonic() >= self._back_at:
                self._descriptor = self._source.open()
                self._is_open = True
            if self._is_open and self._source.came():
                self._wake()
                return
        except self._source.errors:
            self._leave()
        left = min(left, self._source.pause if self._is_open else BACK_AFTER)
        if left:
            self._sleep(left)

    def _sleep(self, seconds: float) -> None:
        with self._rung:
            if self._times != getattr(self._seen, "times", 0) or self._closed:
                return
            if self._pipe is None:
                self._pipe = os.pipe()
                os.set_blocking(self._pipe[0], False)
                os.set_blocking(self._pipe[1], False)
            awake = self._pipe[0]
        poll = select.poll()
        poll.register(awake, select.POLLIN)
        if self._descriptor is not None:
            poll.register(self._descriptor, select.POLLIN)
        # Rounded up, or the last millisecond would be spent in a busy loop.
        poll.poll(math.ceil(seconds * 1000))
        with suppress(BlockingIOError):
            os.read(awake, 4096)

    def _leave(self) -> None:
        """Let go of a source that failed; look for it again in a while."""
        self._is_open, self._descriptor = False, None
        self._back_at = self._clock.monotonic() + BACK_AFTER
        with suppress(*self._source.errors):
            self._source.close()

    def after_fork(self) -> None:
        """Start anew in a child process; what the parent opened stays open, and the parent's."""
        self._rung, self._watching = threading.Condition(), threading.Lock()
        self._is_open, self._descriptor, self._pipe = False, None, None
        self._source.forget()

    def close(self) -> None:
        """End all waits."""
        self._closed = True
        self._wake()
        with self._watching, self._rung:
            # Also one that was only told through.
            self._leave()
            for descriptor in self._pipe or ():
                os.close(descriptor)
            self._pipe = None
