"""A worker's ends of one child process: what it says, prints, and how its guardian says that it ended."""

import os
import socket
from contextlib import suppress

import msgspec

from rota.executors.frames import Born, FromGuardian, Gone, Kill, NotBorn, encoded
from rota.executors.kernel import children

_from_guardian: msgspec.json.Decoder[FromGuardian] = msgspec.json.Decoder(FromGuardian)


class Child:
    """One child process, from the request for it to its end."""

    def __init__(self, *, control: socket.socket, out: int, err: int, watch: socket.socket) -> None:
        self.control: socket.socket = control
        self.out: int = out
        self.err: int = err
        self.watch: socket.socket = watch
        self.born: Born | None = None
        self.refusal: NotBorn | None = None
        self.gone: Gone | None = None
        self.runs: int = 0
        """How many it has executed."""
        self.limits: str = ""
        """The name of the job whose limits it has; empty without limits."""
        for stream in (out, err):
            os.set_blocking(stream, False)
        control.setblocking(False)
        watch.setblocking(False)

    def listen(self) -> bool:
        """Take in what the guardian says; False when there is nobody any more to say anything."""
        while True:
            try:
                message = self.watch.recv(1 << 16)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not message:
                return False
            match _from_guardian.decode(message):
                case Born() as born:
                    self.born = born
                case NotBorn() as refusal:
                    self.refusal = refusal
                case Gone() as gone:
                    self.gone = gone

    def signal(self, number: int) -> None:
        """Have the guardian send a signal to the child's group; SIGKILL goes to every descendant."""
        with suppress(OSError):
            self.watch.send(encoded(Kill(number=number)))

    def has_offspring(self) -> bool:
        """Whether other processes than the child itself are left of what it did."""
        assert self.born is not None, "asked of a child that has just ended a run"
        return bool(children(self.born.child)) or children(self.born.guardian) != [self.born.child]

    def close(self) -> None:
        """Let go of it; a guardian that still lives notices, and ends the child."""
        self.control.close()
        self.watch.close()
        for stream in (self.out, self.err):
            os.close(stream)
