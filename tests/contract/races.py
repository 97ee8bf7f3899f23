"""Threads that start at the same instant."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

DEADLINE = 60


def together(*works: Callable[[], Any]) -> list[Any]:
    """Call each in a thread of its own, all at once, and return what they return, in the order given.

    Raises what the first of them raised.
    """
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        barrier.wait(DEADLINE)
        return work()

    with ThreadPoolExecutor(len(works)) as threads:
        futures = [threads.submit(run, work) for work in works]
        return [future.result(DEADLINE) for future in futures]
