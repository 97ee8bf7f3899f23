"""What is measured, one after another, each on an empty store of its own prefix."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from random import Random
from statistics import median, quantiles

from msgspec import Struct

from rota.by_hand import ByHand
from rota.clock import Clock
from rota.core.model import State
from rota.errors import MeasurementFailed
from rota.measuring.application import Measured
from rota.measuring.drainer import Order
from rota.measuring.ground import Ground
from rota.measuring.workforce import workforce

BATCH = 1_000
"""Runs per `enqueue_many`."""
SINGLES = 500
PICK_UPS = 200


class Figure(Struct, frozen=True, kw_only=True):
    """One measured value."""

    name: str
    value: float
    unit: str
    """`/s`: more is better; `ms`: less is."""
    p99: float | None = None
    """Of a latency, in the same unit; `value` is its median."""

    def __str__(self) -> str:
        if self.unit == "/s":
            return f"{self.value:,.0f} /s"
        return f"{self.value:,.2f} {self.unit}" + ("" if self.p99 is None else f"   p99 {self.p99:,.2f} {self.unit}")


class Wanted(Struct, frozen=True, kw_only=True):
    """How much of it."""

    jobs: int = 50_000
    processes: int = 2
    tenants: int = 1_000
    places: int | None = None
    """Runs at once per process; None is what the settings say."""


def figures(ground: Ground, wanted: Wanted, *, clock: Clock) -> Iterator[Figure]:
    """Yield each figure as it is measured."""
    with closing(Measured(ground)) as measured:
        yield enqueued_singly(measured, clock=clock)
        # What was enqueued so far is drained with the rest.
        yield enqueued_in_bulk(measured, max(wanted.jobs - SINGLES, BATCH), clock=clock)
        runs = SINGLES + max(wanted.jobs - SINGLES, BATCH)
        yield drained(ground, measured, wanted, runs=runs, clock=clock)
        yield picked_up(ground, measured, clock=clock)
    if wanted.tenants:
        yield fanned_out(ground, wanted.tenants, clock=clock)


def enqueued_singly(measured: Measured, *, clock: Clock) -> Figure:
    """Measure `.enqueue`, one call after another, each with its own commit."""
    times = [_seconds(measured.nothing.enqueue, clock) for _ in range(SINGLES)]
    return Figure(name="enqueue, one at a time", value=1 / median(times), unit="/s")


def enqueued_in_bulk(measured: Measured, runs: int, *, clock: Clock) -> Figure:
    """Measure `.enqueue_many`, a thousand calls each time."""

    def enqueue() -> None:
        for start in range(0, runs, BATCH):
            measured.nothing.enqueue_many([()] * min(BATCH, runs - start))

    return Figure(name=f"enqueue, {BATCH:,} at a time", value=runs / _seconds(enqueue, clock), unit="/s")


def drained(ground: Ground, measured: Measured, wanted: Wanted, *, runs: int, clock: Clock) -> Figure:
    """Measure from the moment worker processes begin until the last of so many runs is settled.

    Raises:
        MeasurementFailed: something is left.
    """
    order = Order(ground=ground, places=wanted.places)
    with workforce(order, processes=wanted.processes, clock=clock) as force:
        force.go()
        took = _seconds(lambda: force.wait_until_done(runs), clock)
        force.stop()
    left = measured.app.store.counts().by_queue
    if left:
        raise MeasurementFailed(f"{left} is left of {runs:,} runs that were executed")
    processes = f"{wanted.processes} worker process" + ("" if wanted.processes == 1 else "es")
    return Figure(name=f"drain, {processes}", value=runs / took, unit="/s")


def picked_up(ground: Ground, measured: Measured, *, clock: Clock) -> Figure:
    """Measure from an enqueue to the first line of the job, one after another, on a worker that is idle otherwise."""
    random = Random(1)
    with workforce(Order(ground=ground), processes=1, clock=clock) as force:
        force.go()
        # It looks around at first; and two enqueues are never in step with how often it does.
        clock.sleep(timedelta(seconds=1))
        for _ in range(PICK_UPS):
            measured.arrive.enqueue(clock.monotonic())
            clock.sleep(timedelta(milliseconds=random.uniform(10, 30)))
        clock.sleep(timedelta(seconds=0.5))
        [report] = force.stop()
    if len(report.latencies) < PICK_UPS:
        raise MeasurementFailed(f"{len(report.latencies)} of {PICK_UPS} runs were picked up within half a second")
    times = sorted(seconds * 1000 for seconds in report.latencies)
    return Figure(name="pick-up by an idle worker", value=median(times), unit="ms", p99=quantiles(times, n=100)[98])


def fanned_out(ground: Ground, tenants: int, *, clock: Clock) -> Figure:
    """Measure from the start of a round to the last tenant's run in the queue.

    Raises:
        MeasurementFailed: a tenant has no run.
    """
    with closing(Measured(ground, tenants=[f"tenant-{number:06}" for number in range(tenants)])) as measured:
        app = measured.app
        crew = app.crew(schedules=False, inline=True, places=1)
        hands = ByHand(crew, store=app.store, clock=app.clock)

        def fan_out() -> None:
            app.start_run("spread")
            # One pass: the expansion is claimed and executed; the runs that it queues are for the passes after it.
            hands.crew.worker.tick(app.clock.now())

        took = _seconds(fan_out, clock)
        queued = app.store.counts().by_queue.get("default", {}).get(State.QUEUED, 0)
    if queued != tenants:
        raise MeasurementFailed(f"{queued:,} of {tenants:,} tenants have a run")
    return Figure(name=f"fan-out over {tenants:,} tenants", value=took * 1000, unit="ms")


def _seconds(work: Callable[[], object], clock: Clock) -> float:
    started = clock.monotonic()
    work()
    return clock.monotonic() - started
