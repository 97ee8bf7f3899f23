"""Signals as something to wait for, together with everything else."""

import os
import signal
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Signals:
    """Writes each signal's number into a pipe that can be waited for.

    The kernel's signal reaches the pipe whatever the main thread is doing, also within a call that takes long. No
    decision is made in a handler: it may stand in the midst of anything, with any lock held. For the main thread.
    """

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self._numbers = tuple(numbers)
        self._read, self._write = socket.socketpair()
        self._read.setblocking(False)
        self._write.setblocking(False)
        self.take()

    def take(self) -> None:
        """Have these signals from now on; again after code that may have taken them, such as an application's."""
        signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        for number in self._numbers:
            signal.signal(number, _noted)
        # Whoever started this process may have held them back until there is somebody to take them.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._numbers)

    def fileno(self) -> int:
        return self._read.fileno()

    def read(self) -> list[int]:
        """Return the numbers that have come, oldest first."""
        try:
            return [number for number in self._read.recv(4096) if number in self._numbers]
        except BlockingIOError:
            return []

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        self._read.close()
        self._write.close()


@contextmanager
def held_back(numbers: Iterable[signal.Signals]) -> Iterator[None]:
    """Hold these signals back in this thread, and in processes that are started here until they take them.

    One that comes before a new process has its handlers would end it as if it were unknown.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def has_terminal() -> bool:
    """Whether this process has a terminal that controls it; one that hung up is none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _noted(*_: object) -> None:
    """Python writes the number into the pipe before it calls this."""
