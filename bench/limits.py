"""What limits cost a claim: `python -m bench.limits sqlite|postgres|mariadb [--aside 100000]`

A claim of ten runs: without limits, under limits of which none is full, and beside 100,000 runs that stand aside for
one; then the claim of who ends and takes the next of those; the look of each second; and how long it takes to put them
aside.
"""

import argparse
import time
from collections.abc import Callable
from datetime import timedelta
from statistics import median

from bench.drain import a_store_url
from bench.store import a_run, now
from rota.core.lifecycle import Ending, settle
from rota.core.limits import EACH, Limit, LimitScope
from rota.core.model import Outcome, Run
from rota.ports import Store
from rota.queries import ClaimRequest
from rota.stores import open_store

TIMES = 40
BATCH = 10
LIMITS = (
    Limit(scope=LimitScope.JOB, name="mail", running=5),
    Limit(scope=LimitScope.TENANT, name=EACH, running=50),
)


def request(limits: tuple[Limit, ...], *, limit: int = BATCH, reopened: tuple[str, ...] = ()) -> ClaimRequest:
    return ClaimRequest(
        worker="bench", queues={"default": limit}, limit=limit, lease=timedelta(minutes=9), limits=limits,
        reopened=reopened,
    )  # fmt: skip


def claims(store: Store, limits: tuple[Limit, ...]) -> float:
    """Return the median milliseconds of claims of ten free runs, which are settled again."""
    store.enqueue([a_run(number, job="free") for number in range(BATCH * TIMES)], now=now())
    took = []
    for _ in range(TIMES):
        started = time.perf_counter()
        claimed = store.claim(request(limits), now=now())
        took.append((time.perf_counter() - started) * 1000)
        assert len(claimed) == BATCH, claimed
        store.settle([succeeded(run) for run in claimed], now=now())
    return median(took)


def succeeded(run: Run):  # type: ignore[no-untyped-def]  # of a bench
    return settle(run, Ending(outcome=Outcome.SUCCEEDED), now=now(), wait=timedelta(0))


def turnover(store: Store, running: list[Run]) -> float:
    """Return the median milliseconds of a settlement that takes the next run which stands aside."""
    took = []
    for _ in range(TIMES):
        ended = succeeded(running.pop(0))
        started = time.perf_counter()
        claimed = store.settle([ended], now=now(), claim=request(LIMITS, limit=1, reopened=("job:mail",))).claimed
        took.append((time.perf_counter() - started) * 1000)
        [taken] = claimed
        running.append(taken)
    return median(took)


def spent(work: Callable[[], object]) -> float:
    """Return the seconds that the work took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def put_aside(store: Store, aside: int) -> tuple[list[Run], float]:
    """Have five runs of a job running and the others aside; return those, and the seconds that this took."""
    for start in range(0, aside, 5_000):
        store.enqueue([a_run(0, job="mail", tenant=None) for _ in range(min(5_000, aside - start))], now=now())
    running = store.claim(request(LIMITS, limit=5), now=now())

    def until_all_are() -> None:
        while store.counts().by_queue["default"].get("queued"):  # type: ignore[call-overload]  # states are texts
            store.claim(request(LIMITS), now=now())

    return running, spent(until_all_are)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", nargs="?", choices=("sqlite", "postgres", "mariadb"), default="sqlite")
    parser.add_argument("--aside", type=int, default=100_000)
    options = parser.parse_args()
    with a_store_url(options.store) as url:
        store = open_store(url)
        store.setup()
        none, empty = claims(store, ()), claims(store, LIMITS)
        running, seconds = put_aside(store, options.aside)
        beside = claims(store, LIMITS)
        next_one = turnover(store, running)
        look = median(spent(lambda: store.limit_use(LIMITS, now=now())) for _ in range(TIMES)) * 1000
        store.close()
    print(
        f"{options.store}: claim of {BATCH} without limits {none:.2f} ms, under limits {empty:.2f} ms, beside "
        f"{options.aside:,} aside {beside:.2f} ms; settle and take the next aside {next_one:.2f} ms; look {look:.2f} "
        f"ms; put aside in {seconds:.1f} s ({seconds / options.aside * 1e6:.0f} us each)"
    )


if __name__ == "__main__":
    main()
