"""Says what runs print in the log of the process as well, with run, job and tenant."""

import logging
import threading
from typing import Final

from rota.clock import Clock
from rota.core.model import LogLine, Run
from rota.redaction import redacted

STREAMS: Final = {"stdout": "rota.job.stdout", "stderr": "rota.job.stderr"}
"""The loggers of what is printed."""
LOGGED: Final = "rota.job.child"
"""The logger of what was logged elsewhere, in a child process."""
ECHOES: Final = frozenset({*STREAMS.values(), LOGGED})
"""What goes through these comes from the log of a run, and is not taken to it again."""

MISSING = "%d lines of this run are left out here; see them with: rota logs %s"
A_SECOND = 200
"""Lines of one run that are said in a second: a job that floods its own log does not flood this one (F21)."""
REMEMBERED = 4096
"""Runs whose count is known; the one that began to speak first is forgotten first."""


class Echo:
    """Logs lines of runs, so many a second for each, and says how many it left out."""

    def __init__(self, *, clock: Clock, a_second: int = A_SECOND) -> None:
        self._allowances = Allowances(clock=clock, a_second=a_second)

    def say(self, run: Run, line: LogLine) -> None:
        """Log a line, or count it."""
        is_due, left_out = self._allowances.take(run)
        if not is_due:
            return
        logger = logging.getLogger(STREAMS.get(line.source, LOGGED))
        facts = {"run": run.id, "job": run.job, "tenant": run.tenant, "attempt": run.attempt}
        if left_out:
            say_left_out(run, left_out)
        told = line.text if line.source in STREAMS else f"{line.source}: {line.text}"
        told = redacted(told)
        logger.log(logging.getLevelNamesMapping().get(line.level, logging.INFO), "%s", told, extra=facts)

    def ended(self, run: Run) -> None:
        """Say how many lines were left out at the end of an attempt, and forget it."""
        left_out = self._allowances.forget(run)
        if left_out:
            say_left_out(run, left_out)


def say_left_out(run: Run, count: int) -> None:
    """Log how many lines of a run are not in the log of the process."""
    facts = {"run": run.id, "job": run.job, "tenant": run.tenant, "attempt": run.attempt}
    logging.getLogger(STREAMS["stdout"]).warning(MISSING, count, run.id[:12], extra=facts)


class Allowances:
    """How many lines each attempt may have said in this second. Safe from any thread."""

    def __init__(self, *, clock: Clock, a_second: int = A_SECOND) -> None:
        self._clock = clock
        self._a_second = a_second
        # Again by the same thread: a finalizer that prints may run anywhere.
        self._lock = threading.RLock()
        self._by_attempt: dict[tuple[str, int], Allowance] = {}

    def take(self, run: Run) -> tuple[bool, int]:
        """Return whether a line is due, and how many before it were not."""
        key = (run.id, run.token)
        with self._lock:
            now = self._clock.monotonic()
            allowance = self._by_attempt.get(key)
            if allowance is None:
                if len(self._by_attempt) >= REMEMBERED:
                    del self._by_attempt[next(iter(self._by_attempt))]
                allowance = self._by_attempt[key] = Allowance(now)
            if now - allowance.since >= 1:
                allowance.since, allowance.said = now, 0
            if allowance.said >= self._a_second:
                allowance.left_out += 1
                return False, 0
            allowance.said += 1
            left_out, allowance.left_out = allowance.left_out, 0
            return True, left_out

    def forget(self, run: Run) -> int:
        """Forget an attempt, and return how many of its lines were not due since the last one that was."""
        with self._lock:
            allowance = self._by_attempt.pop((run.id, run.token), None)
        return 0 if allowance is None else allowance.left_out


class Allowance:
    """What one attempt has said in this second, and what it could not."""

    __slots__ = ("left_out", "said", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.said = 0
        self.left_out = 0
