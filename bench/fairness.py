"""How long tenants wait while one of them floods a queue, against the same without the flood (G12).

python -m bench.fairness sqlite|postgres|mariadb [--flood 100000] [--burst 60] [--seconds 12] [--limited]

One tenant enqueues 100,000 runs. Beside it nine others enqueue, either 60 runs each at once, again and again, so that
they have the places busy for half of the time (fewer where the store, and not the places, is the limit: what waits
grows without end then); or one run at a time, when nothing else of theirs is waiting. The wait
of a run is from its enqueue to its start. A worker of eight places executes runs of 4 ms all the while. With
`--limited` each tenant may have four running, so that the flood stands aside for its limit.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable
from statistics import median, quantiles

from msgspec import Struct

from bench.drain import a_store_url
from rota import Rota
from rota.core.limits import EACH
from rota.core.model import State

FLOOD = "flood"
OTHERS = tuple(f"tenant-{number}" for number in range(9))
LASTS_S = 0.004
BURSTS_APART_S = 0.6
SINGLES_APART_S = 0.03
SOME = 1_000
"""So many runs of a flood that is under a limit may still be on their way aside when the measuring begins."""


class Waits(Struct, frozen=True, kw_only=True):
    """What the others waited, in milliseconds."""

    p50: float
    p95: float
    count: int
    beside: int
    """Runs of the flood that were done in a second."""


def measured(url: str, *, flood: int, size: int, apart: float, seconds: float, limited: bool) -> Waits:
    """Have the others enqueue so many runs at a time, so far apart, beside a flood of so many runs."""
    app = Rota(url, tenants=[FLOOD, *OTHERS])
    waits: list[float] = []
    done: Counter[str] = Counter()

    @app.job()
    def work(asked_at: float) -> None:
        if asked_at:
            waits.append((time.monotonic() - asked_at) * 1000)
        done["others" if asked_at else "flood"] += 1
        time.sleep(LASTS_S)

    if limited:
        app.limit(tenant=EACH, running=4)
    app.open_store().setup()
    for start in range(0, flood, 5_000):
        work.using(tenant=FLOOD).enqueue_many([(0.0,)] * min(5_000, flood - start))
    with app.working():
        # What a worker does when it first meets a flood is not what tenants see all day.
        time.sleep(3 if flood else 1)
        while limited and app.store.counts().by_queue.get("default", {}).get(State.QUEUED, 0) > SOME:
            time.sleep(0.5)
        before, began = done["flood"], time.monotonic()
        asked = _ask(
            lambda tenant: work.using(tenant=tenant).enqueue_many([(time.monotonic(),)] * size), apart, seconds
        )
        beside = (done["flood"] - before) / (time.monotonic() - began)
        late = time.monotonic() + 20
        while done["others"] < asked * size and time.monotonic() < late:
            time.sleep(0.01)
    app.close()
    if len(waits) < asked * size:
        raise SystemExit(f"{url}: {asked * size - len(waits)} runs of the others did not begin within 20 s")
    return Waits(p50=median(waits), p95=quantiles(waits, n=20)[-1], count=len(waits), beside=int(beside))


def _ask(enqueue: Callable[[str], object], apart: float, seconds: float) -> int:
    """Enqueue for one tenant after the other, or for all at once where they are far apart; return how often."""
    ends, times = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        tenants = OTHERS if apart == BURSTS_APART_S else (OTHERS[times % len(OTHERS)],)
        for tenant in tenants:
            enqueue(tenant)
            times += 1
        time.sleep(apart)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", nargs="?", choices=("sqlite", "postgres", "mariadb"), default="sqlite")
    parser.add_argument("--flood", type=int, default=100_000)
    parser.add_argument("--burst", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=12)
    parser.add_argument("--limited", action="store_true")
    options = parser.parse_args()
    for name, size, apart in (("bursts", options.burst, BURSTS_APART_S), ("singles", 1, SINGLES_APART_S)):
        found = []
        for flood in (0, options.flood):
            with a_store_url(options.store) as url:
                found.append(
                    measured(url, flood=flood, size=size, apart=apart, seconds=options.seconds, limited=options.limited)
                )
        alone, beside = found
        print(
            f"{options.store}, {name}: p50 {alone.p50:.0f} ms, p95 {alone.p95:.0f} ms; beside {options.flood:,} "
            f"runs of one tenant p50 {beside.p50:.0f} ms, p95 {beside.p95:.0f} ms: {beside.p95 / alone.p95:.2f}x "
            f"({beside.count} runs; {beside.beside:,} of the flood in a second)",
            flush=True,
        )


if __name__ == "__main__":
    main()
