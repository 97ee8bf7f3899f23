"""Notices what a job in a thread changed for everybody in its process."""

import locale
import logging
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from rota.core.events import ProcessChanged
from rota.engine.bus import Bus

log: logging.Logger = logging.getLogger(__name__)


class Surroundings:
    """Compares the process with what it was at the last look: working directory, environment, umask, locale, and the
    three standard streams.

    Jobs in threads share them; who changes them changes them for every other job. It cannot be undone safely, since
    others run meanwhile, so it is said, with the jobs that ran since the last look. In child processes each run has
    its own.
    """

    def __init__(
        self, began_since_last_look: Callable[[], list[str]], *, bus: Bus, every: timedelta = timedelta(seconds=1)
    ) -> None:
        self._began = began_since_last_look
        self._bus = bus
        self._every = every
        self._before = _seen()

    def tick(self, now: datetime) -> timedelta:
        jobs = self._began()
        seen = _seen()
        changed = sorted(what for what, value in seen.items() if self._before[what] != value)
        # Each change once: what it is now is what the next look compares with.
        self._before = seen
        if changed:
            log.warning(
                "changed for every job of this process: %s; ran meanwhile: %s; use executor='process' for such jobs",
                ", ".join(changed),
                ", ".join(jobs) or "none",
            )
            self._bus.publish(ProcessChanged(what=tuple(changed), jobs=tuple(jobs)))
        return self._every


def _seen() -> dict[str, object]:
    return {
        "the working directory": _working_directory(),
        "the environment": os.environ.copy(),
        "the umask": _umask(),
        "the locale": locale.setlocale(locale.LC_ALL),
        "a standard stream": tuple(_stream(number) for number in range(3)),
    }


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "(deleted)"


def _umask() -> str:
    # Asked of the kernel: os.umask can only be read by setting it, and other threads make files meanwhile.
    try:
        lines = Path("/proc/self/status").read_text("ascii", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("Umask:")), "")


def _stream(number: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(number)
    except OSError:
        return None
    return found.st_dev, found.st_ino
