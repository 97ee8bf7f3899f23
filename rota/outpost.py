"""A watchdog as a process of its own: it outlives scheduler, workers and store, and tells of them (R51, H5)."""

import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from rota.alerting import alert_services, notifiers, telling_of
from rota.app import Rota
from rota.engine.alerts.straight import Straight
from rota.engine.dead_man import DeadMan
from rota.engine.judged import Judged, Tell
from rota.engine.last_known import Fallback, LastKnown
from rota.engine.loop import Service
from rota.engine.watchdog import Watchdog
from rota.errors import StoreUnavailable
from rota.lookouts import make_dead_man, make_watchdog
from rota.status_board import StatusBoard

log: logging.Logger = logging.getLogger(__name__)

STATE_FILE = "rota-watchdog.json"

MOST_DELIVERED = 200
"""Alerts that one pass takes to one channel."""


class Outpost:
    """Watches an application from outside of the processes that do its work.

    The store need not be there when it starts: it is opened when it can be, and until then what was known last counts.
    """

    def __init__(
        self,
        app: Rota,
        *,
        state_file: Path,
        tell: Sequence[Tell] = (),
        notify: bool = False,
        pages: Sequence[Path] = (),
    ) -> None:
        """`tell` is given what each pass found; the status page is written into the folders of `pages`.

        With `notify` what is stale goes to the channels of the settings, as alerts that the store keeps; while it is
        away straight to them, once, and again that it is back.
        """
        self._app = app
        # Now: a channel that is not understood is said before it is needed.
        self._straight = _straight(app) if notify else None
        decide = None if self._straight is None else self._straight.decide
        self._fallback = Fallback(LastKnown(state_file), bus=app.bus, decide=decide)
        self._tell: tuple[Tell, ...] = (*tell, *(self._board(folder) for folder in dict.fromkeys(pages)))
        self._dog: Watchdog | None = None
        self._dead_man: DeadMan | None = None
        self._alerts: Mapping[str, Service] = {}
        if self._straight is not None:
            self._tell += (self._tell_news,)

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
        if found.known_at == now:
            self._deliver(now)
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

    def _board(self, folder: Path) -> StatusBoard:
        app = self._app
        return StatusBoard(
            folder,
            store=lambda: app.store,
            settings=app.settings,
            jobs={name: function.registered for name, function in app.jobs.items()},
            watches=app.pings.declared(),
        )

    def _opened(self) -> Watchdog:
        if self._dog is None:
            premises = self._app.premises()
            self._dog = make_watchdog(premises, fallback=self._fallback, tell=self._tell)
            self._dead_man = make_dead_man(premises, self._dog)
            self._alerts = alert_services(premises) if self._straight is not None else {}
        return self._dog

    def _deliver(self, now: datetime) -> None:
        """Take what is to be told to its channels, as far as they take it now."""
        try:
            for service in self._alerts.values():
                for _ in range(MOST_DELIVERED):
                    if service.tick(now) > timedelta(0):
                        break
        except StoreUnavailable as error:
            # What was found stands; the next pass finds the store away, and tells by itself.
            log.warning("alerts wait: %s", error)

    def _tell_news(self, judged: Judged) -> None:
        straight = self._straight
        if straight is not None:
            self._fallback.tell(lambda news: straight.told(news, now=judged.at))


def _straight(app: Rota) -> Straight:
    settings = app.settings.alerts

    def tags_of(job: str) -> frozenset[str]:
        known = app.jobs.get(job)
        return frozenset(() if known is None else known.registered.job.tags)

    return Straight(notifiers(settings, clock=app.clock), telling_of(settings), tags_of=tags_of, clock=app.clock)
