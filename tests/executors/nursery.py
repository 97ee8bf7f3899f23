"""Real child processes for a test, and what they said."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from rota.calls import Brief
from rota.clock import SystemClock
from rota.context import StopSignal
from rota.core.model import Run, Tenant
from rota.executors.kernel import children, descendants
from rota.executors.process import ProcessChildren
from tests.executors.process_app import app
from tests.numbers import Heard
from tests.system.processes import is_alive, wait_until

PLACE = "tests.executors.process_app:app"
CLOCK = SystemClock()


class Nursery:
    """Process children of this test's process, with everything that is heard of them."""

    def __init__(self, **options):
        self.lines = []
        self.progress = []
        self.enqueued = []
        self.numbers = Heard()
        self.options = {
            "place": PLACE,
            "clock": CLOCK,
            "kill_grace": timedelta(milliseconds=300),
            "hear_line": lambda run, line: self.lines.append(line),
            "hear_progress": lambda run, done, total: self.progress.append((done, total)),
            "enqueue": self.enqueue,
            "numbers": self.numbers,
            **options,
        }
        self.children = ProcessChildren(**self.options)

    def enqueue(self, asked):
        runs = asked.runs or [one.run for one in asked.unique]
        self.enqueued += runs
        return [run.id for run in runs]

    def run(self, name, *args, stop=None, tenant=None, **policy):
        """Have a child execute a run of the job and return how it ended."""
        brief, job = a_brief(name, *args, tenant=tenant), replace(app.jobs[name].job, executor="process", **policy)
        return self.children.execute(job, brief, stop=stop or StopSignal(), started_at=CLOCK.now())

    def result(self, name, *args, **policy):
        ending = self.run(name, *args, **policy)
        assert ending.error is None, ending.error
        return None if ending.result is None else json.loads(ending.result)

    @contextmanager
    def running(self, name, *args, **policy) -> Iterator[list]:
        """Execute in a thread for the length of the block; the list holds the ending after it."""
        endings = []
        thread = threading.Thread(target=lambda: endings.append(self.run(name, *args, **policy)))
        thread.start()
        try:
            yield endings
        finally:
            thread.join(30)
            assert not thread.is_alive(), "the attempt never ended"

    def text(self, source):
        return [line.text for line in self.lines if line.source == source]


@contextmanager
def nursery(**options):
    before = children(os.getpid())
    made = Nursery(**options)
    try:
        yield made
    finally:
        made.children.close()
        # Not below what was there before: a database server of these tests makes processes as it likes.
        ours = [pid for pid in children(os.getpid()) if pid not in before]
        left = {pid: told_of(pid) for child in ours for pid in (child, *descendants(child))}
        assert left == {}


def a_brief(name, *args, tenant=None):
    run = Run(
        id=CLOCK.new_id(),
        job=name,
        args=app.jobs[name].registered.signature.encode(args, {}),
        tenant=tenant,
        due_at=CLOCK.now(),
        created_at=CLOCK.now(),
    )
    return Brief(run=run, tenant=None if tenant is None else Tenant(id=tenant, url="sqlite://"))


def spawners():
    # What is forked from one has its command line, but another parent.
    return [pid for pid in children(os.getpid()) if "rota.child" in command(pid) and is_alive(pid)]


def command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def pids(journal):
    return [int(line) for line in Path(journal).read_text().split()] if Path(journal).exists() else []


def stop_soon(stop, when, *, grace=timedelta(0), **options):
    """Set the signal from another thread once `when` is true."""

    def wait():
        wait_until(when, what="the job has begun")
        stop.set("out of time", grace=grace, **options)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def kill(pid, number=signal.SIGKILL):
    os.kill(pid, number)


def took(function):
    started = time.monotonic()
    function()
    return time.monotonic() - started


def told_of(pid: int) -> str:
    """Return what a process is, for the message of a test that finds one too many."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
        return f"{Path(f'/proc/{pid}/cmdline').read_bytes()!r} {status.split(') ')[-1][:20]}"
    except OSError:
        return "gone since"
