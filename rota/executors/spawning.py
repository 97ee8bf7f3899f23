"""A worker's side of its spawner: starts it, asks it for children, replaces it when it has died."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from urllib.parse import unquote, urlsplit

from rota.executors.child_handle import Child
from rota.executors.frames import Fork, Setup, Sweep, encoded, pair
from rota.redaction import secrets_of_url

PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[2]); from rota.child import main; main(int(sys.argv[1]))"
"""The program stands above this floor. The search path comes along: a test or a notebook may have changed it."""

ENDS_WITHIN_S = 3.0
"""How long a spawner has to end its children when its worker ends, before it is killed itself."""


class Spawning:
    """Makes children. Safe from any thread."""

    def __init__(self, setup: Setup, *, environment: Sequence[str], withheld: Collection[str]) -> None:
        self._setup = setup
        self._environment = environment
        self._withheld = withheld
        self._one_asks = threading.Lock()
        """Guards the next three."""
        self._process: subprocess.Popen[bytes] | None = None
        self._ask: socket.socket | None = None
        self._is_closed = False

    def child(self) -> Child:
        """Ask for a child and return this side of it, at once: that it is there, its guardian says later.

        Raises:
            OSError: this process has no descriptor left, or cannot start another one.
        """
        opened: list[int] = []
        try:
            control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            opened += [control.detach(), theirs.detach()]
            watch, watching = pair()
            opened += [watch.detach(), watching.detach()]
            opened += os.pipe()
            opened += os.pipe()
        except OSError:
            _close(opened)
            raise
        here_control, there_control, here_watch, there_watch, out, there_out, err, there_err = opened
        there = [there_control, there_out, there_err, there_watch]
        try:
            self._send(encoded(Fork()), there)
        except OSError:
            _close([here_control, here_watch, out, err])
            raise
        finally:
            _close(there)
        return Child(
            control=socket.socket(fileno=here_control), out=out, err=err, watch=socket.socket(fileno=here_watch)
        )

    def sweep(self, guardian: int, *, within_s: float) -> None:
        """End a guardian that may have died; return when nothing is left of what it guarded, or after `within_s`."""
        asks, answers = pair()
        with asks, answers:
            with suppress(OSError):
                self._send(encoded(Sweep(guardian=guardian)), [answers.fileno()])
            answers.close()
            asks.settimeout(within_s)
            with suppress(OSError):
                asks.recv(1)

    def close(self) -> None:
        """End the spawner and with it every child."""
        with self._one_asks:
            process, ask = self._process, self._ask
            self._process = self._ask = None
            self._is_closed = True
        if ask is not None:
            ask.close()
        if process is not None:
            _end(process)

    def _send(self, message: bytes, streams: Sequence[int]) -> None:
        with self._one_asks:
            if self._is_closed:
                raise ConnectionAbortedError("the worker starts no children any more")
            if self._ask is not None:
                try:
                    socket.send_fds(self._ask, [message], streams)
                except OSError:
                    # It has died, and what it had made dies with it: a fresh one.
                    self._ask.close()
                    self._ask = None
                    if self._process is not None:
                        _end(self._process)
                else:
                    return
            self._ask = self._started()
            socket.send_fds(self._ask, [message], streams)

    def _started(self) -> socket.socket:
        asks, asked = pair()
        command = [sys.executable, "-c", PROGRAM, str(asked.fileno()), json.dumps(sys.path)]
        with asked:
            try:
                self._process = subprocess.Popen(  # noqa: S603 -- this interpreter, and a program of our own
                    command,
                    stdin=subprocess.DEVNULL,
                    pass_fds=[asked.fileno()],
                    env=allowed(os.environ, self._environment, withheld=self._withheld),
                    # A Ctrl-C in the terminal is for the worker, which drains.
                    start_new_session=True,
                )
            except OSError:
                asks.close()
                raise
        asks.send(encoded(self._setup))
        return asks


def allowed(environ: Mapping[str, str], patterns: Sequence[str], *, withheld: Collection[str]) -> dict[str, str]:
    """Return the variables that child processes get: what a pattern names, but none of Rota's own, and none that gives
    one of these URLs away or its password (T55).

    One that is named without `*` is let through: then whoever set it has decided so.
    """
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("ROTA_")
        and any(fnmatchcase(name, pattern) for pattern in patterns)
        and (name in patterns or not any(_gives_away(value, url) for url in withheld))
    }


def _gives_away(value: str, url: str) -> bool:
    if not secrets_of_url(url):
        # Without a password in it there is nothing to keep: a file's name, a server that trusts its network.
        return False
    password = urlsplit(url).password or ""
    # Once as it stands in a URL and once in plain; within other text only as a password: `rota` may be one.
    return url in value or any(
        text and (value == text or f":{text}@" in value) for text in (password, unquote(password))
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
