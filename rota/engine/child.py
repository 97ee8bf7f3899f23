"""One worker process, as its supervisor has it."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress

from rota.engine.channel import Channel, Dead, Hurry, Message, Ready
from rota.engine.signals import held_back

HELD_BACK = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)

READY_WITHIN_S = 60.0
"""How long a process that is to replace another has until it works."""

PATIENCE_S = 90.0
"""How long a process that never said its own may take to end after it was asked to."""

HURRY_S = 5.0
"""How long it may take to give back what it has when it must not wait for anything."""

Command = Callable[[int, int], Sequence[str]]
"""The command line of a worker process: by the number of its place, and of its end of the channel."""


class Child:
    """A process with a channel to it. Times are those of the monotonic clock."""

    def __init__(self, command: Command, *, place: int, at: float, keeps: Sequence[int] = ()) -> None:
        """Start it. `keeps`: descriptors of ours that it has too, by the same numbers.

        Raises:
            OSError: the host has no room for another process.
        """
        ours, theirs = socket.socketpair()
        try:
            with held_back(HELD_BACK):
                self.process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603  our own command line
                    command(place, theirs.fileno()),
                    stdin=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(), *keeps),
                    # A terminal's Ctrl-C is for the supervisor, which lets the work drain.
                    start_new_session=True,
                )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self.channel: Channel = Channel(ours)
        self.place: int = place
        self.started_at: float = at
        self.ready: Ready | None = None
        self.ended_clean: bool | None = None
        """What it said of its own end; None as long as it has said nothing."""
        self.kill_at: float | None = None
        """When it is killed if it has not ended by itself."""

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def can_bury(self) -> bool:
        """Whether it can free the runs of another."""
        return self.ready is not None and self.ended_clean is None and not self.channel.is_over

    def ask_to_end(self, *, at: float) -> None:
        """Let it drain, once: what comes from elsewhere, such as systemd's signal to all processes, changes nothing."""
        if self.kill_at is None:
            self.kill_at = at + (self.ready.patience_s if self.ready else PATIENCE_S)
            self.signal(signal.SIGTERM)

    def hurry(self, *, at: float) -> None:
        """Have it end at once, giving back what it has."""
        self.ask_to_end(at=at)
        self.kill_at = at + HURRY_S
        self.channel.send(Hurry())

    def bury(self, dead: Dead) -> bool:
        """Have it free the runs of another, and return whether it was told."""
        return self.channel.send(dead)

    def receive(self) -> list[Message]:
        return self.channel.receive()

    def signal(self, number: signal.Signals) -> None:
        # It is not reaped before its end is known, so this is nobody else's pid.
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def has_ended(self, code: int) -> None:
        """Take note that it was reaped."""
        self.process.returncode = code
        self.channel.close()
