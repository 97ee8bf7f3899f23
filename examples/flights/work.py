"""Ask for the slots of a range and work in this process until nothing is open.

    python -m examples.flights.work 2013-01-02 2013-02-02

May be killed at any moment and started again: what is recorded stays, the rest is done.
"""

import logging
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from examples.flights.app import daily_delays, rota
from examples.flights.data import ZONE
from examples.flights.places import environment
from rota.core.events import AttemptEnded
from rota.core.model import State
from rota.settings import load

LOOK_EVERY_S = 0.2


class Standing(NamedTuple):
    """How far the work has come in this process."""

    ended: int
    failed: int
    open: int
    """Runs that are not over, as the store counts them."""


def work_off(show: Callable[[Standing], object]) -> Standing:
    """Work until no run is open and no round unfinished; call `show` with the standing every now and then."""
    ended: list[State] = []

    def count(event: AttemptEnded) -> None:
        if event.settlement.state.is_final:
            ended.append(event.settlement.state)

    rota.on(AttemptEnded)(
        lambda event: ended.append(event.settlement.state) if event.settlement.state.is_final else None
    )
    stop = threading.Event()
    with rota.working():
        while True:
            by_queue = rota.store.counts().by_queue
            left = sum(count for states in by_queue.values() for count in states.values())
            standing = Standing(ended=len(ended), failed=ended.count(State.FAILED), open=left)
            show(standing)
            is_over = not any(campaign.state.is_active for campaign in rota.campaigns.list())
            # Rounds are closed a moment after their last run.
            if is_over and not left and not rota.store.finished_rounds(limit=1):
                return standing
            stop.wait(LOOK_EVERY_S)


def main() -> int:
    """Make up the range on the command line."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    rota.configure(load(env=environment()))
    since, until = (datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)) for text in sys.argv[1:3])
    asked = rota.backfill(daily_delays.name, since=since, until=until)
    print(f"{asked.preview.total} runs to add", flush=True)
    standing = work_off(lambda now: print(f"{now.ended} ended here, {now.open} open", flush=True))
    print(f"done: {standing.ended} ended here, {standing.failed} of them failed", flush=True)
    return 1 if standing.failed else 0


if __name__ == "__main__":
    sys.exit(main())
