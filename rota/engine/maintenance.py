"""What keeps the ledger in order: recovers, unblocks, closes and prunes. Any process may do it; several may at once."""

import logging
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.clock import Clock
from rota.core import lifecycle
from rota.core.events import ClockStepped, RoundEnded, RunLost
from rota.core.model import Round, RunKind, State, WorkerRecord
from rota.core.rollup import Grain
from rota.engine.bookkeeper import Bookkeeper
from rota.engine.bus import Bus
from rota.engine.host import is_dead_neighbour
from rota.engine.private import cancel_left
from rota.ports import Store
from rota.queries import RunQuery

log: logging.Logger = logging.getLogger(__name__)

UNSAID = "the tenants were not listed"

FORGOTTEN = timedelta(days=1)
"""How long the record of a worker that is not heard of is kept, for people to see."""

KEPT = {Grain.MINUTE: timedelta(days=2), Grain.HOUR: timedelta(days=35)}
"""How long sums of short periods are kept at most: they are many, and those of days say it as well by then."""

SOURCES = timedelta(days=2)
"""How long it is remembered which process brought which sums last: long after it could bring one again."""


class Promoter:
    """Queues scheduled runs that came due, and waiting runs whose key nobody holds; skips those that expired."""

    def __init__(self, store: Store, *, every: timedelta = timedelta(seconds=1), batch: int = 1000) -> None:
        self._store = store
        self._every = every
        self._batch = batch

    def tick(self, now: datetime) -> timedelta:
        # First, so that nobody queues what will not run.
        expired = self._store.expire(now=now, limit=self._batch)
        promoted = self._store.promote(now=now, limit=self._batch)
        if self._batch in (promoted, len(expired)):
            return timedelta(0)
        self._store.unblock(now=now)
        return self._every


class Rescuer:
    """Gives runs whose lease has ended back to the queue, or fails them."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        bus: Bus,
        lease: timedelta,
        books: Bookkeeper | None = None,
        every: timedelta = timedelta(seconds=5),
        batch: int = 100,
    ) -> None:
        self._store = store
        self._books = books
        self._clock = clock
        self._bus = bus
        self._lease = lease
        self._every = every
        self._batch = batch
        self._seen: tuple[datetime, float] | None = None
        self._not_before = 0.0

    def tick(self, now: datetime) -> timedelta:
        if self._clock_stepped():
            return self._every
        expired = self._store.expired(now=now, limit=self._batch)
        # Each settlement carries the lease end that was read: a heartbeat in between makes it void.
        settlements = [lifecycle.rescue(run, now=now) for run in expired]
        applied = set(self._store.settle(settlements, now=now).applied) if settlements else set()
        if self._books is not None:
            self._books.settled(settlements, applied)
        for settlement in settlements:
            if settlement.run.id in applied:
                self._bus.publish(RunLost(settlement=settlement))
        # A full batch means there is more: come back at once.
        return timedelta(0) if len(expired) == self._batch else self._every

    def _clock_stepped(self) -> bool:
        """Whether the store's clock has moved against the monotonic one, less than a lease ago.

        Then live workers look dead: they get a lease to renew first (6.7).
        """
        store_now, monotonic = self._store.now(), self._clock.monotonic()
        if self._seen is not None:
            elapsed = timedelta(seconds=monotonic - self._seen[1])
            ahead = (store_now - self._seen[0]) - elapsed
            if abs(ahead) > timedelta(seconds=2) + elapsed * 0.1:
                log.warning("the store's clock stepped by %s; rescue pauses for a lease", ahead)
                self._not_before = monotonic + self._lease.total_seconds()
                self._bus.publish(ClockStepped(by=ahead))
        self._seen = (store_now, monotonic)
        return monotonic < self._not_before


class Neighbours:
    """Gives the runs of workers that died on this host back at once, without waiting for their leases (6.7)."""

    def __init__(
        self, store: Store, *, bus: Bus, books: Bookkeeper | None = None, every: timedelta = timedelta(seconds=5)
    ) -> None:
        self._store = store
        self._books = books
        self._bus = bus
        self._every = every

    def tick(self, now: datetime) -> timedelta:
        for worker in self._store.workers():
            if is_dead_neighbour(worker):
                if self.bury(worker.id, reason="its process is gone", now=now):
                    self._forget(worker, now)
                    log.warning("worker %s is dead; its runs are free", worker.id)
            elif now - worker.last_seen > FORGOTTEN:
                # Of another host: its leases ended long ago, and nobody else clears its record away.
                self._forget(worker, now)
        return self._every

    def bury(self, worker_id: str, *, reason: str, now: datetime) -> bool:
        """Give back the runs of a worker that is dead for certain, and return whether none is left.

        Its record stays for the next pass: what it had sent to the store in its last moment may be done only now.
        """
        query = RunQuery(owner=worker_id, states=(State.RUNNING,), kind=None, limit=500)
        while runs := self._store.runs(query):
            settlements = [lifecycle.rescue(run, now=now, reason=f"worker {worker_id}: {reason}") for run in runs]
            applied = set(self._store.settle(settlements, now=now).applied)
            if self._books is not None:
                self._books.settled(settlements, applied)
            for settlement in settlements:
                if settlement.run.id in applied:
                    self._bus.publish(RunLost(settlement=settlement))
            if not applied:
                # Somebody else is at it: what is left is for the next pass.
                return False
        return True

    def _forget(self, worker: WorkerRecord, now: datetime) -> None:
        cancel_left(self._store, worker.queues, now=now, reason="the process that it was started in is gone")
        self._store.deregister(worker.id)


class RoundCloser:
    """Ends rounds whose last run is final, with their state and counts."""

    def __init__(
        self,
        store: Store,
        *,
        bus: Bus,
        books: Bookkeeper | None = None,
        every: timedelta = timedelta(seconds=1),
        batch: int = 100,
    ) -> None:
        self._store = store
        self._books = books
        self._bus = bus
        self._every = every
        self._batch = batch

    def tick(self, now: datetime) -> timedelta:
        rounds = self._store.finished_rounds(limit=self._batch)
        counts = self._store.round_counts([round_.id for round_ in rounds]) if rounds else {}
        for round_ in rounds:
            number = counts.get(round_.id, {})
            ended = replace(
                round_,
                state=lifecycle.round_state(round_, number),
                reason=round_.reason if round_.expanded else self._why_not_expanded(round_),
                counts={str(state): n for state, n in number.items()},
                ended_at=now,
            )
            if self._store.end_round(ended):
                if self._books is not None:
                    self._books.round_ended(ended)
                self._bus.publish(RoundEnded(round=ended))
        return timedelta(0) if len(rounds) == self._batch else self._every

    def _why_not_expanded(self, round_: Round) -> str:
        expansions = self._store.runs(RunQuery(round_id=round_.id, kind=RunKind.EXPANSION, limit=1))
        for run in expansions:
            return run.error.first_line if run.error else run.reason or UNSAID
        return UNSAID


class Pruner:
    """Deletes old history in small batches (R72)."""

    def __init__(
        self,
        store: Store,
        *,
        succeeded: timedelta,
        failed: timedelta,
        slots: timedelta,
        logs: timedelta,
        audit: timedelta,
        rollups: timedelta = timedelta(days=400),
        every: timedelta = timedelta(minutes=10),
        batch: int = 500,
    ) -> None:
        self._store = store
        self._succeeded = succeeded
        self._failed = failed
        self._slots = slots
        self._logs = logs
        self._audit = audit
        self._rollups = rollups
        self._every = every
        self._batch = batch

    def tick(self, now: datetime) -> timedelta:
        deleted = self._store.prune(
            succeeded_before=now - self._succeeded,
            failed_before=now - self._failed,
            slots_before=now - self._slots,
            logs_before=now - self._logs,
            audit_before=now - self._audit,
            limit=self._batch,
        )
        sums = self._store.rollups.prune(
            {grain: now - min(kept, self._rollups) for grain, kept in KEPT.items()} | {Grain.DAY: now - self._rollups},
            sources_before=now - SOURCES,
            limit=self._batch,
        )
        # Between batches the others get the store.
        is_more = self._batch in (deleted.runs, deleted.chunks) or sums >= self._batch
        return timedelta(milliseconds=100) if is_more else self._every
