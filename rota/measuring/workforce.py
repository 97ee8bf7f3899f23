"""Worker processes of a measurement, as whoever measures sees them."""

import selectors
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import msgspec

from rota.clock import Clock
from rota.errors import MeasurementFailed
from rota.measuring.drainer import Order, Report

COMMAND = (sys.executable, "-m", "rota.measuring.drainer")
STANDSTILL = timedelta(seconds=60)
"""When nothing has moved for so long, something is wrong, and no figure comes of it."""


class Workforce:
    """Processes that work on one ground, all begun at once."""

    def __init__(self, processes: list[subprocess.Popen[bytes]], *, clock: Clock) -> None:
        self._processes = processes
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._pieces: dict[int, bytes] = {}
        for number, process in enumerate(processes):
            assert process.stdout is not None
            self._selector.register(process.stdout, selectors.EVENT_READ, number)

    def go(self) -> None:
        """Let all begin, once each is ready: what starting a process takes is not measured."""
        ready = 0
        while ready < len(self._processes):
            ready += sum(line == b"ready" for _, line in self._heard())
        for process in self._processes:
            _tell(process, b"go\n")

    def wait_until_done(self, runs: int) -> None:
        """Return when so many runs have been executed, and settled.

        Raises:
            MeasurementFailed: a process ended, or nothing moves.
        """
        reports: dict[int, Report] = {}
        while True:
            for number, line in self._heard():
                reports[number] = msgspec.json.decode(line, type=Report)
            if sum(report.executed for report in reports.values()) >= runs and not any(
                report.is_busy for report in reports.values()
            ):
                return

    def stop(self) -> list[Report]:
        """Let all end, and return what each measured."""
        for process in self._processes:
            _tell(process, b"stop\n")
        last: dict[int, Report] = {}
        ended: set[int] = set()
        while len(ended) < len(self._processes):
            for number, line in self._heard(ends=ended):
                last[number] = msgspec.json.decode(line, type=Report)
        return list(last.values())

    def close(self) -> None:
        """End whoever is left."""
        self._selector.close()
        for process in self._processes:
            process.kill()
            # Unread output and unsent input are of no use any more.
            with process, suppress(BrokenPipeError):
                process.wait()

    def _heard(self, *, ends: set[int] | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield what processes said, once any of them has said something."""
        events = self._selector.select(STANDSTILL.total_seconds())
        if not events:
            raise MeasurementFailed(f"nothing has moved for {STANDSTILL}: is the store too slow, or locked by others?")
        for key, _ in events:
            number: int = key.data
            said = self._processes[number].stdout
            assert said is not None
            piece = said.read1(65536)  # type: ignore[attr-defined]  # typeshed has IO[bytes] for a BufferedReader
            if not piece:
                self._selector.unregister(said)
                if ends is None:
                    code = self._processes[number].wait()
                    raise MeasurementFailed(f"a worker process ended by itself, with exit code {code}")
                ends.add(number)
            *lines, rest = (self._pieces.get(number, b"") + piece).split(b"\n")
            self._pieces[number] = rest
            yield from ((number, line) for line in lines)


@contextmanager
def workforce(order: Order, *, processes: int, clock: Clock) -> Iterator[Workforce]:
    """Yield so many processes, that have begun nothing yet; none is left at the end of the block."""
    # Each in a session of its own: a Ctrl-C is for whoever measures, who ends them.
    started = [
        # A constant; what it works on comes by its input.
        subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)  # noqa: S603
        for _ in range(processes)
    ]
    force = Workforce(started, clock=clock)
    try:
        for process in started:
            # The URL holds a password, and arguments are for everybody to read.
            _tell(process, msgspec.json.encode(order) + b"\n")
        yield force
    finally:
        force.close()


def _tell(process: "subprocess.Popen[bytes]", line: bytes) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(line)
        process.stdin.flush()
