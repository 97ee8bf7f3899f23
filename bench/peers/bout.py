"""One contender at work: its store, what it is told to enqueue, its worker processes, and what their jobs noted."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles

import msgspec

from bench.peers.contenders import APPS, Contender
from bench.peers.environments import ROOT, programs
from tests.system.processes import children_of, kill_tree

LOOK_S = 0.002
PATIENCE_S = 40.0
"""How long a contender may take for what should take seconds, before it has no figure."""
SLOW_JOBS = 200
SHOT_AFTER = 80
"""Slow jobs done when the worker is killed: some are being executed, most wait."""
AT_ONCE = 20
"""How many slow jobs a process takes on at the same time, if it is one that would take all: such a one sleeps once for
all of them, and has done them before anybody could kill it."""


class NoFigure(Exception):
    """A contender did not come to the end of a measure."""


class PickUp(msgspec.Struct, frozen=True):
    """Milliseconds from an enqueue to the first line of its job."""

    p50: float
    p99: float


class Survival(msgspec.Struct, frozen=True):
    """What became of the slow jobs when all processes of the worker were killed, and it was started again."""

    lost: int
    """Not done when the time was up."""
    repeated: int
    recovered_s: float | None
    """From the second start to the last job that was missing; None where some still were."""


class Bout:
    """A contender on an empty store."""

    def __init__(self, contender: Contender, url: str, folder: Path) -> None:
        self.contender = contender
        self._bin = programs(contender.peer)
        self._notes = folder / "notes"
        self._notes.touch()
        self._folder = folder
        self._environment = {
            **os.environ,
            "PEERS_URL": url,
            "RQ_REDIS_URL": url,
            "PEERS_NOTES": str(self._notes),
            "PYTHONPATH": os.pathsep.join([str(APPS), *([str(ROOT)] if contender.peer == "rota" else [])]),
            "PEERS_TUNED": contender.tuned,
        }

    def tell(self, mode: str, number: int = 0) -> str:
        """Have the contender's application do something, and return what it printed."""
        command = [str(self._bin / "python"), str(APPS / f"{self.contender.peer}_app.py"), mode, str(number)]
        try:
            done = subprocess.run(
                command,
                cwd=self._folder,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise NoFigure(f"{self.contender.name}: {mode} {number} took longer than {PATIENCE_S:.0f} s") from None
        if done.returncode:
            raise NoFigure(f"{self.contender.name}: {mode}: {done.stderr[-2000:]}")
        return done.stdout

    def begin(self, processes: int, *, at_once: int = 0) -> "list[subprocess.Popen[bytes]]":
        """Start so many worker processes, and return what was started. `at_once` bounds those that know no bound."""
        with (self._folder / "worker.log").open("ab") as told:
            return [
                subprocess.Popen(
                    command,
                    cwd=self._folder,
                    env={**self._environment, "PEERS_AT_ONCE": str(at_once)},
                    stdin=subprocess.DEVNULL,
                    stdout=told,
                    stderr=told,
                    start_new_session=True,
                )
                for command in self.contender.worker(self._bin, processes)
            ]

    @contextmanager
    def working(self, processes: int, *, at_once: int = 0) -> Iterator[None]:
        """Have worker processes for the time of the block; they are killed in the end, all of them."""
        started = self.begin(processes, at_once=at_once)
        try:
            yield
        finally:
            kill(started)

    def drain(self, processes: int, seconds: float) -> float:
        """Return jobs per second of the last two thirds: by then every worker process has been started."""
        jobs = int(self.contender.rate * seconds)
        self._notes.write_bytes(b"")
        self.tell("fill", jobs)
        with self.working(processes):
            self._wait(lambda: self._size() >= jobs // 3, f"{jobs // 3} jobs", patience=PATIENCE_S)
            began, done = time.monotonic(), self._size()
            self._wait(lambda: self._size() >= jobs, f"{jobs} jobs", patience=PATIENCE_S)
            return (jobs - done) / (time.monotonic() - began)

    def enqueue(self, times: int) -> float:
        """Return single enqueues per second."""
        return 1 / float(json.loads(self.tell("single", times)))

    def pick_up(self, times: int) -> PickUp:
        """Return how soon an idle worker begins a job."""
        self._notes.write_bytes(b"")
        with self.working(1):
            # Whoever can be asked for one job is there; then a second to become idle.
            self.tell("arrive", 1)
            self._wait(lambda: self._size() > 0, "its first job")
            time.sleep(1)
            self._notes.write_bytes(b"")
            self.tell("arrive", times)
            self._wait(lambda: len(self._lines()) >= times, f"{times} arrivals", patience=20)
        times_ms = sorted(float(line) * 1000 for line in self._lines())
        return PickUp(p50=median(times_ms), p99=quantiles(times_ms, n=100)[98])

    def survive(self, seconds: float) -> Survival:
        """Kill the worker while it works, start it again, and count after `seconds` at most."""
        self._notes.write_bytes(b"")
        self.tell("slow", SLOW_JOBS)
        started = self.begin(2, at_once=AT_ONCE)
        try:
            self._wait(lambda: self._size() > 0, "its first slow job")
            everybody = family(started)
            self._wait(lambda: len(self._lines()) >= SHOT_AFTER, f"{SHOT_AFTER} slow jobs", patience=PATIENCE_S)
            freeze(everybody)
        finally:
            kill(started)
        if len(self._lines()) == SLOW_JOBS:
            raise NoFigure(f"{self.contender.name} had done all slow jobs before it was killed")
        with self.working(2, at_once=AT_ONCE):
            began = time.monotonic()
            recovered = None
            while time.monotonic() < began + seconds:
                if len(set(self._lines())) >= SLOW_JOBS:
                    recovered = time.monotonic() - began
                    # What was given out twice is done twice: it has the time that the job itself takes.
                    time.sleep(1)
                    break
                time.sleep(0.02)
        counted = Counter(self._lines())
        repeated = sum(counted.values()) - len(counted)
        return Survival(lost=SLOW_JOBS - len(counted), repeated=repeated, recovered_s=recovered)

    def _size(self) -> int:
        return self._notes.stat().st_size

    def _lines(self) -> list[str]:
        return self._notes.read_text().splitlines()

    def _wait(self, true: Callable[[], bool], what: str, *, patience: float = 20.0) -> None:
        ends = time.monotonic() + patience
        while not true():
            if time.monotonic() > ends:
                raise NoFigure(f"{self.contender.name} did not come to {what} within {patience:.0f} s\n{self._log()}")
            time.sleep(LOOK_S)

    def _log(self) -> str:
        log = self._folder / "worker.log"
        return log.read_text(errors="replace")[-1500:] if log.exists() else ""


def family(started: "list[subprocess.Popen[bytes]]") -> list[int]:
    """Return the ids of these processes and of all that they have started so far."""
    found = [process.pid for process in started]
    for pid in found:
        found += children_of(pid)
    return found


def freeze(pids: list[int]) -> None:
    """Stop processes where they are, at once: to look for all that they started takes a while."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)


def kill(started: "list[subprocess.Popen[bytes]]") -> None:
    """Kill processes and all that they started, as if the host had."""
    for process in started:
        kill_tree(process)
