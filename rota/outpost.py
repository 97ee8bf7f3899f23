"""A watchdog as a process of its own: it outlives scheduler, workers and store, and tells of them (R51, H5)."""

import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from rota.alerting import alert_services, notifiers
from rota.app import Rota
from rota.core.alert import Alert, IncidentKind, Stage
from rota.core.counting import counted
from rota.core.events import FreshnessChanged
from rota.core.freshness import Freshness
from rota.core.safe import safe_text
from rota.core.telling import MOST_NAMES
from rota.engine.dead_man import DeadMan
from rota.engine.judged import Judged, Tell
from rota.engine.last_known import Fallback, LastKnown
from rota.engine.loop import Service
from rota.engine.watchdog import Watchdog
from rota.errors import DeliveryFailed, StoreUnavailable
from rota.lookouts import make_dead_man, make_watchdog
from rota.ports import Notifier
from rota.redaction import redacted
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
        away straight to them, once.
        """
        self._app = app
        self._fallback = Fallback(LastKnown(state_file), bus=app.bus)
        self._tell: tuple[Tell, ...] = (*tell, *(self._board(folder) for folder in dict.fromkeys(pages)))
        self._dog: Watchdog | None = None
        self._dead_man: DeadMan | None = None
        self._alerts: Mapping[str, Service] = {}
        self._channels: Mapping[str, Notifier] = {}
        if notify:
            # Now: a channel that is not understood is said before it is needed.
            self._channels = notifiers(app.settings.alerts, clock=app.clock)
            self._tell += (self._send,)

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
            self._alerts = alert_services(premises) if self._channels else {}
        return self._dog

    def _deliver(self, now: datetime) -> None:
        """Take what is to be told to its channels, as far as they take it now."""
        for service in self._alerts.values():
            for _ in range(MOST_DELIVERED):
                if service.tick(now) > timedelta(0):
                    break

    def _send(self, judged: Judged) -> None:
        """Tell of what turned stale while the store, which would keep the alert, is away."""
        bad = [flip for flip in judged.flips if flip.is_from_memory and flip.after is Freshness.STALE]
        by_job: dict[str, list[FreshnessChanged]] = {}
        for flip in bad:
            by_job.setdefault(flip.job, []).append(flip)
        for job, flips in by_job.items():
            alert = _alert(job, flips, judged, new_id=self._app.clock.new_id())
            for name, channel in self._channels.items():
                try:
                    channel.send(alert)
                except DeliveryFailed as error:
                    log.error("channel %s did not accept an alert: %s", name, error)


def _alert(job: str, flips: Sequence[FreshnessChanged], judged: Judged, *, new_id: str) -> Alert:
    tenants = tuple(sorted({flip.tenant for flip in flips if flip.tenant}))
    whom = f" for {counted(len(tenants), 'tenant')}" if tenants else ""
    return Alert(
        id=new_id,
        incident=new_id,
        stage=Stage.OPENED,
        kind=IncidentKind.STALE,
        job=job,
        title=f"{safe_text(job)} is stale{whom}, and the store is down",
        error=safe_text(redacted(judged.store)),
        tenants=tenants[:MOST_NAMES],
        number_of_tenants=len(tenants),
        slot=max((flip.last_success for flip in flips if flip.last_success is not None), default=None),
        number=len(flips),
        first_at=judged.at,
        last_at=judged.at,
        at=judged.at,
        advice="rota doctor",
    )
