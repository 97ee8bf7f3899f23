"""What a supervisor and its worker processes tell each other: lines of JSON over a pair of sockets."""

import socket

import msgspec
from msgspec import Struct

from rota.errors import ConfigurationError

MOST_BYTES = 65536


class Ready(Struct, frozen=True, kw_only=True, tag="ready"):
    """From a worker process: it works. What its supervisor cannot know without importing the application."""

    worker: str
    jobs: int
    queues: tuple[str, ...]
    processes: int
    """How many such processes there are to be, by the settings of the application."""
    patience_s: float
    """How long it may take to end after it was asked to."""
    is_alone: bool = False
    """Whether its store lives in its memory: a second process would not see the same runs."""


class Ended(Struct, frozen=True, kw_only=True, tag="ended"):
    """From a worker process: it drained, and ends now."""

    clean: bool
    """Whether every run had ended; what had not was given back."""


class Dead(Struct, frozen=True, kw_only=True, tag="dead"):
    """From the supervisor: a worker's process is gone, so its runs are free."""

    worker: str
    reason: str


class Hurry(Struct, frozen=True, kw_only=True, tag="hurry"):
    """From the supervisor: give back what runs and end, without waiting for it."""


Message = Ready | Ended | Dead | Hurry


class Channel:
    """One end of the pair. Nothing here waits: an end that reads slowly must not hold up the other."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._rest = b""
        self.is_over: bool = False
        """Whether the process at the other end has gone."""

    @classmethod
    def inherited(cls, number: int) -> "Channel":
        """Return the end that this process was started with.

        Raises:
            ConfigurationError: it was not; only a supervisor starts worker processes.
        """
        try:
            end = socket.socket(fileno=number)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"no supervisor is at descriptor {number}: start it with `rota start`") from error
        # A process that a job starts must not hold it open: its end tells that the supervisor is gone.
        end.set_inheritable(False)
        return cls(end)

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, message: Message) -> bool:
        """Send, and return whether it went out. A process that does not read for so long has other troubles."""
        try:
            return self._end.send(msgspec.json.encode(message) + b"\n") > 0
        except OSError:
            return False

    def receive(self) -> list[Message]:
        """Return what has come, oldest first."""
        while not self.is_over:
            try:
                came = self._end.recv(MOST_BYTES)
            except BlockingIOError:
                break
            except OSError:
                came = b""
            self.is_over = not came
            self._rest += came
        *lines, self._rest = self._rest.split(b"\n")
        return [msgspec.json.decode(line, type=Message) for line in lines]

    def close(self) -> None:
        self._end.close()
