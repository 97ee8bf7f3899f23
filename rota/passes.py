"""Passes that a scheduler outside asks for, in a process that stays: what one has begun goes on after its answer (R60).

All passes of a process share one crew, which is there while anybody waits for it or a run of it goes on. So ten at once
are ten callers of one worker; and between processes the store decides, as it does between workers.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from rota.clock import Clock, sleep
from rota.core.events import AttemptsEnded
from rota.core.model import Settlement
from rota.core.pass_report import PassReport
from rota.engine.bus import Bus
from rota.engine.crew import Crew
from rota.engine.loop import Loop
from rota.passing import LOOK, fire, is_done, report, tell
from rota.ports import Store

LEAVE_EVERY = timedelta(milliseconds=500)


class MakeCrew(Protocol):
    """Returns the services of this process, not started."""

    def __call__(self, *, works: bool) -> Crew: ...


class Passes:
    """Does passes for callers in any thread."""

    def __init__(self, make_crew: MakeCrew, *, store: Callable[[], Store], clock: Clock, bus: Bus) -> None:
        self._make_crew = make_crew
        self._store = store
        self._clock = clock
        self._bus = bus
        self._hears = False
        self._open: list[_Pass] = []
        self._crew: Crew | None = None
        self._leaving: Loop | None = None
        self._door = threading.Lock()
        """Around the crew, and who comes and goes."""
        self._ears = threading.Lock()
        """Around what is heard: the threads of the crew take it, and never the door, behind which somebody may wait for
        them to end."""
        self._look = threading.Lock()
        """Around what looks for further work: it is not made for two at once."""

    def run(self, *, limit: timedelta, works: bool = True) -> PassReport:
        """Fire what is due, work until nothing can go on at once, and say what came of it; after `limit` say what came
        of it so far, and go on.

        Without `works` it only fires. What has run is in the answer of one pass only.
        """
        ends = self._clock.monotonic() + limit.total_seconds()
        crew = self._make_crew(works=works)
        pass_ = self._enter()
        try:
            fired = fire(crew, self._clock)
            with self._ears:
                pass_.fired += fired
            # Most minutes of a day nothing is due, and nobody has to be called.
            has_work = works and (bool(fired) or self._comes_due() or not is_done(self._store(), crew, self._clock))
            is_over = self._work(crew, ends) if has_work else True
        finally:
            self._leave(pass_)
        if not has_work:
            tell(crew, self._clock)
        return report(self._store(), pass_.fired, pass_.ended, is_over=is_over).told

    def stop(self) -> bool:
        """End what goes on of earlier passes, as at the end of a process; return whether every run had ended."""
        with self._door:
            crew, self._crew = self._crew, None
            return True if crew is None else crew.stop()

    def _comes_due(self) -> bool:
        """Queue what came due since the last pass, such as another attempt, and say whether there was any."""
        return self._store().promote(now=self._clock.now()) > 0

    def _work(self, own: Crew, ends: float) -> bool:
        """Wait until nothing can go on at once, and return True; or until the time is up, and return False.

        The crew that works is the one that is here; if there is none, it is this pass's own.
        """
        self._call(own)
        while self._clock.monotonic() < ends:
            crew = self._crew
            if crew is None:
                # The process ends.
                return False
            with self._look:
                if is_done(self._store(), crew, self._clock):
                    return True
            sleep(LOOK)
        return False

    def _call(self, own: Crew) -> None:
        """Let a crew be here."""
        with self._door:
            if self._crew is None:
                own.start()
                self._crew = own

    def _enter(self) -> "_Pass":
        with self._door:
            if not self._hears:
                self._bus.on(AttemptsEnded, self._hear)
                self._hears = True
            pass_ = _Pass([])
            with self._ears:
                self._open.append(pass_)
            return pass_

    def _leave(self, pass_: "_Pass") -> None:
        with self._door:
            with self._ears:
                self._open.remove(pass_)
            if self._open or self._crew is None or self._leaving is not None:
                return
            if not self._crew.worker.busy:
                self._dismiss()
                return
            self._leaving = Loop("passes", self, clock=self._clock, bus=self._bus, stamps={})
            self._leaving.start()

    def tick(self, now: datetime) -> timedelta:
        """Dismiss the crew once nobody waits for it and it has nothing to do."""
        with self._door:
            if self._crew is not None and (self._open or self._crew.worker.busy):
                return LEAVE_EVERY
            self._dismiss()
            if self._leaving is not None:
                self._leaving.stop()
                self._leaving = None
            return LEAVE_EVERY

    def _dismiss(self) -> None:
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.stop()
            tell(crew, self._clock)

    def _hear(self, event: AttemptsEnded) -> None:
        with self._ears:
            if not self._open:
                return
            for settlement in event.settlements:
                whose = next((one for one in self._open if settlement.run.round_id in one.fired), self._open[0])
                whose.ended.append(settlement)


class _Pass:
    """One caller: what it has fired, and what has ended since that is told to it and to nobody else."""

    def __init__(self, fired: list[str]) -> None:
        self.fired = fired
        self.ended: list[Settlement] = []
