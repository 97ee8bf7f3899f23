"""The services of one process, and the order in which they start and stop."""

import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random

from msgspec import Struct

from rota.clock import Clock
from rota.engine import host, maintenance
from rota.engine.attempt import Bench
from rota.engine.bus import Bus
from rota.engine.heartbeat import Heartbeat, Timekeeper
from rota.engine.loop import Loop, Service, Waiter
from rota.engine.private import cancel_left
from rota.engine.scheduler import Resumer, Scheduler
from rota.engine.worker import Worker
from rota.errors import StoreUnavailable
from rota.ports import Executor, Store
from rota.signature import Registered

log: logging.Logger = logging.getLogger(__name__)

MOST_WAIT = timedelta(seconds=2)
"""How long a loop may take to end its last pass; a store that hangs must not hold up the end of the process."""


class Plan(Struct, frozen=True, kw_only=True):
    """What a process does, and its times; defaults are those of the settings."""

    works: bool = True
    schedules: bool = True
    queues: Mapping[str, int]
    """How many runs of each queue are claimed at once at most; 0 leaves it to the places."""
    places: int = 8
    lease: timedelta = timedelta(seconds=20)
    heartbeat: timedelta = timedelta(seconds=5)
    margin: timedelta = timedelta(seconds=7)
    drain: timedelta = timedelta(seconds=30)
    grace: timedelta = timedelta(seconds=5)
    """After the drain time: how long attempts have to stop before they are given back as they are."""
    tick: timedelta = timedelta(seconds=1)
    keep_succeeded: timedelta = timedelta(days=30)
    keep_failed: timedelta = timedelta(days=90)
    keep_slots: timedelta = timedelta(days=7)
    version: str = ""


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
        bench: Bench,
        jobs: Mapping[str, Registered],
        executor: Executor,
        plan: Plan,
    ) -> None:
        self._store = store
        self._clock = clock
        self._plan = plan
        self._executor = executor
        self.stamps: dict[str, datetime] = {}
        """When each loop last came round."""
        self.worker: Worker = Worker(
            clock.new_id(),
            store,
            clock=clock,
            bus=bus,
            bench=bench,
            jobs=jobs,
            executor=executor,
            queues=plan.queues,
            places=plan.places,
            lease=plan.lease,
            random=Random(),
        )
        self.scheduler: Scheduler = Scheduler(store, clock=clock, bus=bus, jobs=jobs, every=plan.tick)
        self.services: dict[str, Service] = self._services(bus)
        """What is driven besides the worker and its leases, by name."""
        self.heartbeat: Heartbeat = Heartbeat(
            self.worker, store, clock=clock, lease=plan.lease, every=plan.heartbeat, stamps=self.stamps
        )
        self.timekeeper: Timekeeper = Timekeeper(self.worker, clock=clock, lease=plan.lease, margin=plan.margin)
        self._leases = [
            self._loop(bus, "heartbeat", self.heartbeat),
            self._loop(bus, "timekeeper", self.timekeeper),
        ]
        self._work = [
            self._loop(bus, "worker", self.worker, wake=self.worker.wake),
            self._loop(bus, "waiter", Waiter(store.wait, self.worker.wake)),
        ]
        self._keep = [self._loop(bus, name, service) for name, service in self.services.items()]

    def _loop(self, bus: Bus, name: str, service: Service, *, wake: threading.Event | None = None) -> Loop:
        return Loop(name, service, clock=self._clock, bus=bus, stamps=self.stamps, wake=wake)

    def _services(self, bus: Bus) -> dict[str, Service]:
        store, plan = self._store, self._plan
        services: dict[str, Service] = {
            "neighbours": maintenance.Neighbours(store, bus=bus),
            "rescuer": maintenance.Rescuer(store, clock=self._clock, bus=bus, lease=plan.lease),
            "promoter": maintenance.Promoter(store),
            "closer": maintenance.RoundCloser(store, bus=bus),
            "pruner": maintenance.Pruner(
                store, succeeded=plan.keep_succeeded, failed=plan.keep_failed, slots=plan.keep_slots
            ),
        }
        if plan.schedules:
            services["scheduler"] = self.scheduler
            services["resumer"] = Resumer(store)
        return services

    def start(self) -> None:
        """Register this process and start its loops.

        Raises:
            StoreUnavailable: nothing was started.
        """
        plan = self._plan
        # Before anything is fired or rescued: by a clock that is an hour ahead every live worker looks dead (D1).
        self._clock.anchor(self._store.now())
        self._store.register(
            host.this_worker(
                self.worker.id,
                version=plan.version,
                queues=dict(plan.queues),
                places=plan.places if plan.works else 0,
                now=self._clock.now(),
            )
        )
        for loop in [*self._leases, *self._keep, *(self._work if plan.works else [])]:
            loop.start()

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
            clean = self._wait_until_idle(self._plan.grace, hurry)
        self._end(self._work)
        if self._plan.works and (given_back := self.worker.finish(self._clock.now())):
            log.warning("gave back %d runs that did not stop", given_back)
        self._end(self._leases)
        self._end(self._keep)
        self._executor.close()
        self._deregister()
        return clean

    def _end(self, loops: Sequence[Loop]) -> None:
        for loop in loops:
            loop.stop()
        for loop in loops:
            if not loop.join(MOST_WAIT):
                log.warning("%s is still at its last pass", loop.name)

    def _give_back_waiting(self) -> None:
        try:
            self.worker.release_waiting(self._clock.now())
        except StoreUnavailable as error:
            log.warning("could not give back what had not begun, its lease will end: %s", error)

    def _wait_until_idle(self, most: timedelta, hurry: threading.Event) -> bool:
        ends = self._clock.monotonic() + most.total_seconds()
        while self.worker.busy:
            if hurry.is_set() or self._clock.monotonic() >= ends:
                return False
            # Again each time: a claim may have been under way when claiming stopped.
            self._give_back_waiting()
            self.worker.wake.set()
            hurry.wait(0.02)
        return True

    def _deregister(self) -> None:
        try:
            cancel_left(
                self._store, self._plan.queues, now=self._clock.now(), reason="the process that it was started in ended"
            )
            self._store.deregister(self.worker.id)
        except StoreUnavailable as error:
            log.warning("could not deregister: %s", error)
