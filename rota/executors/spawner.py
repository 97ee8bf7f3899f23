"""Imports the application once, and forks child processes from it: single-threaded, so that a fork is safe.

Worker -> spawner -> per child a guardian -> child. Whoever of them ends takes what is below it along.
"""

import gc
import logging
import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

import msgspec

from rota.clock import SystemClock
from rota.core.model import ErrorReport
from rota.executors.frames import Fork, NotBorn, Setup, Sweep, ToSpawner, encoded
from rota.executors.guardian import Wakening, end_with, guard
from rota.executors.kernel import become_subreaper, children, kill

log: logging.Logger = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often it looks whether its worker is still its parent. The end of the socket says so earlier, unless another
process holds a copy of it."""
LAST_S = 1.0
"""How long guardians have to clear away when the worker has ended, before all of them are killed."""

_messages: msgspec.json.Decoder[ToSpawner] = msgspec.json.Decoder(ToSpawner)


class Spawner:
    """Answers one worker until that ends."""

    def __init__(
        self, asked: socket.socket, *, load: Callable[[Setup], ErrorReport | None], run: Callable[[int], None]
    ) -> None:
        self._asked = asked
        self._load = load
        self._run = run
        self._pid = os.getpid()
        self._parent = os.getppid()
        self._failure: ErrorReport | None = None
        self._guardians: set[int] = set()
        self._wakening = Wakening(signal.SIGCHLD, signal.SIGTERM)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def serve(self) -> None:
        """Import what the first message says, then make children; return when the worker has ended."""
        become_subreaper()
        first = self._asked.recv(1 << 18)
        if not first:
            return
        self._prepare(_messages.decode(first))
        while signal.SIGTERM not in self._wakening.heard and os.getppid() == self._parent:
            heard: list[socket.socket | Wakening] = [self._asked, self._wakening]
            ready, _, _ = select.select(heard, [], [], LOOK_S)
            self._wakening.drain()
            self._clear_away()
            if self._asked in ready and not self._answer():
                break
        self._end_all()

    def _prepare(self, setup: ToSpawner) -> None:
        assert isinstance(setup, Setup), "the worker says first what to import"
        # An import may hang; its worker may end meanwhile, and nobody reads the socket yet.
        signal.signal(signal.SIGALRM, lambda *_: os._exit(0) if self._is_alone() else None)
        signal.setitimer(signal.ITIMER_REAL, LOOK_S, LOOK_S)
        self._failure = self._load(setup)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        if threading.active_count() > 1:
            log.warning(
                "importing the application starts threads: a lock that one of them holds stays locked in child "
                "processes; start them when they are first needed",
                extra={"threads": [thread.name for thread in threading.enumerate()]},
            )
        # Objects that live for ever: a collection in a child would write to the pages of all of them, and copy them.
        gc.collect()
        gc.freeze()

    def _is_alone(self) -> bool:
        # Not by reading: what the worker asked before it ended still stands in the line.
        end = select.poll()
        end.register(self._asked, 0)
        return os.getppid() != self._parent or bool(end.poll(0))

    def _answer(self) -> bool:
        """Do what the worker asks for; False when it is gone."""
        try:
            message, streams, _, _ = socket.recv_fds(self._asked, 4096, 4)
        except OSError:
            return False
        if not message:
            return False
        match _messages.decode(message):
            case Fork():
                self._fork(streams)
            case Sweep() as sweep:
                # Also one that has died: its end of a line closes before what it guarded becomes ours.
                kill(self._guardians & {sweep.guardian})
                self._await(sweep.guardian)
                self._clear_away()
        for stream in streams:
            os.close(stream)
        return True

    def _fork(self, streams: list[int]) -> None:
        control, out, err, watching = streams
        with socket.socket(fileno=os.dup(watching)) as watch:
            if self._failure is not None:
                with suppress(OSError):
                    watch.send(encoded(NotBorn(error=self._failure)))
                return
            try:
                pid = os.fork()
            except OSError as error:
                refusal = ErrorReport(type="ChildNotStarted", message=f"no child process could be made: {error}")
                with suppress(OSError):
                    watch.send(encoded(NotBorn(error=refusal)))
                return
            if pid == 0:
                self._asked.close()
                self._wakening.close()
                os.close(watching)
                end_with(lambda: guard(watch, (control, out, err), parent=self._pid, run=self._run))
            self._guardians.add(pid)

    def _await(self, guardian: int) -> None:
        if guardian in self._guardians:
            with suppress(ChildProcessError):
                os.waitpid(guardian, 0)
            self._guardians.discard(guardian)

    def _clear_away(self) -> None:
        """Reap what ended. What a guardian left behind when it was killed is ours now: kill it, and what it leaves."""
        while True:
            with suppress(ChildProcessError):
                while (ended := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                    self._guardians.discard(ended)
            orphans = set(children(self._pid)) - self._guardians
            if not orphans:
                return
            kill(orphans)
            for orphan in orphans:
                with suppress(ChildProcessError):
                    os.waitpid(orphan, 0)

    def _end_all(self) -> None:
        """End every guardian, and with it what it guards."""
        clock = SystemClock()
        kill(self._guardians, signal.SIGTERM)
        until = clock.monotonic() + LAST_S
        while self._guardians and clock.monotonic() < until:
            select.select([self._wakening], [], [], max(until - clock.monotonic(), 0.0))
            self._wakening.drain()
            self._clear_away()
        kill(self._guardians)
        for guardian in list(self._guardians):
            self._await(guardian)
        self._clear_away()
