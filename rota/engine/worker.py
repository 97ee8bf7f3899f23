"""Claims runs, has them executed, and settles what ended."""

import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random

from msgspec.structs import replace

from rota.clock import Clock
from rota.core import lifecycle, retry
from rota.core.events import AttemptEnded, LeaseLost, RunStarted, UnknownJob
from rota.core.lifecycle import Ending
from rota.core.model import Outcome, Run, Settlement, State
from rota.engine.attempt import Bench, LiveAttempt
from rota.engine.bus import Bus
from rota.engine.prefetch import MOST, Prefetch
from rota.errors import StoreUnavailable
from rota.ports import ClaimRequest, Executor, RunQuery, Store
from rota.signature import Registered

log: logging.Logger = logging.getLogger(__name__)

IDLE = timedelta(seconds=1)
"""How long a worker waits for a wake-up before it looks by itself."""

STUCK = timedelta(seconds=1)
"""How long a run that was claimed ahead may wait for a place here."""


class Worker:
    """One pass settles what ended and claims for the free places, in one transaction.

    Endings come from the executor's threads through a queue of their own; only the thread that ticks talks to the
    store.
    """

    def __init__(
        self,
        worker_id: str,
        store: Store,
        *,
        clock: Clock,
        bus: Bus,
        bench: Bench,
        jobs: Mapping[str, Registered],
        executor: Executor,
        queues: Mapping[str, int],
        places: int,
        lease: timedelta,
        random: Random,
    ) -> None:
        self.id = worker_id
        self._store = store
        self._clock = clock
        self._bus = bus
        self._bench = bench
        self._jobs = jobs
        self._executor = executor
        self._queues = queues
        self._places = places
        self._lease = lease
        self._random = random
        self._prefetch = Prefetch(places)
        self._live: dict[tuple[str, int], LiveAttempt] = {}
        self._ended: deque[tuple[LiveAttempt, Ending]] = deque()
        self._unsettled: list[Settlement] = []
        self._unknown: set[str] = set()
        self._draining = False
        self._in_doubt = False
        self._exchanging = False
        self.wake: threading.Event = threading.Event()
        """Set when an attempt ended or work may have come; whoever drives the worker waits on it."""

    @property
    def busy(self) -> bool:
        """Whether this worker holds runs, from claim to settlement, or may be about to. Safe from any thread."""
        return self._exchanging or bool(self._live) or bool(self._unsettled)

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues it works."""
        return tuple(self._queues)

    @property
    def jobs(self) -> tuple[str, ...]:
        """The names of the jobs it knows."""
        return tuple(self._jobs)

    @property
    def has_unknown(self) -> bool:
        """Whether it has met runs of jobs that it does not know (R36)."""
        return bool(self._unknown)

    def held(self) -> list[tuple[str, int]]:
        """Return the (run id, token) pairs whose leases must be renewed. Safe from any thread."""
        # Not the lost ones: renewed for an attempt that ignores its stop signal, a run would never come free. What
        # ended and is not settled yet is still this worker's: the store may be away for a moment.
        live = [(attempt.run.id, attempt.run.token) for attempt in self.live() if not attempt.lost]
        unsettled = [(one.run.id, one.run.token) for one in list(self._unsettled)]
        return list(dict.fromkeys(live + unsettled))

    def lose(self, lost: Sequence[tuple[str, int]]) -> None:
        """Stop attempts whose leases are gone; their endings are not recorded (G5). Safe from any thread."""
        for pair in lost:
            attempt = self._live.get(pair)
            if attempt is not None and not attempt.lost:
                attempt.lost = True
                attempt.stop("its lease is lost", outcome=Outcome.INTERRUPTED)
                self._bus.publish(LeaseLost(run=attempt.run))

    def live(self) -> list[LiveAttempt]:
        """Return the attempts that are held now. Safe from any thread."""
        return list(self._live.values())

    def tick(self, now: datetime) -> timedelta:
        """Settle what ended, claim what there is place for, and say when to come back without a wake-up."""
        self.wake.clear()
        # Before it is asked whether the worker drains: who drains sees a pass that may still claim, or none does.
        self._exchanging = True
        try:
            return self._pass(now)
        finally:
            self._exchanging = False

    def _pass(self, now: datetime) -> timedelta:
        asked_at = self._clock.monotonic()
        if self._in_doubt:
            self._give_back_unheard_of(now)
            self._in_doubt = False
        settlements = self._collect(now)
        request = None if self._draining else self._request()
        self._give_back_stuck(now)
        if not settlements and request is None:
            return IDLE
        self._in_doubt = request is not None
        claimed = self._exchange(settlements, request, now)
        self._start(claimed, now, asked_at=asked_at)
        self._in_doubt = False
        # A full answer means there is more; ended attempts want to be settled.
        more = request is not None and len(claimed) >= request.limit
        return timedelta(0) if more or self._ended else IDLE

    def _exchange(self, settlements: Sequence[Settlement], request: ClaimRequest | None, now: datetime) -> list[Run]:
        if not settlements:
            return [] if request is None else self._store.claim(request, now=now)
        settled = self._store.settle(settlements, now=now, claim=request)
        self._unsettled.clear()
        self._report(settlements, set(settled.applied))
        return settled.claimed

    def _give_back_unheard_of(self, now: datetime) -> None:
        """After an answer that was lost: what was claimed under this worker's name and never arrived is not started
        but given back, its attempt not counted (6.4)."""
        query = RunQuery(owner=self.id, states=(State.RUNNING,), kind=None, limit=2 * MOST)
        running = {(run.id, run.token) for run in self._store.runs(query)}
        # A lost attempt is known too: while its code may still run, only the end of its lease frees the run.
        unheard_of = running.difference(self._live, self.held())
        if unheard_of:
            self._store.release(self.id, sorted(unheard_of), now=now)

    def _give_back_stuck(self, now: datetime) -> None:
        """Let others have the runs that were claimed ahead and found every place taken for longer than expected."""
        if len(self._live) <= self._places:
            return
        waiting = next((one for one in self.live() if one.started_at is None), None)
        if waiting is None:
            return
        waited = self._clock.monotonic() - waiting.claimed_at
        if waited > STUCK.total_seconds():
            # Or the same runs would be claimed again by the next pass, and given back, for as long as this lasts.
            self._prefetch.learn_at_least(waited)
            self.release_waiting(now)

    def _collect(self, now: datetime) -> list[Settlement]:
        """Turn the endings so far into settlements. They are kept until the store has them: an answer that was lost
        is asked for again."""
        while self._ended:
            attempt, ending = self._ended.popleft()
            if not attempt.lost:
                self._unsettled.append(self._settlement(attempt, ending, now))
            # Only now, so that the heartbeat finds it in one place or the other.
            self._live.pop((attempt.run.id, attempt.run.token), None)
        return list(self._unsettled)

    def _settlement(self, attempt: LiveAttempt, ending: Ending, now: datetime) -> Settlement:
        run = attempt.run
        if ending.outcome is Outcome.CANCELLED and attempt.stop_signal.is_set():
            # Whoever cancelled it wrote the reason on the run's row; ours must not replace it.
            ending = replace(ending, reason=None)
        pause = retry.wait(self._jobs[run.job].job.retry, attempt=max(run.attempt, 1), random=self._random)
        return lifecycle.settle(run, ending, now=now, wait=pause)

    def _request(self) -> ClaimRequest | None:
        free = self._prefetch.room(held=len(self._live))
        if free <= 0:
            return None
        return ClaimRequest(
            worker=self.id,
            queues={name: min(share, free) if share else free for name, share in self._queues.items()},
            limit=free,
            lease=self._lease,
            except_jobs=frozenset(self._unknown),
        )

    def _start(self, claimed: Sequence[Run], now: datetime, *, asked_at: float) -> None:
        attempts = []
        unknown = []
        for run in claimed:
            registered = self._jobs.get(run.job)
            if registered is None:
                unknown.append(run)
                continue
            attempt = LiveAttempt(run, registered, self._bench, asked_at=asked_at)
            if run.cancel_requested:
                # Asked for while a worker had it that gave it back: it does not begin.
                attempt.stop("cancelled", outcome=Outcome.CANCELLED)
            self._live[run.id, run.token] = attempt
            attempts.append(attempt)
        if self._bus.wants(RunStarted):
            for attempt in attempts:
                self._bus.publish(RunStarted(run=attempt.run))
        if attempts:
            self._executor.submit(attempts, self._on_ended)
        # Last: the store may be away, and what is held must be with the executor by then.
        if unknown:
            self._give_back_unknown(unknown, now)

    def _give_back_unknown(self, runs: Sequence[Run], now: datetime) -> None:
        """Leave runs of unknown jobs to a worker that knows them (R36)."""
        self._unknown.update(run.job for run in runs)
        self._store.release(self.id, [(run.id, run.token) for run in runs], now=now)
        for run in runs:
            log.warning("no such job here, given back", extra={"job": run.job, "run": run.id})
            self._bus.publish(UnknownJob(run=run))

    def _on_ended(self, run: Run, ending: Ending) -> None:
        attempt = self._live.get((run.id, run.token))
        if attempt is not None:
            self._prefetch.learn(attempt.started_at, self._clock)
            self._ended.append((attempt, ending))
        if not self.wake.is_set():
            self.wake.set()

    def _report(self, settlements: Sequence[Settlement], applied: set[str]) -> None:
        wanted = self._bus.wants(AttemptEnded)
        for settlement in settlements:
            if settlement.run.id not in applied:
                log.warning("lease lost before the end was recorded", extra={"run": settlement.run.id})
                self._bus.publish(LeaseLost(run=settlement.run))
            elif wanted:
                self._bus.publish(AttemptEnded(settlement=settlement))

    # --- stopping ---

    def stop_claiming(self) -> None:
        """Take no more work. What has not begun is given back at once by the next `release_waiting`."""
        self._draining = True

    def release_waiting(self, now: datetime) -> int:
        """Give back the runs that were claimed and have not begun; return how many (R45)."""
        calls = self._executor.withdraw()
        pairs = [(call.run.id, call.run.token) for call in calls]
        for pair in pairs:
            self._live.pop(pair, None)
        if not pairs:
            return 0
        try:
            self._store.release(self.id, pairs, now=now)
        except StoreUnavailable:
            # The next pass, or the end, gives back what the store says is held and nobody here knows.
            self._in_doubt = True
            raise
        return len(pairs)

    def stop_attempts(self, reason: str) -> None:
        """Ask what still runs to stop; it is given back without counting the attempt."""
        for attempt in self.live():
            attempt.stop(reason, outcome=Outcome.INTERRUPTED)

    def finish(self, now: datetime) -> int:
        """Record what has ended, and give back the rest, asked to stop or not; return how many attempts went on.

        The last thing that a worker does, when nobody ticks it any more: an ending that comes later is not recorded.
        What the store cannot be told ends with its lease.
        """
        self._draining = True
        settlements = self._collect(now)
        going_on = [attempt for attempt in self.live() if not attempt.lost]
        for attempt in going_on:
            attempt.lost = True
            attempt.stop("the worker is shutting down", outcome=Outcome.INTERRUPTED)
            ending = Ending(outcome=Outcome.INTERRUPTED, started_at=attempt.started_at, reason="given back unfinished")
            settlements.append(lifecycle.settle(attempt.run, ending, now=now, wait=timedelta(0)))
        self._live.clear()
        try:
            self._exchange(settlements, None, now)
            self._give_back_unheard_of(now)
        except StoreUnavailable as error:
            log.warning("could not give back everything, leases will end: %s", error)
        return len(going_on)
