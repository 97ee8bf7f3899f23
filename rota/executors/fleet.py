"""Sends attempts to processes of another system, which take the runs over and carry them out."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextvars import Context
from datetime import timedelta
from functools import partial
from queue import SimpleQueue

from rota.calls import Call, Fleet
from rota.clock import Clock
from rota.core.duration import duration_text
from rota.core.lifecycle import Ending
from rota.core.model import ErrorReport, Outcome, Run, RunKind
from rota.errors import FleetUnavailable

log: logging.Logger = logging.getLogger(__name__)

SENDERS = 2
"""Threads that talk to the broker: one more than needed, so that a list of tenants that takes its time holds up no
message."""

FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=30)
"""How long nothing is sent after the broker could not be reached, and how long at most."""

Done = Callable[[Run, Ending], None]


class FleetExecutor:
    """Holds each call from its submission until somebody has its run.

    It begins elsewhere, under a token of its own, and that ends what there is to do here: the worker, which notices,
    sets its stop signal to `superseded`. It may be asked to stop before as well, or it cannot be sent.
    """

    def __init__(self, fleet: Fleet, *, clock: Clock) -> None:
        self._fleet = fleet
        self._clock = clock
        self._line: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._held: dict[tuple[str, int], tuple[Call, Done]] = {}
        """Sent or about to be. Whoever takes one out is the one who says what becomes of it."""
        self._threads: list[threading.Thread] = []
        self._one_tells = threading.Lock()
        """Guards the next three."""
        self._pause = FIRST_PAUSE
        self._away_until = 0.0
        self._away: FleetUnavailable | None = None

    def submit(self, calls: Sequence[Call], done: Done) -> None:
        for call in calls:
            self._held[_pair(call)] = (call, done)
            self._line.put(partial(self._begin, _pair(call)))
        for _ in range(min(len(calls), SENDERS - len(self._threads))):
            thread = threading.Thread(target=self._work, name=f"rota-sender-{len(self._threads)}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def waiting(self) -> int:
        return self._line.qsize()

    def withdraw(self) -> list[Call]:
        """Take back what nobody has begun, also what waits in the broker: its message will find nothing to do."""
        held = [self._held.pop(pair, None) for pair in list(self._held)]
        taken = [call_and_done[0] for call_and_done in held if call_and_done is not None]
        self._recall([call.run for call in taken])
        return taken

    def close(self) -> None:
        for _ in self._threads:
            self._line.put(None)

    def _work(self) -> None:
        while (task := self._line.get()) is not None:
            task()

    def _begin(self, pair: tuple[str, int]) -> None:
        held = self._held.get(pair)
        if held is None:
            return
        call, done = held
        if call.run.kind is not RunKind.JOB:
            # The list of tenants is nothing of the fleet's.
            if self._held.pop(pair, None) is not None:
                done(call.run, Context().run(call.execute))
            return
        self._send(call)
        # Also at once: it may have been asked to stop before it was sent.
        call.stop_signal.then(partial(self._stop, pair))

    def _send(self, call: Call) -> None:
        if call.stop_signal.is_set():
            return
        with self._one_tells:
            away, left = self._away, self._away_until - self._clock.monotonic()
        if away is not None and left > 0:
            # Each would wait for the broker as long as the first did.
            self._give_back(call, away, pause=timedelta(seconds=left))
            return
        try:
            self._fleet.send(call.run)
        except FleetUnavailable as error:
            self._give_back(call, error, pause=self._wait_for_broker(error))
        else:
            with self._one_tells:
                self._away, self._pause = None, FIRST_PAUSE

    def _wait_for_broker(self, error: FleetUnavailable) -> timedelta:
        """Send nothing for a while, and return for how long."""
        with self._one_tells:
            at = self._clock.monotonic()
            if at >= self._away_until:
                log.error("runs go back, and the next is sent in %s: %s", duration_text(self._pause), error)
                self._away, self._away_until = error, at + self._pause.total_seconds()
                self._pause = min(self._pause * 2, LONGEST_PAUSE)
            # Or the other sender has just found the same.
            return timedelta(seconds=self._away_until - at)

    def _give_back(self, call: Call, error: FleetUnavailable, *, pause: timedelta) -> None:
        held = self._held.pop(_pair(call), None)
        if held is not None:
            held[1](call.run, _given_back(str(error), type(error).__name__, delay=pause))

    def _stop(self, pair: tuple[str, int]) -> None:
        held = self._held.pop(pair, None)
        if held is None:
            return
        call, done = held
        stop = call.stop_signal
        is_given_back = stop.outcome is Outcome.INTERRUPTED
        done(
            call.run,
            _given_back(stop.reason, "NotTaken") if is_given_back else Ending(outcome=stop.outcome, reason=stop.reason),
        )
        if stop.outcome is not Outcome.SUPERSEDED:
            self._recall([call.run])

    def _recall(self, runs: Sequence[Run]) -> None:
        if runs:
            # By a thread that may wait for the broker; who says stop may not.
            self._line.put(partial(self._fleet.recall, runs))


def _given_back(why: str, what: str, *, delay: timedelta | None = None) -> Ending:
    # As an error as well: that is what the history keeps of an attempt.
    error = ErrorReport(type=what, message=why)
    return Ending(outcome=Outcome.INTERRUPTED, error=error, reason=why, delay=delay)


def _pair(call: Call) -> tuple[str, int]:
    return call.run.id, call.run.token
