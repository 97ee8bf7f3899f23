"""Watches over one child: notices its end, ends it when told to, and leaves nothing of its descendants.

A process of its own, because the kernel gives orphans to their nearest subreaper: what a job's child leaves behind,
also what called setsid or forked twice, becomes the guardian's, and of nobody else.
"""

import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

import msgspec

from rota.executors.frames import Born, Gone, Kill, encoded
from rota.executors.kernel import become_subreaper, children, descendants, die_with, kill, kill_group

PATIENCE_S = 0.05
LONGEST = 100
"""How often the guardian waits `PATIENCE_S` for killed descendants to be gone: 5 s in all. One in the middle of a disk
access ends later, and one that became another user is not ours to kill."""

_commands = msgspec.json.Decoder(Kill)


class Wakening:
    """Signals as something to select on."""

    def __init__(self, *numbers: int) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.heard: set[int] = set()
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, lambda number, _: self.heard.add(number))

    def fileno(self) -> int:
        return self._read

    def drain(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._read, 512):
                pass

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        os.close(self._read)
        os.close(self._write)


def guard(watch: socket.socket, streams: tuple[int, int, int], *, parent: int, run: Callable[[int], None]) -> None:
    """Fork the child, and return when it has ended and nothing of it is left.

    `streams` are the child's control socket, standard output and standard error; `run` is called in the child with
    the first. When `parent`, the spawner, ends, or the worker closes its end of `watch`, the child is killed.
    """
    wakening = Wakening(signal.SIGCHLD, signal.SIGTERM)
    die_with(parent, signal.SIGTERM)
    become_subreaper()
    watch.setblocking(False)
    if not _is_wanted(watch):
        return
    guardian, child = os.getpid(), os.fork()
    if child == 0:
        wakening.close()
        watch.close()
        end_with(lambda: _begin(guardian, streams, run))
    for stream in streams:
        os.close(stream)
    _say(watch, encoded(Born(guardian=guardian, child=child)))
    reason = _watch_over(child, watch, wakening)
    status, left = _clear_away(child, wakening)
    _say(watch, encoded(Gone(status=status, left=left, reason=reason)))


def end_with(what: Callable[[], None]) -> None:
    """Call `what` and end this process: a forked one must never return into its parent's code."""
    status = 1
    try:
        what()
        status = 0
    finally:
        os._exit(status)


def _is_wanted(watch: socket.socket) -> bool:
    # The worker may have been told to stop the attempt while it waited here.
    try:
        return bool(watch.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False


def _watch_over(child: int, watch: socket.socket, wakening: Wakening) -> str:
    """Return when the child has ended; why it was killed, where nobody asked for it."""
    reason = ""
    heard: list[socket.socket | Wakening] = [watch, wakening]
    while not _has_ended(child):
        ready, _, _ = select.select(heard, [], [])
        wakening.drain()
        if watch in ready:
            number = _told(watch)
            if number is None:
                heard.remove(watch)
                reason = "its worker ended"
            elif number != signal.SIGKILL:
                kill_group(child, number)
                # A stopped process gets no other signal than SIGKILL before it goes on.
                kill_group(child, signal.SIGCONT)
            else:
                _kill_all(child)
        if signal.SIGTERM in wakening.heard:
            wakening.heard.clear()
            reason = reason or "its guardian was told to end"
        if reason:
            _kill_all(child)
    return reason


def _told(watch: socket.socket) -> int | None:
    """Return the signal that the child is to get; None when there is nobody left to tell."""
    try:
        message = watch.recv(4096)
        return _commands.decode(message).number if message else None
    except (OSError, msgspec.MsgspecError):
        return None


def _has_ended(child: int) -> bool:
    """Reap what ended, but the child itself: as long as it is there, its number names its group and nobody else's."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        if ended is None:
            return False
        if ended.si_pid == child:
            return True
        os.waitpid(ended.si_pid, 0)


def _kill_all(child: int) -> None:
    kill_group(child, signal.SIGKILL)
    kill(descendants(os.getpid()))


def _clear_away(child: int, wakening: Wakening) -> tuple[int, int]:
    """Return the child's status, and how many descendants could not be killed."""
    kill_group(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    for _ in range(LONGEST):
        # Whoever is killed leaves us its children: look again until there are none.
        kill(descendants(os.getpid()))
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not children(os.getpid()):
            return status, 0
        select.select([wakening], [], [], PATIENCE_S)
        wakening.drain()
    return status, len(children(os.getpid()))


def _say(watch: socket.socket, message: bytes) -> None:
    with suppress(OSError):
        watch.send(message)


def _begin(guardian: int, streams: tuple[int, int, int], run: Callable[[int], None]) -> None:
    """Make of a fork of the guardian a process that begins anew: session, signals, standard streams."""
    os.setsid()
    die_with(guardian, signal.SIGKILL)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        # As Python itself starts: a write to a closed pipe is an error, not the end.
        ignored = number in (signal.SIGPIPE, signal.SIGXFSZ)
        signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    control, out, err = streams
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, stream in enumerate((nothing, out, err)):
        os.dup2(stream, target)
        os.close(stream)
    # Whatever the job executes must not speak in its name.
    os.set_inheritable(control, False)
    run(control)
