"""What the runs of one process say: heard, kept with the run, and said in the log of the process as well (R44)."""

import logging
from collections.abc import Callable
from datetime import datetime

from rota.clock import Clock
from rota.core.model import LogLine, Run
from rota.engine.capture import Captures
from rota.engine.echo import Echo
from rota.engine.loop import Service
from rota.engine.plan import Plan
from rota.engine.tap import Tap
from rota.ports import Store


class Voice:
    """Hears the threads and coroutines of this process while it is open, and child processes whenever they speak.

    Of attempts that are at work only: what a thread prints that one has left behind is nobody's. A run that says
    nothing costs one look at its end.
    """

    def __init__(self, store: Store, *, clock: Clock, plan: Plan, chronicle: Service | None = None) -> None:
        self.captures: Captures = Captures(store, max_bytes=plan.capture_bytes)
        """A service: writes what there is."""
        self.chronicle: Service | None = chronicle
        """A service: tells the sums of what is too much for the log."""
        self._echo = Echo(clock=clock)
        self._keeps = plan.capture
        self._level = logging.getLevelNamesMapping()[plan.capture_level]
        self._tap = Tap(self.captures.add, clock=clock, level=self._level, heeds=self._heeds, echo=self._echo)
        self._is_at_work: Callable[[Run], bool] = lambda run: False
        self._spoke: set[tuple[str, int]] = set()

    def attend(self, is_at_work: Callable[[Run], bool]) -> None:
        """Hear the attempts that this is true of. Before anything runs."""
        self._is_at_work = is_at_work

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
        if not self._heeds(run):
            return
        if self._keeps and logging.getLevelNamesMapping().get(line.level, logging.INFO) >= self._level:
            self.captures.add(run, line)
        self._echo.say(run, line)

    def progress(self, run: Run, done: int, total: int | None) -> None:
        """Take how far an attempt has come."""
        if self._heeds(run):
            self.captures.progress(run, done, total)

    def ended(self, run: Run) -> None:
        """Take note that an attempt is over, which is not at work any more. Safe from any thread."""
        if (run.id, run.token) not in self._spoke:
            return
        # In this order: an unfinished last line is still the run's.
        self._tap.ended(run)
        self._echo.ended(run)
        self.captures.ended(run)
        self._spoke.discard((run.id, run.token))

    def _heeds(self, run: Run) -> bool:
        """Whether what this attempt says is taken: it is at work, and here. From then on its end is to be told."""
        key = (run.id, run.token)
        if key in self._spoke:
            return True
        # Noted first and looked after: the end of an attempt is marked first and looked here after. So one of the two
        # sees the other, without a lock that every run would take.
        self._spoke.add(key)
        if not self._is_at_work(run):
            self._spoke.discard(key)
            return False
        return True
