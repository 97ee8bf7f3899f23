"""What the jobs of every contender do, and how each is told to enqueue. Imports nothing but Python's own.

A job notes what it did by appending to one file: the same few microseconds for everybody, whatever process it runs in.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable
from statistics import median

SLOW_S = 0.05
WARM_UP = -1.0
"""Sent first, and not noted: whoever enqueues for the first time connects first."""

_descriptors: dict[int, int] = {}


def note(text: str) -> None:
    """Append to the file of this measurement; a write this small is whole or not there."""
    pid = os.getpid()
    if pid not in _descriptors:
        _descriptors[pid] = os.open(os.environ["PEERS_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(_descriptors[pid], text.encode())


def nothing() -> None:
    note(".")


def arrive(sent_at: float) -> None:
    if sent_at != WARM_UP:
        # The monotonic clock is that of the whole machine.
        note(f"{time.monotonic() - sent_at}\n")


def slow(number: int) -> None:
    time.sleep(SLOW_S)
    note(f"{number}\n")


def main(
    *,
    send_nothing: Callable[[], object],
    send_arrive: Callable[[float], object],
    send_slow: Callable[[int], object],
    send_many: Callable[[int], object] | None = None,
    set_up: Callable[[], object] = lambda: None,
) -> None:
    """Do what the command line says: `set-up`, `fill N`, `single N`, `arrive N` or `slow N`."""
    mode, number = sys.argv[1], int(sys.argv[2])
    match mode:
        case "set-up":
            set_up()
        case "fill" if send_many is not None:
            send_many(number)
        case "fill":
            for _ in range(number):
                send_nothing()
        case "single":
            print(json.dumps(median(_seconds(send_nothing) for _ in range(number))))
        case "arrive":
            pauses = random.Random(1)
            send_arrive(WARM_UP)
            for _ in range(number):
                send_arrive(time.monotonic())
                time.sleep(pauses.uniform(0.01, 0.03))
        case "slow":
            for each in range(number):
                send_slow(each)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
