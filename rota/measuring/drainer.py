"""One worker process of a measurement: `python -m rota.measuring.drainer`, told what to do on standard input.

It is given its ground on one line, says `ready`, begins to work at `go`, tells how far it is whenever that has changed,
and at `stop`, or when whoever started it is gone, ends with what it measured.
"""

import os
import select
import sys

import msgspec

from rota.measuring.application import Measured
from rota.measuring.ground import Ground

LOOK_S = 0.005
STDIN = 0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to work on."""

    ground: Ground
    places: int | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker process has done by now."""

    executed: int
    is_busy: bool
    latencies: list[float] = []


def main() -> None:
    """Work on the ground that standard input names, until it says `stop`."""
    order = msgspec.json.decode(_line(), type=Order)
    measured = Measured(order.ground)
    crew = measured.app.crew(schedules=False, places=order.places)
    _say(b"ready")
    if _line() != b"go":
        return
    crew.start()
    told: tuple[int, bool] | None = None
    while not select.select([STDIN], [], [], LOOK_S)[0]:
        # First whether it is busy: what ends after that is counted already.
        busy = crew.worker.busy
        now = (measured.executed, busy)
        if now != told:
            _say(msgspec.json.encode(Report(executed=now[0], is_busy=busy)))
            told = now
    crew.stop()
    _say(msgspec.json.encode(Report(executed=measured.executed, is_busy=False, latencies=measured.latencies)))
    measured.close()


def _line() -> bytes:
    line = b""
    # Byte by byte: what is read ahead would be missed by select.
    while (byte := os.read(STDIN, 1)) not in (b"", b"\n"):
        line += byte
    return line


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
