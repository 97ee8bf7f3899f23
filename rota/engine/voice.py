"""What the runs of one process say: heard, kept with the run, and said in the log of the process as well (R44)."""

import logging
from datetime import datetime

from rota.clock import Clock
from rota.core.model import LogLine, Run
from rota.engine.capture import Captures
from rota.engine.echo import Echo
from rota.engine.plan import Plan
from rota.engine.tap import Tap
from rota.ports import Store


class Voice:
    """Hears the threads and coroutines of this process while it is open, and child processes whenever they speak."""

    def __init__(self, store: Store, *, clock: Clock, plan: Plan, owner: str) -> None:
        self.captures: Captures = Captures(store, max_bytes=plan.capture_bytes)
        """A service: writes what there is."""
        self._echo = Echo(clock=clock)
        self._keeps = plan.capture
        self._level = logging.getLevelNamesMapping()[plan.capture_level]
        self._tap = Tap(self.captures.add, clock=clock, level=self._level, owner=owner, echo=self._echo)

    def open(self) -> None:
        """Begin to hear."""
        if self._keeps:
            self._tap.__enter__()

    def close(self, now: datetime) -> None:
        """Hear no more, and write what is left."""
        if self._keeps:
            self._tap.__exit__(None, None, None)
        self.captures.flush(now)

    def hear_child(self, run: Run, line: LogLine) -> None:
        """Take a line from a child process."""
        if self._keeps and logging.getLevelNamesMapping().get(line.level, logging.INFO) >= self._level:
            self.captures.add(run, line)
        self._echo.say(run, line)

    def progress(self, run: Run, done: int, total: int | None) -> None:
        """Take how far an attempt has come."""
        self.captures.progress(run, done, total)

    def ended(self, run: Run) -> None:
        """Take note that an attempt is over. Safe from any thread."""
        # In this order: an unfinished last line is still the run's.
        self._tap.ended(run)
        self._echo.ended(run)
        self.captures.ended(run)
