"""The process of `rota start`: holds the signals, drains on the first, ends at once on the second."""

import logging
import signal
import threading

from rota.engine.crew import Crew

log: logging.Logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)


def supervise(crew: Crew) -> bool:
    """Run a crew until a signal comes, then drain it; return whether every run had ended.

    Signals that come during the start are kept: the crew is started and drained. The main thread only waits, so that
    a signal is noticed at once. Handlers are put back at the end.

    Raises:
        StoreUnavailable: the process could not register; nothing was started.
    """
    asked, at_once = threading.Event(), threading.Event()

    def on_signal(*_: object) -> None:
        if asked.is_set():
            at_once.set()
        asked.set()

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        crew.start()
        asked.wait()
        log.info("draining: no new runs; a second signal ends it at once")
        return crew.stop(at_once=at_once)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
