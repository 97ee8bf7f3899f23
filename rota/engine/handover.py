"""Lets go of the runs that a fleet has taken over, and takes back those that it has not taken in time."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from rota.clock import Clock
from rota.core.duration import duration_text
from rota.core.model import Outcome
from rota.engine.heartbeat import Heartbeat
from rota.engine.worker import Worker

EVERY = timedelta(milliseconds=500)
"""A run that is taken over frees its place here at most so much later: with 100 places, 200 messages a second."""


class Handover:
    """Looks after the runs that wait in a broker.

    Their leases are renewed from here, so that a fleet which is busy, or down for an hour, costs no run: nobody
    counts it as lost. What is not renewed any more is somebody else's. A message may be lost, so none waits for ever.
    """

    def __init__(
        self, worker: Worker, heartbeat: Heartbeat, *, clock: Clock, patience: Mapping[str, timedelta]
    ) -> None:
        """`patience`: how long a run waits at most, by the executor of its job."""
        self._worker = worker
        self._heartbeat = heartbeat
        self._clock = clock
        self._patience = patience

    def tick(self, now: datetime) -> timedelta:
        waiting = [attempt for attempt in self._worker.live() if attempt.is_sent and not attempt.lost]
        if waiting:
            self._heartbeat.renew([(attempt.run.id, attempt.run.token) for attempt in waiting], now)
        at = self._clock.monotonic()
        for attempt in waiting:
            patience = self._patience[attempt.registered.job.executor]
            if at > attempt.claimed_at + patience.total_seconds() and not attempt.stop_signal.is_set():
                reason = f"no worker of the fleet took it within {duration_text(patience)}"
                attempt.stop(reason, outcome=Outcome.INTERRUPTED)
        return EVERY
