"""Work for long while workers are killed, and count what was lost (must be nothing): `make soak ARGS="--minutes 60"`.

Three processes work one store; one of them is killed every few seconds and replaced. Jobs are enqueued all the time,
and a schedule fans out each second. At the end every run must have succeeded, each slot of each tenant exactly once.
"""

import argparse
import random
import signal
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep

from bench.drain import a_store_url
from rota.core.model import OPEN, State
from rota.ports import RunQuery, Store
from rota.stores import open_store
from tests.system.processes import Site

JOBS = """
@app.job(schedule=every(1).seconds, per_tenant=True)
def tick(ctx: RunContext) -> None:
    time.sleep(0.01)

@app.job()
def small(number: int) -> None:
    time.sleep(0.002)
"""
SETTINGS = """
[worker]
lease = "5s"
heartbeat = "1s"
margin = "1500ms"
"""
WORKERS = 3
KILL_EVERY_S = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "postgres", "mariadb"), default="sqlite")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with a_store_url(options.store) as url, tempfile.TemporaryDirectory() as folder:
        store = open_store(url)
        store.setup()
        site = Site(Path(folder), url=url, jobs=JOBS, settings=SETTINGS)
        kills = work_and_kill(site, minutes=options.minutes, luck=random.Random(options.seed))
        problems = what_is_wrong(store)
        print(f"{options.store}: {kills} kills; " + (", ".join(problems) or "nothing lost, nothing doubled"))
        store.close()
        sys.exit(1 if problems else 0)


def work_and_kill(site: Site, *, minutes: float, luck: random.Random) -> int:
    """Work, kill and replace for so many minutes, then let one process finish; return how many were killed."""
    ends, kills, enqueued = monotonic() + minutes * 60, 0, 0
    with ExitStack() as held:
        processes = [held.enter_context(site.started()) for _ in range(WORKERS)]
        while monotonic() < ends:
            site.rota("enqueue", "small", str(enqueued))
            enqueued += 1
            sleep(KILL_EVERY_S)
            victim = luck.randrange(WORKERS)
            processes[victim].send_signal(signal.SIGKILL)
            processes[victim].wait()
            kills += 1
            processes[victim] = held.enter_context(site.started())
            print(f"{kills} kills, {enqueued} enqueued", file=sys.stderr)
        # No new slots from here on: what is open now must come to its end.
        for process in processes:
            process.send_signal(signal.SIGTERM)
            process.wait()
        with site.started("--only", "worker"):
            sleep(max(30.0, 2 * KILL_EVERY_S))
    return kills


def what_is_wrong(store: Store) -> list[str]:
    """Return what should not be in the ledger, in words; empty if all is well."""
    states: Counter[State] = Counter()
    slots: Counter[tuple[object, str | None]] = Counter()
    before: str | None = None
    while runs := store.runs(RunQuery(before_id=before, kind=None, limit=1000)):
        before = runs[-1].id
        states.update(run.state for run in runs)
        slots.update((run.slot, run.tenant) for run in runs if run.slot is not None and run.tenant)
    problems = [f"{states[state]} runs {state}" for state in (*sorted(OPEN), State.FAILED) if states[state]]
    doubled = sum(1 for times in slots.values() if times > 1)
    print(f"{sum(states.values())} runs: {dict(states)}", file=sys.stderr)
    return problems + ([f"{doubled} slots doubled"] if doubled else [])


if __name__ == "__main__":
    main()
