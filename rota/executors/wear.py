"""What a job changed in its process that the next one would meet there."""

import locale
import os
import resource
import signal
import sys
from pathlib import Path

from msgspec import Struct

_NUMBERS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


class Condition(Struct, frozen=True, kw_only=True):
    """A process as it stands, between two runs."""

    folder: str
    umask: int
    environment: dict[str, str]
    blocked: frozenset[int]
    handlers: tuple[object, ...]
    timers: tuple[float, ...]
    language: str
    threads: int
    """With the main one and the one that listens to the worker; those of C libraries are theirs."""
    descriptors: int
    files: tuple[int, int]
    """The limit on descriptors."""
    streams: tuple[int, int]
    """Which objects stand for standard output and error."""
    path: tuple[str, ...]
    """Where modules are looked for."""


def condition() -> Condition:
    """Return how this process stands. To be asked in its main thread, when no job runs."""
    return Condition(
        folder=_folder(),
        umask=_umask(),
        environment=dict(os.environ),
        blocked=frozenset(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))),
        handlers=tuple(map(signal.getsignal, _NUMBERS)),
        timers=tuple(signal.getitimer(timer)[0] for timer in _TIMERS),
        language=locale.setlocale(locale.LC_ALL),
        # Also those that were started below `threading`.
        threads=len(sys._current_frames()),
        descriptors=len(os.listdir("/proc/self/fd")),
        files=resource.getrlimit(resource.RLIMIT_NOFILE),
        streams=(id(sys.stdout), id(sys.stderr)),
        path=tuple(sys.path),
    )


def worn(before: Condition, after: Condition) -> str:
    """Return what a run left changed, for people; empty if nothing."""
    changed = [
        name
        for name in Condition.__struct_fields__
        if name not in ("threads", "descriptors") and getattr(before, name) != getattr(after, name)
    ]
    # Fewer are no harm: something was let go.
    changed += [name for name in ("threads", "descriptors") if getattr(after, name) > getattr(before, name)]
    return ", ".join(changed)


def _folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return "(gone)"


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now
