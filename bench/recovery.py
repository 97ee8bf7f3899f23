"""How soon a run that was held by a killed process starts again.

python -m bench.recovery job sqlite 20
python -m bench.recovery child sqlite 20
python -m bench.recovery tree sqlite 20
python -m bench.recovery host sqlite 20 [LEASE]

`job`: SIGKILL of the child process of a process job. `child`: SIGKILL of a worker process under a supervisor that
lives, with one and with two of them. `tree`: SIGKILL of the supervisor with all its worker processes, and a restart
at once, as a process manager does. `host`: SIGKILL of everything in one process namespace, while a worker in another
one lives: for that, as for one on another host, only the end of the lease tells (needs root). With LEASE it is 5 s,
the fast set of the settings.

The time is that from the kill to the job's second start, by the journal that the job itself writes.
"""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from random import Random
from time import monotonic, sleep

from bench.drain import a_store_url
from tests.system.processes import Site, kill_tree, wait_until

JOBS = """
@app.job(retry=Retry(attempts=1), executor={executor!r})
def held() -> None:
    note(event="start", at=time.monotonic())
    # The first attempt is still at it when it is killed.
    time.sleep(60 if open({journal!r}).read().count("start") % 2 else 0)
    note(event="end")
"""


FAST = """
[worker]
lease = "5s"
heartbeat = "1600ms"
margin = "1500ms"
kill_grace = "1s"
"""
ELSEWHERE = ("unshare", "--fork", "--pid", "--mount-proc", "--kill-child")


@contextmanager
def supervised(site: Site, processes: int, *, within: tuple[str, ...] = ()):
    """Start it, and end it with all it started."""
    with (site.folder / "log").open("a") as log:
        process = subprocess.Popen(
            [*within, *site.command("start", "--processes", str(processes))],
            cwd=site.folder,
            env=site.environment(),
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        kill_tree(process)


def starts(site: Site) -> list[dict[str, float]]:
    return site.journal(event="start")


def works(site: Site) -> int:
    """Return how many worker processes have said that they work."""
    log = site.folder / "log"
    return log.read_text().count(" works (pid ") if log.exists() else 0


def one_run(site: Site) -> int:
    """Have a run start, and return the pid that executes it."""
    before = len(starts(site))
    site.rota("enqueue", "held")
    wait_until(lambda: len(starts(site)) > before, what="a start")
    return int(starts(site)[-1]["pid"])


def again(site: Site, *, before: int, killed_at: float) -> float:
    """Wait for the second start and for the end of the run, and return the seconds from the kill to the start."""
    wait_until(lambda: len(starts(site)) > before, what="the second start")
    wait_until(lambda: len(site.journal(event="end")) >= len(starts(site)) // 2, what="the end")
    # Both are the monotonic clock of this host.
    return starts(site)[-1]["at"] - killed_at


def kill_children(site: Site, *, times: int, processes: int) -> list[float]:
    took = []
    for _ in range(times):
        # A supervisor of its own for each: the pause before a restart grows with every early death.
        said = works(site)
        with supervised(site, processes) as process:
            wait_until(lambda: works(site) == said + processes, what="all processes")  # noqa: B023  # at once
            pid = one_run(site)
            before = len(starts(site))
            os.kill(pid, signal.SIGKILL)
            took.append(again(site, before=before, killed_at=monotonic()))
            process.terminate()
            process.wait(30)
    return took


def kill_trees(site: Site, *, times: int, processes: int) -> list[float]:
    took = []
    for _ in range(times):
        with supervised(site, processes) as process:
            one_run(site)
            before = len(starts(site))
            kill_tree(process)
            killed_at = monotonic()
        with supervised(site, processes):
            took.append(again(site, before=before, killed_at=killed_at))
    return took


def kill_jobs(site: Site, *, times: int, processes: int) -> list[float]:
    took = []
    with supervised(site, processes):
        for _ in range(times):
            pid = one_run(site)
            before = len(starts(site))
            os.kill(pid, signal.SIGKILL)
            took.append(again(site, before=before, killed_at=monotonic()))
    return took


def kill_hosts(site: Site, *, times: int, processes: int) -> list[float]:
    took, luck = [], Random(1)
    for _ in range(times):
        with supervised(site, processes, within=ELSEWHERE) as process:
            one_run(site)
            before, said = len(starts(site)), works(site)
            with supervised(site, processes):
                wait_until(lambda: works(site) == said + processes, what="the survivors")  # noqa: B023  # at once
                # Any moment between two looks for ended leases.
                sleep(luck.uniform(0, 5))
                kill_tree(process)
                took.append(again(site, before=before, killed_at=monotonic()))
    return took


def main() -> None:
    what, kind, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
    measure = {"child": kill_children, "tree": kill_trees, "job": kill_jobs, "host": kill_hosts}[what]
    executor = "process" if what == "job" else "thread"
    for processes in (1, 2) if what in ("child", "tree") else (1,):
        with tempfile.TemporaryDirectory() as folder, a_store_url(kind) as url:
            jobs = JOBS.format(journal=str(Path(folder) / "journal"), executor=executor)
            site = Site(Path(folder), url=url, jobs=jobs, settings=FAST if "LEASE" in sys.argv else "")
            site.rota("db", "upgrade")
            took = sorted(measure(site, times=times, processes=processes))
        p95 = took[min(len(took) * 95 // 100, len(took) - 1)]
        print(
            f"{what}, {processes} processes, {kind}: p50 {took[len(took) // 2]:.2f} s, p95 {p95:.2f} s, "
            f"worst {took[-1]:.2f} s of {times}",
            flush=True,
        )


if __name__ == "__main__":
    main()
