"""Applications whose jobs misbehave, in each executor, and how they are asked to."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from rota.core.model import Attempt, Run, State
from tests.system.faults import Ground, events, no_overlap
from tests.system.processes import Site, children_of, is_alive, wait_until

EXECUTORS = ("thread", "process", "asyncio")

SETTINGS = """
[worker]
processes = 1
lease = "{lease}"
heartbeat = "{heartbeat}"
margin = "{margin}"
grace = "500ms"
kill_grace = "500ms"
drain = "2s"
max_runs_per_child = {max_runs_per_child}

[logging]
capture_bytes = "64KB"

[store]
migrate = "off"
"""
LONG = {"lease": "8s", "heartbeat": "1s", "margin": "2s"}
"""Where no lease ends: long enough for a machine that is busy."""
SHORT = {"lease": "1s", "heartbeat": "300ms", "margin": "500ms"}

# A job of the text is written once: DEF and EXECUTOR are what differs between executors. What blocks a thread blocks
# the loop as well, which is as it is meant here.
COMMON = """
import ctypes
import signal
import subprocess
import sys
import threading
from datetime import timedelta

STEADY = Retry(attempts=1)


@app.job(executor="thread", retry=STEADY)
def fine(ctx: RunContext) -> int:
    note(event="fine", run=ctx.run_id, at=time.monotonic())
    return os.getpid()
"""


class Asked:
    """A running application with misbehaving jobs."""

    def __init__(self, ground: Ground, site: Site, pid: int) -> None:
        self.ground = ground
        self.site = site
        self.supervisor = pid

    def ask(self, job: str, *, attempts: int = 1, tenant: str | None = None, **kwargs: Any) -> Run:
        """Ask for a run of a job."""
        return ask(self.ground, job, attempts=attempts, tenant=tenant, **kwargs)

    def workers(self) -> list[int]:
        return children_of(self.supervisor)

    def wait_for_start(self, run: Run) -> dict[str, Any]:
        wait_until(lambda: events(self.site, "start", run=run.id), what="the start of the job")
        return events(self.site, "start", run=run.id)[-1]

    def wait_for_end(self, *runs: Run) -> None:
        """Wait until these runs are over, however they ended."""
        wait_until(
            lambda: all(self.ground.run(run).state.is_final for run in runs),
            what=lambda: f"the end of {[(one.job, self.ground.run(one).state) for one in runs]}\n{self.ground.logs()}",
        )

    def attempts(self, run: Run) -> list[Attempt]:
        history = self.ground.store.run(run.id)
        assert history is not None
        return list(history.attempts)

    def starts(self, run: Run) -> list[dict[str, Any]]:
        return events(self.site, "start", run=run.id)

    def is_well(self) -> bool:
        """Have an ordinary run executed, and return whether it was by a worker process that is there."""
        run = self.ask("fine")
        self.ground.wait_for_success(run)
        return int(self.ground.run(run).result or 0) in self.workers()


@contextmanager
def asked(
    ground: Ground, jobs: str, *words: str, executor: str = "thread", name: str = "site", **settings: Any
) -> Iterator[Asked]:
    """Start an application with these jobs, and end it; nothing of it may be alive then, and no run doubled."""
    site = misbehaving(ground, jobs, executor=executor, name=name, **settings)
    with site.started(*words) as process:
        wait_until(lambda: " works (pid " in site.logs() or process.poll() is not None, what="a worker process")
        assert process.poll() is None, site.logs()
        running = Asked(ground, site, process.pid)
        yield running
        process.terminate()
        assert process.wait(timeout=30) == 0, site.logs()
    no_overlap(site)
    assert not [line for line in events(site, "start") if is_alive(line["pid"])]


def misbehaving(ground: Ground, jobs: str, *, executor: str = "thread", name: str = "site", **settings: Any) -> Site:
    """Return an application with these jobs."""
    written = jobs.replace("DEF", "async def" if executor == "asyncio" else "def").replace("EXECUTOR", executor)
    return Site(
        ground.folder / name,
        url=ground.url,
        jobs=COMMON + written,
        settings=SETTINGS.format(**{"max_runs_per_child": 1} | LONG | settings),
        journal_file=ground.journal_file,
    )


def ask(ground: Ground, job: str, *, attempts: int = 1, tenant: str | None = None, **kwargs: Any) -> Run:
    """Ask for a run of a job, by the store itself."""
    args = msgspec.json.encode({"args": [], "kwargs": kwargs}).decode()
    [run] = ground.enqueue(job=job, args=args, max_attempts=attempts, tenant=tenant)
    return run


def is_queued(ground: Ground, run: Run) -> bool:
    return ground.run(run).state is State.QUEUED


def descendants(pid: int) -> list[int]:
    """Return all processes below one."""
    found = [pid]
    for one in found:
        found += children_of(one)
    return found[1:]


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
