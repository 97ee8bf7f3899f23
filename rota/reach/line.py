"""A connection on which time and bytes are counted, whatever reads from it."""

import io
import socket
from typing import Any

from rota.clock import Clock


class TooMuch(OSError):
    """More came than may come."""


class Line(io.RawIOBase):
    """What a reader of HTTP takes for a socket: it ends when the time is up, however slowly bytes drip in."""

    def __init__(self, connection: socket.socket, *, clock: Clock, deadline: float, most: int) -> None:
        super().__init__()
        self._connection = connection
        self._clock = clock
        self._deadline = deadline
        self.left = most
        """How many bytes may still come."""

    def send(self, request: bytes) -> None:
        """Send all of it; the time-out of `sendall` is for the whole."""
        self._allow_time()
        self._connection.sendall(request)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.left <= 0:
            raise TooMuch
        self._allow_time()
        with memoryview(buffer) as view:
            count = self._connection.recv_into(view[: self.left])
        self.left -= count
        return count

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return the file that is read from."""
        return io.BufferedReader(self)

    def _allow_time(self) -> None:
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
