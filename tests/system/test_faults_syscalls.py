"""Processes that die at a system call that writes, one call after the other: row A18 of the fault matrix.

strace ends the first thread that comes to its n-th call, before the kernel does that call, and so the process of that
thread; the rest of the tree is killed then. ROTA_SYSCALLS=60 sweeps every call up to the sixtieth of each kind, for
as long as that takes.
"""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rota.core.model import Outcome
from tests.system.faults import Ground, events, no_overlap, on
from tests.system.processes import Site, kill_tree, wait_until

FILES = "write,pwrite64,fsync,fdatasync"
"""What goes into a file or a pipe."""
LINES = "sendto,sendmsg"
"""What goes to a server, to a supervisor or to a child process."""
EVERY = f"{FILES},{LINES}"

POINTS = {
    # The log, the channel to the supervisor, and each page of a transaction.
    ("sqlite", "thread", EVERY): (1, 5, 7, 9, 11, 13, 19),
    # A job's own lines in the journal.
    ("sqlite", "thread", "write"): (2, 5),
    ("sqlite", "process", LINES): (3, 5),
    ("postgres", "thread", LINES): (28, 30, 33),
    ("mariadb", "thread", LINES): (30, 33),
}

# Each run fails once: what is written of an attempt that does not end its run is more than one row.
JOBS = """
from datetime import timedelta


@app.job(executor="EXECUTOR", retry=Retry(attempts=2, base=timedelta(0)))
def work(ctx: RunContext, beats: int) -> str:
    with alone(ctx.run_id):
        note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
        ctx.check()
        if ctx.attempt == 1:
            raise ConnectionError("the first time")
        note(event="end", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    return str(ctx.token)
"""


def swept() -> list[object]:
    most = os.environ.get("ROTA_SYSCALLS")
    return [
        pytest.param(kind, executor, calls, number, id=f"{kind}-{executor}-{calls.split(',')[0]}-{number}")
        for (kind, executor, calls), numbers in POINTS.items()
        for number in (range(1, int(most) + 1) if most else numbers)
    ]


@pytest.fixture(scope="module")
def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        reason = "no server for this test: no strace either: install the package strace, or run scripts/services"
        if os.environ.get("CI") in ("true", "1"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


@contextmanager
def killed_at(strace: str, site: Site, calls: str, number: int, *words: str) -> Iterator[Path]:
    """Run a command whose first thread to come to this call ends its process there; yield the file that tells of it."""
    trace = site.folder / "trace"
    # Without --seccomp-bpf, which would be faster: with it, strace 6.1 counts no further than to one.
    options = ["-f", "-qq", "-o", str(trace), "-e", f"trace={EVERY}"]
    death = ["-e", f"inject={calls}:signal=KILL:when={number}"]
    with (site.folder / "log-traced").open("w") as log:
        process = subprocess.Popen(
            [strace, *options, *death, *site.command(*words)],
            cwd=site.folder,
            env=site.environment(),
            stdout=log,
            stderr=log,
        )
        try:
            yield trace
        finally:
            kill_tree(process)


def has_died(trace: Path) -> bool:
    return trace.exists() and "+++ killed by SIGKILL +++" in trace.read_text()


@pytest.mark.parametrize(("kind", "executor", "calls", "number"), swept())
def test_a_tree_that_is_killed_at_any_system_call_loses_nothing(
    kind, executor, calls, number, strace, request, tmp_path
):  # A18, R30, G1-G5
    with on(kind, request, tmp_path) as ground:
        site = ground.site(jobs=JOBS.replace("EXECUTOR", executor))
        # One after the other: claims and settlements for each.
        runs = ground.enqueue(number=4, max_attempts=2)

        with killed_at(strace, site, calls, number, "start", "--concurrency", "1") as trace:
            wait_until(lambda: has_died(trace), what=f"the death at {calls} {number}")
        with site.started():
            ground.wait_for_success(*runs)

        nothing_is_lost_or_doubled(ground, site, runs)


def nothing_is_lost_or_doubled(ground: Ground, site: Site, runs) -> None:
    no_overlap(site)
    tokens = [(line["run"], line["token"]) for line in events(site, "start")]
    assert set(Counter(tokens).values()) == {1}, "each start has a token of its own"
    for run in runs:
        history = ground.store.run(run.id)
        *before, last = history.attempts
        known = Counter(attempt.token for attempt in history.attempts)
        started = [token for of, token in tokens if of == run.id]
        assert all(known[token] == 1 for token in started), "each start has its attempt in the history"
        outcomes = Counter(attempt.outcome for attempt in before)
        # Given back, where only its supervisor died.
        killed = outcomes[Outcome.LOST] + outcomes[Outcome.INTERRUPTED]
        assert (outcomes[Outcome.FAILED], outcomes.total()) == (1, 1 + killed)
        assert (last.outcome, history.run.result) == (Outcome.SUCCEEDED, f'"{last.token}"')
        assert killed <= 1 and 2 <= len(started) <= 3, "killed once, begun once more"
        assert history.run.lost_count == outcomes[Outcome.LOST]
        assert events(site, "end", run=run.id, token=last.token)
