"""A process that sends alerts, and is killed in the midst of it where it is told to.

    python -m tests.system.sending STORE JOURNAL [before|after]

The journal has a line for each alert that the other end got: it is what a mail server would have. `before` dies when
the alert is on its way, `after` when it was accepted and nobody wrote that down yet.
"""

import os
import signal
import sys
from datetime import timedelta

from rota.clock import SystemClock
from rota.core.alert import Alert
from rota.core.delivery import DeliveryState
from rota.engine.alerts.deliverer import Deliverer
from rota.engine.bus import Bus
from rota.engine.loop import Loop
from rota.queries import DeliveryQuery
from rota.stores import open_store

LEASE = timedelta(seconds=2)


class Journal:
    """A channel whose other end is a file."""

    def __init__(self, path: str, *, dies: str) -> None:
        self._path = path
        self._dies = dies

    def send(self, alert: Alert) -> None:
        if self._dies == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        with open(self._path, "a", encoding="utf-8") as journal:
            journal.write(f"{alert.id}\n")
            journal.flush()
            os.fsync(journal.fileno())
        if self._dies == "after":
            os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, path: str, dies: str = "") -> None:
    """Send until nothing waits any more."""
    store, clock = open_store(url), SystemClock()
    deliverer = Deliverer("ops", Journal(path, dies=dies), store, clock=clock, lease=LEASE)
    loop = Loop("deliver ops", deliverer, clock=clock, bus=Bus(), stamps={})
    loop.start()
    while store.alerts.deliveries(DeliveryQuery(states=(DeliveryState.WAITING,))):
        loop.join(timedelta(milliseconds=50))
    loop.stop()
    loop.join(timedelta(seconds=5))


if __name__ == "__main__":
    main(*sys.argv[1:])
