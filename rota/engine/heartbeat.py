"""Keeps the leases of everything a worker holds, each by a thread of its own: one renews, one watches the time."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from rota.clock import Clock
from rota.core.model import Outcome
from rota.engine.attempt import LiveAttempt
from rota.engine.plan import Plan
from rota.engine.worker import Worker
from rota.ports import Store


class Heartbeat:
    """Moves the leases on, and stops what was lost or cancelled.

    It goes on until the last run has ended, also while the worker drains.
    """

    def __init__(
        self,
        worker: Worker,
        store: Store,
        *,
        clock: Clock,
        plan: Plan,
        stamps: Mapping[str, datetime],
    ) -> None:
        self._worker = worker
        self._store = store
        self._clock = clock
        self._lease = plan.lease
        self._every = plan.heartbeat
        self._grace = plan.grace
        self._stamps = stamps

    def tick(self, now: datetime) -> timedelta:
        asked_at = self._clock.monotonic()
        self.renew(self._worker.held(), now)
        # From request to request: with a store that takes a quarter of a lease to answer, both together would be late.
        return max(self._every - timedelta(seconds=self._clock.monotonic() - asked_at), timedelta(0))

    def renew(self, held: Sequence[tuple[str, int]], now: datetime) -> None:
        """Move the leases of these (run id, token) pairs on. Safe from any thread."""
        # The lease is counted from before the request: a slow answer can only shorten it (6.4).
        asked_at = self._clock.monotonic()
        renewed = self._store.renew(self._worker.id, held, lease=self._lease, now=now, stamps=dict(self._stamps))
        self._clock.anchor(renewed.now)
        # The answer names runs. Where this worker was given a run again, after it was taken for dead, only the newer
        # attempt can be meant: tokens grow.
        newest = dict(sorted(held))
        granted = {pair for pair in held if pair[0] in renewed.held and newest[pair[0]] == pair[1]}
        still = set(self._worker.held())
        # An id that is missing because it was settled in the meantime is not lost.
        self._worker.lose([pair for pair in held if pair not in granted and pair in still])
        for attempt in self._worker.live():
            if (attempt.run.id, attempt.run.token) not in granted:
                continue
            attempt.renewed_at = asked_at
            if attempt.run.id in renewed.stop:
                attempt.stop("cancelled", outcome=Outcome.CANCELLED, grace=self._grace)


class Timekeeper:
    """Stops what is out of time, and what was not renewed in time, before the store gives it to somebody else (G6).

    What does not stop within its grace and the hard grace is reported once: only the end of this process ends it. It
    asks no store: one that does not answer keeps nobody from being stopped. Durations are those of the monotonic
    clock.
    """

    def __init__(
        self,
        worker: Worker,
        *,
        clock: Clock,
        plan: Plan,
        on_stuck: Callable[[LiveAttempt], object],
        every: timedelta = timedelta(milliseconds=500),
    ) -> None:
        self._worker = worker
        self._clock = clock
        self._allowed = (plan.lease - plan.margin).total_seconds()
        self._grace = plan.grace
        self._kill_grace = plan.kill_grace
        self._on_stuck = on_stuck
        self._every = every
        self._reported: set[tuple[str, int]] = set()

    def tick(self, now: datetime) -> timedelta:
        at = self._clock.monotonic()
        live = self._worker.live()
        self._worker.lose([(one.run.id, one.run.token) for one in live if at > one.renewed_at + self._allowed])
        next_at = at + self._every.total_seconds()
        for attempt in live:
            if attempt.overdue_at is None or attempt.stop_signal.is_set():
                continue
            if at >= attempt.overdue_at:
                attempt.stop("its time limit is over", outcome=Outcome.TIMED_OUT, grace=self._grace)
            else:
                next_at = min(next_at, attempt.overdue_at)
        self._report([one for one in live if one.is_stuck(kill_grace=self._kill_grace, at=at)])
        # To the point for the next time limit, which may be short.
        return timedelta(seconds=next_at - at)

    def _report(self, stuck: Sequence[LiveAttempt]) -> None:
        pairs = {(one.run.id, one.run.token) for one in stuck}
        for attempt in stuck:
            if (attempt.run.id, attempt.run.token) not in self._reported:
                self._on_stuck(attempt)
        self._reported = pairs
