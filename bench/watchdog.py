"""How long a pass of the watchdog takes: over 100,000 pairs of which none is due, and with 1,000 flips; and what the
settlement of a slot pays for being watched.

    python -m bench.watchdog --store sqlite:////tmp/watchdog.db --pairs 100000

Each figure is the median of passes on the same pairs, in real time and in processor time of this process; what the
server spends is not in the latter.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from rota import Rota, every
from rota.clock import SystemClock
from rota.core.freshness import Expectation, Freshness
from rota.core.model import Outcome, Run, RunKind, Settlement, State
from rota.core.watched import Turn, Watched
from rota.lookouts import make_watchdog
from rota.ports import Store
from rota.queries import ClaimRequest
from rota.stores import open_store
from rota.stores.memory import MemoryStore

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CHUNK = 5000


class Still(SystemClock):
    """A clock whose instant is set, while durations are real."""

    instant = NOW

    def now(self) -> datetime:
        return self.instant


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.watchdog", description=__doc__)
    parser.add_argument("--store", default="memory://")
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--schedules", type=int, default=100)
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=15)
    asked = parser.parse_args(argv)
    clock = Still()
    tenants = [f"t{number:05}" for number in range(asked.pairs // asked.schedules)]
    store = MemoryStore() if asked.store == "memory://" else open_store(asked.store)
    store.setup()
    app = Rota(store, tenants=tenants, clock=clock)
    for number in range(asked.schedules):
        app.job(name=f"job{number:03}", schedule=every().hour, per_tenant=True)(lambda: None)
    app.schedules.sync()
    dog = make_watchdog(app.premises())
    began = time.perf_counter()
    dog.look(clock.now())
    watched = app.store.freshness.pairs()
    print(f"{asked.store.partition(':')[0]}: {len(watched):,} pairs put there in {time.perf_counter() - began:.1f} s")
    _say("a pass, none due", [_timed(lambda: dog.look(clock.now())) for _ in range(asked.repeat)])
    _say(
        f"a pass with {asked.flips:,} flips", list(_flips(app.store, dog, clock, watched[: asked.flips], asked.repeat))
    )
    dog = make_watchdog(app.premises())
    _say("the first pass of a process, which compares all", [_timed(lambda: dog.look(clock.now()))])
    _say("all pairs, read for the file", [_timed(app.store.freshness.pairs) for _ in range(3)])
    for name, expected in (("not watched", None), ("watched", Expectation(late_at=NOW, stale_at=NOW, rule="x"))):
        _say(f"200 slots settled, {name}", list(_settled(app.store, name, expected, asked.repeat)))
    app.store.close()


def _flips(store: Store, dog: Any, clock: Still, pairs: list[Watched], repeat: int) -> Iterator[tuple[float, float]]:
    for _ in range(repeat):
        late = NOW - timedelta(minutes=1)
        stored = {pair.key: pair for pair in store.freshness.pairs()}
        before = [stored[pair.key] for pair in pairs]
        # As if they had been watched for long, and nobody had looked for an hour.
        after = [
            replace(pair, state=Freshness.FRESH, watched_from=NOW - timedelta(hours=4),
                    last_success=NOW - timedelta(hours=3), late_at=late, stale_at=late, look_at=late)
            for pair in before
        ]  # fmt: skip
        store.freshness.turn([Turn(before=one, after=two) for one, two in zip(before, after, strict=True)])
        yield _timed(lambda: dog.look(clock.now()))


def _settled(store: Store, name: str, expected: Expectation | None, repeat: int) -> Iterator[tuple[float, float]]:
    clock = SystemClock()
    schedule = "job000" if expected else "unwatched"
    for number in range(repeat):
        slot = NOW + timedelta(hours=number + 1)
        runs = [
            Run(id=clock.new_id(), job="x", queue=name, kind=RunKind.JOB, tenant=f"t{tenant:05}", schedule=schedule,
                slot=slot, due_at=NOW, created_at=NOW)
            for tenant in range(200)
        ]  # fmt: skip
        store.enqueue(runs, now=NOW)
        request = ClaimRequest(worker="w", queues={name: 200}, limit=200, lease=timedelta(minutes=1))
        claimed = store.claim(request, now=NOW)
        ended = [
            Settlement(run=run, outcome=Outcome.SUCCEEDED, state=State.SUCCEEDED, due_at=NOW, attempt=1, lost_count=0,
                       started_at=NOW, ended_at=NOW, expected=expected)
            for run in claimed
        ]  # fmt: skip
        yield _timed(lambda ended=ended: store.settle(ended, now=NOW))


def _timed(work: Callable[[], Any]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


def _say(what: str, times: list[tuple[float, float]]) -> None:
    wall = statistics.median(one[0] for one in times) * 1000
    processor = statistics.median(one[1] for one in times) * 1000
    print(f"  {what:<50} {wall:9.2f} ms   processor {processor:9.2f} ms")


if __name__ == "__main__":
    main()
