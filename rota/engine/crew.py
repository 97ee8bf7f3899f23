"""The services of one process, and the order in which they start and stop."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from types import MappingProxyType

from rota.calls import Executor
from rota.clock import Clock
from rota.core.events import WorkerStarted, WorkerStopped
from rota.engine import host
from rota.engine.attempt import Bench, LiveAttempt
from rota.engine.bookkeeper import Bookkeeper
from rota.engine.bus import Bus
from rota.engine.circuits import Prober
from rota.engine.flows import Flows
from rota.engine.gatekeeper import Gatekeeper
from rota.engine.guard import Guard
from rota.engine.handover import Handover
from rota.engine.heartbeat import Heartbeat, Timekeeper
from rota.engine.lag import LagWatch
from rota.engine.loop import Loop, Service, Waiter
from rota.engine.openings import Limiter
from rota.engine.plan import Plan
from rota.engine.pool import Pool
from rota.engine.private import cancel_left
from rota.engine.pulse import EVERY, Pulse, rest_for, signs_for
from rota.engine.roster import Coroutines, Outside, pools, services
from rota.engine.rulebook import Rulebook
from rota.engine.scheduler import Scheduler
from rota.engine.standing import Standing
from rota.engine.voice import Voice
from rota.engine.worker import Worker
from rota.errors import StoreUnavailable
from rota.ports import Store
from rota.queries import Sign
from rota.signature import Registered

log: logging.Logger = logging.getLogger(__name__)

MOST_WAIT = timedelta(seconds=2)
"""How long loops may take to end their last passes; a store that hangs must not hold up the end of the process."""

KILLED = timedelta(seconds=1)
"""How long a child process that was killed may take to be recorded."""


class Crew:
    """Scheduler, worker and maintenance of one process, each with a thread of its own.

    Whoever works or schedules also rescues, closes and prunes: there is no process without which those stop.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        bus: Bus,
        voice: Voice,
        bench: Bench,
        jobs: Mapping[str, Registered],
        executor: Executor,
        coroutines: Coroutines | None = None,
        fleets: Mapping[str, Outside] = MappingProxyType({}),
        gatekeeper: Gatekeeper,
        plan: Plan,
        guard: Guard,
        books: Bookkeeper,
        schedule_keepers: Callable[[str], Mapping[str, Service]] | None = None,
        lookouts: Callable[[], Mapping[str, Service]] | None = None,
        rulebook: Rulebook | None = None,
    ) -> None:
        """`executor` runs what is no coroutine, and without `coroutines` those as well; what is of a fleet is sent.
        `schedule_keepers` makes what else looks after the schedules, for the id of this process; `lookouts` what looks
        out for trouble."""
        self._store = store
        self._bus = bus
        self._clock = clock
        self._plan = plan
        self._voice = voice
        places = pools(executor, coroutines, jobs=jobs, plan=plan, fleets=fleets)
        self._executors: list[Executor] = [pool.executor for pool in places]
        self._children = bench.children
        self._stuck: list[LiveAttempt] = []
        self.must_end: threading.Event = threading.Event()
        """Set when an attempt does not stop: only the end of this process ends it. See `abandon`."""
        self.standing: Standing = gatekeeper.standing
        self.gatekeeper: Gatekeeper = gatekeeper
        self._guard = guard
        self._books = books
        self._rulebook = rulebook
        self.flows: Flows = Flows(store)
        self.stamps: dict[str, datetime] = {}
        """When each loop last came round."""
        self.worker: Worker = self._worker(bus, bench, jobs, places)
        voice.attend(self.worker.is_at)
        self.scheduler: Scheduler = Scheduler(
            store, clock=clock, bus=bus, jobs=jobs, standing=self.standing, worker=self.worker.id, every=plan.tick
        )
        self.schedule_keepers: Mapping[str, Service] = {}
        """What looks after the schedules besides, by name: driven by whoever schedules, or by a single pass."""
        if schedule_keepers is not None:
            self.schedule_keepers = schedule_keepers(self.worker.id)
        self.services: dict[str, Service] = self._usual(bus)
        """What is driven besides the worker and its leases, by name."""
        self.services |= self._further(lookouts() if lookouts is not None and plan.watches else {})
        self.heartbeat: Heartbeat = Heartbeat(self.worker, store, clock=clock, plan=plan, stamps=self.stamps)
        self.timekeeper: Timekeeper = Timekeeper(self.worker, clock=clock, plan=plan, on_stuck=self._on_stuck)
        self._pulse = Pulse(store, clock=clock, every=min(EVERY, plan.tick), rest=rest_for(plan.heartbeat))
        self._leases = self._lease_loops(bus, coroutines, fleets)
        self._work = self._work_loops(bus)
        self._keep = self._keep_loops(bus)

    def _worker(self, bus: Bus, bench: Bench, jobs: Mapping[str, Registered], places: Sequence[Pool]) -> Worker:
        plan = self._plan
        return Worker(
            self._clock.new_id(),
            self._store,
            clock=self._clock,
            bus=bus,
            bench=bench,
            jobs=jobs,
            pools=places,
            queues=plan.queues,
            standing=self.standing,
            lease=plan.lease,
            margin=plan.margin,
            on_ended=self._voice.ended,
            tell_flows=self.flows.tell,
            random=Random(),
            circuits=self._guard.circuits,
            hosts=self._guard.hosts,
            tell_settled=self._books.settled,
            expect=None if self._rulebook is None else self._rulebook.on_success,
        )

    def _usual(self, bus: Bus) -> dict[str, Service]:
        """Return the services that every process has."""
        return services(
            self._store,
            clock=self._clock,
            bus=bus,
            plan=self._plan,
            worker=self.worker,
            scheduler=self.scheduler,
            gatekeeper=self.gatekeeper,
            books=self._books,
        )

    def _further(self, lookouts: Mapping[str, Service]) -> dict[str, Service]:
        """Return the services that this process has beside those that every process has."""
        found: dict[str, Service] = {
            "circuits": self._guard.circuits,
            "prober": self._guard.prober,
            "flows": self.flows,
        }
        if self._rulebook is not None:
            found["rulebook"] = self._rulebook
        if self._voice.chronicle is not None:
            found["chronicle"] = self._voice.chronicle
        if self._plan.schedules:
            found |= self.schedule_keepers
        elif "campaigns" in self.schedule_keepers:
            # What somebody asked for goes on wherever anybody works.
            found["campaigns"] = self.schedule_keepers["campaigns"]
        return found | dict(lookouts)

    def _keep_loops(self, bus: Bus) -> list[Loop]:
        wakes = {"flows": self.flows.wake}
        loops = [self._loop(bus, "pulse", self._pulse)]
        for name, service in self.services.items():
            signs, wake = signs_for(name), wakes.get(name, threading.Event())
            if signs:
                self._pulse.wake(wake, at=signs)
            loops.append(self._loop(bus, name, service, wake=wake, rest=self._pulse.rest if signs else None))
        return loops

    def _work_loops(self, bus: Bus) -> list[Loop]:
        worker = self.worker
        # While it holds runs it has more to look after than the queue.
        loop = self._loop(bus, "worker", worker, wake=worker.wake, rest=self._rest_of_worker)
        if not self._plan.claims:
            return [loop]
        self._pulse.wake(worker.wake, at=[Sign.RUN_QUEUED])
        return [
            loop,
            self._loop(bus, "waiter", Waiter(self._store.wait, self.worker.wake, hungry=self.worker.hungry)),
        ]

    def _rest_of_worker(self, delay: timedelta) -> timedelta:
        return delay if self.worker.busy else self._pulse.rest(delay)

    def _lease_loops(self, bus: Bus, coroutines: Coroutines | None, fleets: Mapping[str, Outside]) -> list[Loop]:
        """Return what goes on until the last attempt has ended, also while the process drains."""
        watched: dict[str, Service] = {} if coroutines is None else {"lag": LagWatch(coroutines, bus=bus)}
        kept: dict[str, Service] = {
            "heartbeat": self.heartbeat,
            "timekeeper": self.timekeeper,
            "capture": self._voice.captures,
        }
        if fleets:
            patience = {name: fleet.patience for name, fleet in fleets.items()}
            watched["handover"] = Handover(self.worker, self.heartbeat, clock=self._clock, patience=patience)
        return [self._loop(bus, name, service) for name, service in (kept | watched).items()]

    def _loop(
        self,
        bus: Bus,
        name: str,
        service: Service,
        *,
        wake: threading.Event | None = None,
        rest: Callable[[timedelta], timedelta] | None = None,
    ) -> Loop:
        return Loop(name, service, clock=self._clock, bus=bus, stamps=self.stamps, wake=wake, rest=rest)

    @property
    def limiter(self) -> Limiter:
        """What finds places for runs that stand aside for a limit."""
        limiter = self.services["limiter"]
        assert isinstance(limiter, Limiter)
        return limiter

    @property
    def prober(self) -> Prober:
        """What tries parked tenants."""
        return self._guard.prober

    def start(self) -> None:
        """Register this process and start its loops.

        Raises:
            StoreUnavailable: nothing was started.
        """
        plan = self._plan
        # Before anything is fired or rescued: by a clock that is an hour ahead every live worker looks dead (D1).
        self._clock.anchor(self._store.now())
        # Before anything is claimed or fired: what is paused stays so across a restart (R12).
        self.standing.tick(self._clock.now())
        self._store.register(
            host.this_worker(
                self.worker.id,
                version=plan.version,
                queues=dict(plan.queues),
                places=plan.places if plan.works else 0,
                now=self._clock.now(),
            )
        )
        self._voice.open()
        self._books.open()
        for loop in [*self._leases, *self._keep, *(self._work if plan.works else [])]:
            loop.start()
        places = plan.places if plan.works else 0
        self._bus.publish(WorkerStarted(worker=self.worker.id, places=places, queues=tuple(plan.queues)))

    def stop(self, *, at_once: threading.Event | None = None) -> bool:
        """Drain and stop: nothing claimed is lost or counted as failed (R45). Return whether all runs ended.

        Stop claiming, give back what has not begun, wait up to the drain time for what runs, ask it to stop, give
        back what does not. `at_once`, when set by another thread, ends the waiting.
        """
        hurry = at_once or threading.Event()
        self.worker.stop_claiming()
        for loop in self._keep:
            loop.stop()
        clean = self._wait_until_idle(self._plan.drain, hurry)
        if not clean:
            self.worker.stop_attempts("the worker is shutting down")
            # A child process is killed at the end of its grace, and that is to be recorded.
            clean = self._wait_until_idle(self._plan.kill_grace + KILLED, hurry)
        self._let_go()
        self._bus.publish(WorkerStopped(worker=self.worker.id, is_clean=clean))
        return clean

    def abandon(self) -> None:
        """Give back everything and record what does not stop as what it was stopped for; the process must end next.

        The other attempts have the hard grace to come to their end.
        """
        self.worker.stop_claiming()
        for loop in self._keep:
            loop.stop()
        self._wait_until_idle(self._plan.kill_grace, threading.Event(), but_for=self._stuck)
        self._let_go()

    def _let_go(self) -> None:
        self._end(self._work)
        # Before anything is given back, and with its leases kept: what can be ended is ended, so that nobody else has
        # a run whose code goes on here (G6).
        self.worker.stop_attempts("the worker is shutting down")
        if self._children is not None:
            self._children.close()
        for executor in self._executors:
            executor.close()
        self._wait_for_children()
        if self._plan.works and (given_back := self.worker.finish(self._clock.now())):
            log.warning("gave back %d runs that did not stop", given_back)
        self._end(self._leases)
        self._end(self._keep)
        self._park()
        self._books.close(self._clock.now())
        self._voice.close(self._clock.now())
        self._deregister()

    def _wait_for_children(self) -> None:
        """Wait until it is known how the attempts ended whose child processes have just been ended."""
        ends = self._clock.monotonic() + KILLED.total_seconds()
        theirs = [one for one in self.worker.live() if one.is_in_child]
        while any(not one.is_over for one in theirs) and self._clock.monotonic() < ends:
            threading.Event().wait(0.01)

    def _on_stuck(self, attempt: LiveAttempt) -> None:
        self._stuck.append(attempt)
        self.worker.report_stuck(attempt)
        self.must_end.set()

    def give_up_stuck(self, now: datetime) -> None:
        """Record what does not stop as what it was stopped for, where the process cannot be ended: its code goes on
        and changes nothing any more.

        Raises:
            StoreUnavailable: nothing was recorded; to be repeated.
        """
        while self._stuck:
            self.worker.give_up(self._stuck[-1], now)
            self._stuck.pop()
        self.must_end.clear()

    def _end(self, loops: Sequence[Loop]) -> None:
        for loop in loops:
            loop.stop()
        ends = self._clock.monotonic() + MOST_WAIT.total_seconds()
        for loop in loops:
            # All of them together have so long: a store that hangs for one of them hangs for all.
            if not loop.join(timedelta(seconds=max(ends - self._clock.monotonic(), 0.0))):
                log.warning("%s is still at its last pass", loop.name)

    def _give_back_waiting(self) -> None:
        try:
            self.worker.release_waiting(self._clock.now())
        except StoreUnavailable as error:
            log.warning("could not give back what had not begun, its lease will end: %s", error)

    def _wait_until_idle(self, most: timedelta, hurry: threading.Event, *, but_for: Sequence[LiveAttempt] = ()) -> bool:
        ends = self._clock.monotonic() + most.total_seconds()
        while self.worker.busy and not (but_for and all(one in but_for for one in self.worker.live())):
            if hurry.is_set() or self._clock.monotonic() >= ends:
                return False
            # Again each time: a claim may have been under way when claiming stopped.
            self._give_back_waiting()
            self.worker.wake.set()
            hurry.wait(0.02)
        return True

    def _park(self) -> None:
        """Write down what the last attempts said of their tenants' databases."""
        try:
            self._guard.circuits.tick(self._clock.now())
        except StoreUnavailable as error:
            log.warning("could not say which tenants cannot be reached: %s", error)

    def _deregister(self) -> None:
        try:
            cancel_left(
                self._store, self._plan.queues, now=self._clock.now(), reason="the process that it was started in ended"
            )
            self._store.deregister(self.worker.id)
        except StoreUnavailable as error:
            log.warning("could not deregister: %s", error)
