"""What incidents cost: failures that are taken note of, 500 tenants that fail at once, a watch with nothing to do.

python -m bench.alerts [sqlite|postgres|mariadb|redis] [--tenants 500] [--drain 20000]

Milliseconds of processor time in this process, and by the clock; medians. With `--drain` also what a no-op run costs in
a process that watches, beside one that does not, in turn.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import count
from statistics import median
from unittest import mock

from bench.drain import a_store_url
from rota import Rota
from rota.alerting import telling_of
from rota.core.lifecycle import Ending, settle
from rota.core.model import ErrorReport, Outcome, Run, Settlement
from rota.engine.alerts.alerter import Alerter
from rota.engine.bus import Bus
from rota.queries import ClaimRequest
from rota.settings import Settings
from tests.clocks import FakeClock

TIMES = 9
ERROR = ErrorReport(type="OSError", message="no route to host", fingerprint="f00dfeedf00dfeed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", nargs="?", default="sqlite", choices=["sqlite", "postgres", "mariadb", "redis"])
    parser.add_argument("--tenants", type=int, default=500)
    parser.add_argument("--drain", type=int, default=0)
    given = parser.parse_args()
    with a_store_url(given.store) as url:
        house = House(url, tenants=given.tenants)
        for name, (used, passed) in house.measured().items():
            print(f"{given.store}: {name}: {used:.2f} ms of processor time, {passed:.2f} ms by the clock")
        house.app.close()
    if given.drain:
        drain(given.store, runs=given.drain)


class House:
    """A store whose time stands still, and a watch on it."""

    def __init__(self, url: str, *, tenants: int) -> None:
        self.clock = FakeClock()
        self.app = Rota(url, clock=self.clock)
        self.store = self.app.open_store()
        self.store.setup()
        self.tenants = [f"tenant-{number:04}" for number in range(tenants)]
        self.alerter = Alerter(
            self.store,
            clock=self.clock,
            bus=Bus(),
            telling=telling_of(Settings().alerts),
            conditions=lambda _: (),
        )

    def measured(self) -> dict[str, tuple[float, float]]:
        """Return processor time and time by the clock, in milliseconds, of each thing that is measured."""
        number = len(self.tenants)
        took: dict[str, list[tuple[float, float]]] = {}
        for turn in range(TIMES):
            for name, work in self._one_outage(turn):
                took.setdefault(name.format(n=number), []).append(work)
        return {
            name: (median(used for used, _ in each), median(passed for _, passed in each))
            for name, each in took.items()
        }

    def _one_outage(self, turn: int) -> list[tuple[str, tuple[float, float]]]:
        idle = timed(self._tick)
        job = f"job-{turn}"
        failed = [self._end(job, Outcome.FAILED) for _ in range(2)]
        plain = timed(lambda: self._without_signals(failed[0]))
        told = timed(lambda: self._settle(failed[1]))
        taken = timed(self._tick)
        self.clock.tick(timedelta(seconds=30))
        opened = timed(self._tick)
        self.clock.tick(timedelta(seconds=30))
        held = timed(self._tick)
        self._settle(self._end(job, Outcome.SUCCEEDED))
        self.clock.tick(timedelta(seconds=30))
        over = timed(self._tick)
        self.clock.tick(timedelta(hours=2))
        self._tick()
        return [
            ("a pass with nothing to do", idle),
            ("{n} failures settled, without signals", plain),
            ("{n} failures settled, with their signals", told),
            ("{n} failures made one incident", taken),
            ("it is told", opened),
            ("it is looked at, and still open", held),
            ("it is looked at, and over", over),
        ]

    def _end(self, job: str, outcome: Outcome) -> list[Settlement]:
        """Return how a run of each tenant ends, which runs now."""
        now = self.clock.now()
        runs = [Run(id=self.clock.new_id(), job=job, tenant=one, due_at=now, created_at=now) for one in self.tenants]
        self.store.enqueue(runs, now=now)
        lease = timedelta(minutes=1)
        request = ClaimRequest(worker="w", queues={"default": len(runs)}, limit=len(runs), lease=lease)
        error = ERROR if outcome is Outcome.FAILED else None
        ending = Ending(outcome=outcome, error=error, retry=False)
        return [settle(run, ending, now=now, wait=lease) for run in self.store.claim(request, now=now)]

    def _settle(self, settlements: Sequence[Settlement]) -> None:
        self.store.settle(settlements, now=self.clock.now())

    def _without_signals(self, settlements: Sequence[Settlement]) -> None:
        nothing = {"return_value": None}
        with (
            mock.patch("rota.stores.sql.alerts.add", **nothing),
            mock.patch("rota.stores.redis.mapping._signal", **nothing),
        ):
            self._settle(settlements)

    def _tick(self) -> None:
        while not self.alerter.tick(self.clock.now()):
            pass


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return milliseconds of processor time, and by the clock."""
    used, passed = time.process_time(), time.perf_counter()
    work()
    return 1000 * (time.process_time() - used), 1000 * (time.perf_counter() - passed)


def drain(kind: str, *, runs: int) -> None:
    """Print what a no-op run costs with a watch in the process, and without."""
    used: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * TIMES):
        watches = turn % 2 == 0
        with a_store_url(kind) as url:
            used[watches].append(_drained(url, watches=watches, runs=runs))
    with_one, without = median(used[True]), median(used[False])
    ratio = median(one / other for one, other in zip(used[True], used[False], strict=True))
    print(f"{kind}: {with_one:.1f} us of processor time a run with a watch, {without:.1f} without: {ratio:.3f} times")


def _drained(url: str, *, watches: bool, runs: int) -> float:
    app = Rota(url)
    called = count(1)
    reached = [0]

    @app.job()
    def nothing() -> None:
        reached[0] = next(called)

    app.open_store().setup()
    nothing.enqueue_many([()] * runs)
    crew = app.crew(watches=watches)
    before = time.process_time()
    crew.start()
    while reached[0] < runs:
        time.sleep(0.01)
    used = time.process_time() - before
    crew.stop()
    app.close()
    return 1e6 * used / runs


if __name__ == "__main__":
    main()
