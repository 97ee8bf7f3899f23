"""A watchdog as a process of its own: it outlives scheduler, workers and store, and tells of them (R51, H5)."""

import logging
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from rota.app import Rota
from rota.engine.dead_man import DeadMan
from rota.engine.judged import Judged, Tell
from rota.engine.last_known import Fallback, LastKnown
from rota.engine.watchdog import Watchdog
from rota.errors import StoreUnavailable
from rota.lookouts import make_dead_man, make_watchdog

log: logging.Logger = logging.getLogger(__name__)

STATE_FILE = "rota-watchdog.json"


class Outpost:
    """Watches an application from outside of the processes that do its work.

    The store need not be there when it starts: it is opened when it can be, and until then what was known last counts.
    """

    def __init__(self, app: Rota, *, state_file: Path, tell: Sequence[Tell] = ()) -> None:
        """`tell` is given what each pass found."""
        self._app = app
        self._fallback = Fallback(LastKnown(state_file), bus=app.bus)
        self._tell = tuple(tell)
        self._dog: Watchdog | None = None
        self._dead_man: DeadMan | None = None

    def look(self, now: datetime) -> Judged:
        """Do one pass, and return what it found.

        Raises:
            StoreUnavailable: the store cannot be asked, and nothing is known from before.
        """
        try:
            dog = self._opened()
        except StoreUnavailable as error:
            judged = self._fallback.judge(now, error)
            self._fallback.remember(judged)
            for tell in self._tell:
                tell(judged)
            return judged
        found = dog.look(now, is_whole=True)
        assert found is not None
        if self._dead_man is not None:
            self._dead_man.tick(now)
        return found

    def run(self, stop: threading.Event) -> None:
        """Do one pass after the other until `stop` is set."""
        every = self._app.settings.freshness.check_every
        while not stop.is_set():
            self.anchor()
            began = self._app.clock.monotonic()
            try:
                self.look(self._app.clock.now())
            except StoreUnavailable as error:
                log.error("nothing is known yet: %s", error)
            took = timedelta(seconds=self._app.clock.monotonic() - began)
            stop.wait(max(every - took, timedelta(0)).total_seconds())

    def anchor(self) -> None:
        """Go by the clock of the store, where that can be asked: it is what slots are fired by."""
        try:
            self._app.clock.anchor(self._app.store.now())
        except StoreUnavailable:
            # By the clock of this process then; see `Clock`.
            return

    def _opened(self) -> Watchdog:
        if self._dog is None:
            premises = self._app.premises()
            self._dog = make_watchdog(premises, fallback=self._fallback, tell=self._tell)
            self._dead_man = make_dead_man(premises, self._dog)
        return self._dog
