"""A Celery worker's side of the fleet: takes over the runs that it is sent, and carries them out."""

import logging
import os
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from celery.signals import celeryd_after_setup, worker_process_init, worker_process_shutdown, worker_shutdown

from rota.app import Rota
from rota.engine.crew import Crew
from rota.engine.loop import Loop
from rota.errors import StoreUnavailable
from rota.settings import load
from rota.settings.reading import laid_over

log: logging.Logger = logging.getLogger(__name__)

RECORDED = timedelta(milliseconds=5)
"""How often it is looked whether the end of a run is recorded, which takes as long as a transaction."""

LOOKS_EVERY = timedelta(milliseconds=500)

STUCK = 70
"""Exit status of a process that a run did not want to leave: EX_SOFTWARE of sysexits.h."""


class Station:
    """The place of a process of a Celery worker among the workers of Rota.

    It is a Rota worker that claims nothing by itself: it keeps leases, times, stop signals, logs and numbers of what it
    is sent, and settles that. Made by the first message, in the process that runs tasks: a pool may fork.
    """

    def __init__(self, rota: Rota) -> None:
        self._rota = rota
        self._one_opens = threading.Lock()
        """Guards the next three."""
        self._crew: Crew | None = None
        self._pid = 0
        self._watch: Loop | None = None
        self._places = 1
        self._has_own_process = False
        celeryd_after_setup.connect(self._count_places, weak=False)
        worker_process_init.connect(self._begin_process, weak=False)
        worker_process_shutdown.connect(self._close, weak=False)
        worker_shutdown.connect(self._close, weak=False)

    def carry_out(self, run_id: str, token: int) -> str:
        """Take a run over and execute it in this thread; return when its end is recorded, with what became of the
        message. How the run ended is Rota's to say, and whether it is tried again.

        Raises:
            StoreUnavailable: it was not begun, and is sent again later.
        """
        crew = self._open()
        taken = crew.worker.take_over((run_id, token), self._rota.clock.now())
        if not taken:
            # Delivered twice, or late.
            log.info("nothing to do: it was taken over, or given back", extra={"run": run_id})
            return "refused"
        held = [(run.id, run.token) for run in taken]
        while not set(held).isdisjoint(crew.worker.held()):
            self._rota.clock.sleep(RECORDED)
        return "carried out"

    def tick(self, now: datetime) -> timedelta:
        """Give up what does not stop; where the process is its own, end that, which Celery replaces."""
        crew = self._crew
        if crew is None or not crew.must_end.is_set():
            return LOOKS_EVERY
        try:
            crew.give_up_stuck(now)
        except StoreUnavailable as error:
            if not self._has_own_process:
                raise
            # The code must not go on beside that of another attempt, whatever can be recorded (G6).
            log.warning("could not record what did not stop, its lease will end: %s", error)
        if self._has_own_process:
            log.error("a job goes on though its time to stop is over: this process is replaced")
            os._exit(STUCK)
        return LOOKS_EVERY

    def _open(self) -> Crew:
        with self._one_opens:
            if self._crew is None or self._pid != os.getpid():
                settings = load(env=os.environ, directory=Path.cwd())
                # As every command of Rota does: nobody else reads them here.
                self._rota.configure(laid_over(self._rota.settings, settings))
                crew = self._rota.crew(schedules=False, watches=False, places=self._places, inline=True, claims=False)
                crew.start()
                self._crew, self._pid = crew, os.getpid()
                self._watch = Loop("station", self, clock=self._rota.clock, bus=self._rota.bus, stamps=crew.stamps)
                self._watch.start()
            return self._crew

    def _count_places(self, instance: Any, **_: object) -> None:
        self._places = int(instance.concurrency)

    def _begin_process(self, **_: object) -> None:
        # Of a pool of processes, each of which executes one task at a time.
        self._places, self._has_own_process = 1, True

    def _close(self, **_: object) -> None:
        """Give back what has not ended, and leave: the last that the process does."""
        with self._one_opens:
            crew, self._crew = self._crew, None
            if self._watch is not None:
                self._watch.stop()
        if crew is not None and self._pid == os.getpid():
            crew.stop()
