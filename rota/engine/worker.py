"""Claims runs, has them executed, and settles what ended."""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random

from rota.clock import Clock
from rota.core.events import (
    AttemptEnded,
    AttemptFailed,
    AttemptsEnded,
    AttemptStuck,
    LeaseLost,
    RunLost,
    RunsReleased,
    RunsStarted,
    RunStarted,
    ServiceFailed,
    UnknownJob,
)
from rota.core.freshness import Expectation
from rota.core.lifecycle import Ending, unknown_in_hand
from rota.core.model import ErrorReport, Outcome, Run, Settlement, State
from rota.engine.attempt import Bench, LiveAttempt
from rota.engine.bus import Bus
from rota.engine.circuits import Circuits
from rota.engine.holdings import Holdings
from rota.engine.hosts import NOBODY, Hosts
from rota.engine.openings import Openings
from rota.engine.pool import GATHER, Pair, Pool
from rota.engine.prefetch import MOST
from rota.engine.standing import Standing
from rota.engine.verdict import Verdict
from rota.errors import StoreUnavailable
from rota.ports import Store
from rota.queries import ClaimRequest, RunQuery
from rota.redaction import redacted
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
        pools: Sequence[Pool],
        queues: Mapping[str, int],
        standing: Standing,
        lease: timedelta,
        margin: timedelta,
        on_ended: Callable[[Run], object],
        tell_flows: Callable[[Run], object],
        random: Random,
        circuits: Circuits | None = None,
        hosts: Hosts | None = None,
        tell_settled: Callable[[Sequence[Settlement], Collection[str]], object] | None = None,
        expect: Callable[[Run], Expectation | None] | None = None,
    ) -> None:
        """`hosts`: None where any number of runs may use the databases of one. `expect`: see `Verdict`."""
        self.id = worker_id
        self._pid = os.getpid()
        self._store = store
        self._clock = clock
        self._bus = bus
        self._bench = bench
        self._jobs = jobs
        self._queues = queues
        self._standing = standing
        self.openings: Openings = Openings(standing)
        self._holdings = Holdings(pools, queues=queues)
        self._circuits = circuits
        self._hosts = hosts
        self._verdict = Verdict(jobs, random=random, expect=expect)
        self._lease = lease
        self._allowed = (lease - margin).total_seconds()
        self._tell_ended = on_ended
        self._tell_flows = tell_flows
        self._tell_settled = tell_settled
        self._ended: deque[tuple[LiveAttempt, Ending]] = deque()
        self._unsettled: dict[Pair, Settlement] = {}
        self._unknown: set[str] = set()
        self._draining = False
        self._in_doubt = False
        self._exchanging = False
        self.wake: threading.Event = threading.Event()
        """Set when an attempt ended or work may have come; whoever drives the worker waits on it."""
        self.hungry: threading.Event = threading.Event()
        """Set while there are places that the last claim could not fill: then it is of use to know that work came."""
        self.hungry.set()

    @property
    def busy(self) -> bool:
        """Whether this worker holds runs, from claim to settlement, or may be about to. Safe from any thread."""
        return self._exchanging or bool(self._holdings) or bool(self._unsettled)

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues it works."""
        return tuple(self._queues)

    @property
    def jobs(self) -> tuple[str, ...]:
        """The names of the jobs that it takes runs of."""
        return tuple(name for name in self._jobs if name not in self._unknown)

    @property
    def has_unknown(self) -> bool:
        """Whether there may be runs in its queues that it does not take (R36)."""
        return bool(self._unknown)

    def leave(self, jobs: Iterable[str]) -> None:
        """Leave the runs of these jobs to other workers, as if they were not known here."""
        self._unknown.update(jobs)

    def held(self) -> list[tuple[str, int]]:
        """Return the (run id, token) pairs whose leases must be renewed. Safe from any thread."""
        # Not the lost ones: renewed for an attempt that ignores its stop signal, a run would never come free. What
        # ended and is not settled yet is still this worker's: the store may be away for a moment.
        live = [(attempt.run.id, attempt.run.token) for attempt in self.live() if not attempt.lost]
        return list(dict.fromkeys(live + list(self._unsettled)))

    def lose(self, lost: Sequence[tuple[str, int]]) -> None:
        """Stop attempts whose leases are gone; their endings are not recorded (G5). Safe from any thread."""
        for pair in lost:
            attempt = self._holdings.find(pair)
            if attempt is None or attempt.lost:
                continue
            attempt.lost = True
            if attempt.is_sent:
                # Nothing of it has run here. Whoever it was sent to has it, or the end of its lease frees it.
                self._holdings.forget(pair)
                attempt.stop("it was taken over", outcome=Outcome.SUPERSEDED)
                continue
            attempt.stop("its lease is lost", outcome=Outcome.INTERRUPTED)
            self._bus.publish(LeaseLost(run=attempt.run))

    def began_since_last_look(self) -> list[str]:
        """Return the names of the jobs whose runs were claimed since the last call. Safe from any thread."""
        return self._holdings.began_since_last_look()

    def live(self) -> list[LiveAttempt]:
        """Return the attempts that are held now. Safe from any thread."""
        return self._holdings.live()

    def is_at(self, run: Run) -> bool:
        """Whether this attempt is being executed here. Safe from any thread."""
        attempt = self._holdings.find((run.id, run.token))
        return attempt is not None and not attempt.is_over

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
        if self._gathers(asked_at):
            return GATHER
        if self._in_doubt:
            self._give_back_unheard_of(now)
            self._in_doubt = False
        settlements = self._collect(now)
        reopened = self.openings.after(settlements)
        more = False
        for pool in self._holdings.pools:
            request = None if self._draining else self._request(pool, asked_at, reopened)
            if request is None and not settlements:
                continue
            self._in_doubt = self._in_doubt or request is not None
            # What ended is settled together with the first claim, in one transaction.
            claimed_at = self._clock.monotonic()
            claimed = self._exchange(settlements, request, now)
            if claimed and self._clock.monotonic() - claimed_at > self._allowed:
                self._give_back_late(claimed, now)
                return timedelta(0)
            self._start(claimed, now, asked_at=claimed_at)
            if request is not None:
                at = self._clock.monotonic()
                pool.supplied(at=at, took=at - claimed_at)
                # A full answer means there is more.
                more = more or len(claimed) >= request.limit
                self._let_rest(pool, is_empty=not claimed, is_busy=more or bool(settlements))
            settlements = []
        self._in_doubt = False
        self._give_back_stuck(now)
        if more:
            self.hungry.clear()
        else:
            self.hungry.set()
        return timedelta(0) if more or self._ended else self._idle()

    def _gathers(self, at: float) -> bool:
        """Whether more will have ended soon, and nobody has to wait for what ended so far."""
        if self._draining or self._in_doubt:
            return False
        at_work = [pool for pool in self._holdings.pools if pool.live]
        return bool(at_work) and all(pool.gathers(at=at) for pool in at_work)

    def _idle(self) -> timedelta:
        """Return how long it waits without a wake-up: for one that came while a pool rested it looks by itself."""
        at = self._clock.monotonic()
        return min(
            IDLE, *(timedelta(seconds=pool.rests_for(at=at) or IDLE.total_seconds()) for pool in self._holdings.pools)
        )

    def _let_rest(self, pool: Pool, *, is_empty: bool, is_busy: bool) -> None:
        if not is_empty:
            pool.found()
        elif is_busy and len(self._holdings.pools) > 1:
            pool.rest(at=self._clock.monotonic())

    def _exchange(self, settlements: Sequence[Settlement], request: ClaimRequest | None, now: datetime) -> list[Run]:
        if not settlements:
            return [] if request is None else self._store.claim(request, now=now)
        settled = self._store.settle(settlements, now=now, claim=request)
        # Told once: a worker that finishes settles again what a pass that hangs at the store may not have.
        untold = [one for one in settlements if self._unsettled.pop((one.run.id, one.run.token), None) is not None]
        self._report(untold, set(settled.applied))
        return settled.claimed

    def _give_back_unheard_of(self, now: datetime, *, but: Collection[Pair] = ()) -> None:
        """After an answer that was lost: what was claimed under this worker's name and never arrived is not started
        but given back, its attempt not counted (6.4)."""
        query = RunQuery(owner=self.id, states=(State.RUNNING,), kind=None, limit=2 * MOST)
        running = {(run.id, run.token) for run in self._store.runs(query)}
        # A lost attempt is known too: while its code may still run, only the end of its lease frees the run.
        known = [(attempt.run.id, attempt.run.token) for attempt in self.live()]
        unheard_of = running.difference(known, self.held(), but)
        if unheard_of:
            self._store.release(self.id, sorted(unheard_of), now=now)

    def _give_back_late(self, claimed: Sequence[Run], now: datetime) -> None:
        """Start nothing of a claim whose answer came so late that the leases may have ended meanwhile (6.4, G6)."""
        log.warning("the answer to a claim came too late; %d runs are given back", len(claimed))
        self._store.release(self.id, [(run.id, run.token) for run in claimed], now=now)

    def _give_back_stuck(self, now: datetime) -> None:
        """Let others have the runs that were claimed ahead and found every place taken for longer than expected."""
        for pool in self._holdings.pools:
            if len(pool.live) <= pool.places:
                continue
            waiting = next((one for one in list(pool.live.values()) if one.started_at is None), None)
            if waiting is None:
                continue
            waited = self._clock.monotonic() - waiting.claimed_at
            if waited > STUCK.total_seconds():
                # Or the same runs would be claimed again by the next pass, and given back, for as long as this lasts.
                pool.learn_at_least(waited)
                self._release_waiting([pool], now)

    def _collect(self, now: datetime) -> list[Settlement]:
        """Turn the endings so far into settlements. They are kept until the store has them: an answer that was lost
        is asked for again."""
        while self._ended:
            attempt, ending = self._ended.popleft()
            self._unsettled[attempt.run.id, attempt.run.token] = self._verdict.on(attempt, ending, now)
            # Only now, so that the heartbeat finds it in one place or the other.
            self._holdings.forget((attempt.run.id, attempt.run.token))
        return list(self._unsettled.values())

    def _request(self, pool: Pool, at: float, reopened: tuple[str, ...]) -> ClaimRequest | None:
        free = pool.room(at=at)
        shares = self._holdings.shares(free) if free > 0 else {}
        paused = self._standing.paused_queues
        queues = {name: room for name, room in shares.items() if name not in paused}
        if not queues:
            return None
        # Each pool leaves the jobs of the others alone.
        others = [other.jobs for other in self._holdings.pools if other is not pool]
        return ClaimRequest(
            worker=self.id,
            queues=queues,
            limit=free,
            lease=self._lease,
            except_jobs=frozenset(self._unknown).union(self._standing.paused_jobs, *others),
            except_tenants=self._standing.held_tenants | self._on_full_hosts(),
            limits=self.openings.limits,
            reopened=reopened,
        )

    def _on_full_hosts(self) -> frozenset[str]:
        return NOBODY if self._hosts is None else self._hosts.full(attempt.run for attempt in self.live())

    def take_over(self, handed: tuple[str, int], now: datetime) -> list[Run]:
        """Take over a run that another worker has handed over, by (run id, token), and submit it: with an inline
        executor it is over when this returns. Return it, or nothing if it is somebody else's by now. Safe from any
        thread.

        Raises:
            StoreUnavailable: it is not begun; if the store has given it nevertheless, the end of its lease frees it.
        """
        asked_at = self._clock.monotonic()
        request = ClaimRequest(worker=self.id, queues={}, limit=1, lease=self._lease, handed=handed)
        taken = self._store.claim(request, now=now)
        if taken and self._clock.monotonic() - asked_at > self._allowed:
            self._give_back_late(taken, now)
            return []
        if known := [run for run in taken if run.job in self._jobs]:
            self._start(known, now, asked_at=asked_at)
        for run in taken[len(known) :]:
            self._store.settle([unknown_in_hand(run, now=now)], now=now)
            self._bus.publish(UnknownJob(run=run))
        return known

    def _start(self, claimed: Sequence[Run], now: datetime, *, asked_at: float) -> None:
        excess: Sequence[Run] = ()
        if self._hosts is not None:
            held = [attempt.run for attempt in self.live()]
            claimed, excess = self._hosts.divide(claimed, held=held, now=now)
        unknown = [run for run in claimed if run.job not in self._jobs]
        attempts = []
        for run in claimed:
            if run.job not in self._jobs:
                continue
            attempt = LiveAttempt(run, self._jobs[run.job], self._bench, asked_at=asked_at)
            if run.cancel_requested:
                # Asked for while a worker had it that gave it back: it does not begin.
                attempt.stop("cancelled", outcome=Outcome.CANCELLED)
            attempts.append(attempt)
        # None of them once this worker has finished: nobody renews their leases any more.
        for pool, taken in self._holdings.take(attempts):
            # What is sent begins where it is taken over.
            begins = [one for one in taken if not one.is_sent] if self._bench.fleets else taken
            self._tell_started([attempt.run for attempt in begins])
            pool.executor.submit(taken, partial(self._on_ended, pool))
        # Last: the store may be away, and what is held must be with the executor by then.
        if excess:
            self._store.release(self.id, [(run.id, run.token) for run in excess], now=now)
        if unknown:
            self._give_back_unknown(unknown, now)

    def _give_back_unknown(self, runs: Sequence[Run], now: datetime) -> None:
        """Leave runs of unknown jobs to a worker that knows them (R36)."""
        self._unknown.update(run.job for run in runs)
        self._store.release(self.id, [(run.id, run.token) for run in runs], now=now)
        for run in runs:
            log.warning("no such job here, given back", extra={"job": run.job, "run": run.id})
            self._bus.publish(UnknownJob(run=run))

    def _on_ended(self, pool: Pool, run: Run, ending: Ending) -> None:
        if os.getpid() != self._pid:
            # A job forked, and the copy returned as well: the run is that of the process it was claimed in.
            os._exit(0)
        at = self._clock.monotonic()
        attempt = pool.live.get((run.id, run.token))
        if attempt is not None:
            attempt.is_over = True
            # Before it is settled: whoever sees its end and asks for its log finds all of it, or nearly.
            self._tell(run)
            pool.learn(attempt, at=at)
            if ending.reached is not None and self._circuits is not None:
                ending = self._circuits.hear(run, ending)
            self._ended.append((attempt, ending))
        if not self.wake.is_set() and not pool.gathers(at=at):
            self.wake.set()

    def _tell(self, run: Run) -> None:
        try:
            self._tell_ended(run)
        # What is said at the end of a run goes through the log of the application, which may fail. The run must not.
        except Exception as error:  # noqa: BLE001
            report = ErrorReport(type=type(error).__qualname__, message=redacted(str(error)))
            self._bus.publish(ServiceFailed(service="capture", error=report))

    def _tell_started(self, runs: Sequence[Run]) -> None:
        if self._bus.wants(RunsStarted):
            self._bus.publish(RunsStarted(runs=tuple(runs)))
        if self._bus.wants(RunStarted):
            for run in runs:
                self._bus.publish(RunStarted(run=run))

    def _report(self, settlements: Sequence[Settlement], applied: set[str]) -> None:
        if self._tell_settled is not None:
            self._tell_settled(settlements, applied)
        wants_good, wants_bad = self._bus.wants(AttemptEnded), self._bus.wants(AttemptFailed)
        if self._bus.wants(AttemptsEnded):
            ended = tuple(settlement for settlement in settlements if settlement.run.id in applied)
            self._bus.publish(AttemptsEnded(settlements=ended))
        for settlement in settlements:
            if settlement.run.id not in applied:
                log.warning("lease lost before the end was recorded", extra={"run": settlement.run.id})
                self._bus.publish(LeaseLost(run=settlement.run))
                continue
            if settlement.run.part is not None:
                self._tell_flows(settlement.run)
            if settlement.outcome is Outcome.SUCCEEDED:
                if wants_good:
                    self._bus.publish(AttemptEnded(settlement=settlement))
            elif wants_bad:
                self._bus.publish(AttemptFailed(settlement=settlement))
            if settlement.outcome is Outcome.LOST:
                # Its child died by itself.
                self._bus.publish(RunLost(settlement=settlement))

    # --- stopping ---

    def stop_claiming(self) -> None:
        """Take no more work. What has not begun is given back at once by the next `release_waiting`."""
        self._draining = True

    def release_waiting(self, now: datetime) -> int:
        """Give back the runs that were claimed and have not begun; return how many (R45)."""
        return self._release_waiting(self._holdings.pools, now)

    def _release_waiting(self, pools: Sequence[Pool], now: datetime) -> int:
        pairs = [(run.id, run.token) for run in self._holdings.withdraw(pools)]
        if not pairs:
            return 0
        try:
            self._store.release(self.id, pairs, now=now)
        except StoreUnavailable:
            # The next pass, or the end, gives back what the store says is held and nobody here knows.
            self._in_doubt = True
            raise
        self._bus.publish(RunsReleased(worker=self.id, number=len(pairs), reason="they had not begun"))
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
        live = self._holdings.close()
        # After the line above: what ends at this moment is either in here, or given back.
        ended = {(settlement.run.id, settlement.run.token) for settlement in self._collect(now)}
        live = [attempt for attempt in live if (attempt.run.id, attempt.run.token) not in ended]
        going_on = [attempt for attempt in live if not attempt.lost]
        # While their code may go on, only the end of its lease, or of this process, frees a run whose lease was lost.
        still_lost = {(attempt.run.id, attempt.run.token) for attempt in live if attempt.lost}
        for attempt in going_on:
            self._unsettled[attempt.run.id, attempt.run.token] = self._verdict.at_parting(attempt, now)
            attempt.lost = True
            attempt.stop("the worker is shutting down", outcome=Outcome.INTERRUPTED)
        try:
            self._exchange(list(self._unsettled.values()), None, now)
            self._give_back_unheard_of(now, but=still_lost)
        except StoreUnavailable as error:
            log.warning("could not give back everything, leases will end: %s", error)
        return len(going_on)

    def give_up(self, attempt: LiveAttempt, now: datetime) -> None:
        """Record an attempt that does not stop as what it was stopped for. Safe from any thread.

        Raises:
            StoreUnavailable: nothing was recorded.
        """
        if self._holdings.find((attempt.run.id, attempt.run.token)) is None:
            return
        settlement = self._verdict.at_parting(attempt, now)
        settled = self._store.settle([settlement], now=now)
        attempt.lost = True
        self._holdings.forget((attempt.run.id, attempt.run.token))
        self._report([settlement], set(settled.applied))

    def report_stuck(self, attempt: LiveAttempt) -> None:
        """Say that an attempt does not stop. Safe from any thread."""
        reason = attempt.stop_signal.reason
        log.error(
            "it does not stop, though %s: this process must be replaced",
            reason,
            extra={"job": attempt.run.job, "run": attempt.run.id, "tenant": attempt.run.tenant},
        )
        self._bus.publish(AttemptStuck(run=attempt.run, reason=reason))
