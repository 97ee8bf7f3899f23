"""What a worker, its spawner and its child processes say to each other: JSON, never an object of code."""

import socket
import struct
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from rota.calls import Brief
from rota.core.lifecycle import Ending
from rota.core.model import ErrorReport, Outcome, Run
from rota.core.unique import UniqueRun
from rota.errors import BrokenFrame

MOST = 8 << 20
"""Bytes of one frame: the largest arguments and results are 1 MB."""

_LENGTH = struct.Struct("!I")

Heard = TypeVar("Heard")


class Setup(Struct, frozen=True, kw_only=True, tag="setup"):
    """To the spawner, first of all: what to import."""

    place: str
    preload: tuple[str, ...] = ()
    settings: Mapping[str, str] = {}
    """By key, as `settings.reading.written` writes them; no secrets."""


class Fork(Struct, frozen=True, kw_only=True, tag="fork"):
    """To the spawner: make a child. Comes with its control socket, standard output and error, and watch socket."""


class Sweep(Struct, frozen=True, kw_only=True, tag="sweep"):
    """To the spawner: a guardian has died, or does not answer any more. Comes with a socket that is closed when nothing
    is left of it and its tree."""

    guardian: int


ToSpawner = Setup | Fork | Sweep


class Born(Struct, frozen=True, kw_only=True, tag="born"):
    """From the guardian: the child is there."""

    guardian: int
    child: int


class NotBorn(Struct, frozen=True, kw_only=True, tag="not_born"):
    """From the spawner: there can be no child."""

    error: ErrorReport


class Gone(Struct, frozen=True, kw_only=True, tag="gone"):
    """From the guardian: the child has ended, and all its descendants with it."""

    status: int
    """As from `os.wait`."""
    left: int = 0
    """Descendants that could not be killed."""
    reason: str = ""
    """Why the guardian ended it, where nobody asked."""


FromGuardian = Born | NotBorn | Gone


class Kill(Struct, frozen=True, kw_only=True, tag="kill"):
    """To the guardian: a signal for the child's process group; of SIGKILL every descendant gets one."""

    number: int


class Start(Struct, frozen=True, kw_only=True, tag="start"):
    """To the child: run this."""

    brief: Brief
    started_at: datetime
    now: datetime
    """The worker's time, to anchor the child's clock."""
    max_memory: int | None = None
    max_cpu: timedelta | None = None


class Stop(Struct, frozen=True, kw_only=True, tag="stop"):
    """To the child: the attempt should end."""

    reason: str
    outcome: Outcome
    grace: timedelta


class Answer(Struct, frozen=True, kw_only=True, tag="answer"):
    """To the child: what became of an `Asked`."""

    number: int
    ids: list[str] = []
    error: ErrorReport | None = None


ToChild = Start | Stop | Answer


class Taken(Struct, frozen=True, kw_only=True, tag="taken"):
    """From the child: it has the brief; from here on the run may have had effects."""


class Ended(Struct, frozen=True, kw_only=True, tag="ended"):
    """From the child: how the attempt ended."""

    ending: Ending
    worn: str = ""
    """Why this child must not run anything else."""


class Logged(Struct, frozen=True, kw_only=True, tag="logged"):
    """From the child: a log record."""

    level: str
    source: str
    text: str


class Progressed(Struct, frozen=True, kw_only=True, tag="progressed"):
    """From the child: how far it has come."""

    done: int
    total: int | None = None


class Counted(Struct, frozen=True, kw_only=True, tag="counted"):
    """From the child: a number of the job's own, summed up."""

    job: str
    tenant: str | None
    name: str
    number: float
    times: int
    least: float
    most: float


class Recorded(Struct, frozen=True, kw_only=True, tag="recorded"):
    """From the child: how parts that the job measured by itself ended."""

    job: str
    tenant: str | None
    is_success: bool
    times: int


class Asked(Struct, frozen=True, kw_only=True, tag="asked"):
    """From the child: enqueue these."""

    number: int
    runs: list[Run] = []
    unique: list[UniqueRun] = []


FromChild = Taken | Ended | Logged | Progressed | Counted | Recorded | Asked


def encoded(frame: Struct) -> bytes:
    """Return a frame as JSON, without its length: for sockets that keep messages apart."""
    return msgspec.json.encode(frame, enc_hook=_as_dict)


def framed(frame: Struct) -> bytes:
    """Return a frame as JSON behind its length.

    Raises:
        BrokenFrame: it is longer than MOST.
    """
    text = encoded(frame)
    if len(text) > MOST:
        raise BrokenFrame(f"{len(text):,} bytes in one piece; the limit is {MOST:,}")
    return _LENGTH.pack(len(text)) + text


class Frames(Generic[Heard]):
    """Puts frames together again from bytes as they come."""

    def __init__(self, kind: object) -> None:
        self._decoder: msgspec.json.Decoder[Heard] = msgspec.json.Decoder(kind)
        self._bytes = bytearray()

    def feed(self, received: bytes) -> Iterator[Heard]:
        """Yield what is complete.

        Raises:
            BrokenFrame: too long, not JSON, or nothing that is said here. What follows cannot be read either.
        """
        self._bytes += received
        while len(self._bytes) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes)
            if length > MOST:
                raise BrokenFrame(f"a frame of {length:,} bytes; the limit is {MOST:,}")
            end = _LENGTH.size + length
            if len(self._bytes) < end:
                return
            text = bytes(self._bytes[_LENGTH.size : end])
            del self._bytes[:end]
            try:
                yield self._decoder.decode(text)
            except (msgspec.MsgspecError, ValueError) as error:
                raise BrokenFrame(f"not what is said on this line: {error}") from None


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets that keep messages apart."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _as_dict(value: object) -> object:
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise TypeError(f"{type(value).__name__} in a frame")
