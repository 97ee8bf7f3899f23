"""Runs attempts in a fixed number of threads: for work that waits on databases and networks."""

import threading
from collections.abc import Callable, Sequence
from contextvars import Context
from queue import Empty, SimpleQueue

from rota.calls import Call
from rota.core.lifecycle import Ending
from rota.core.model import Run

Done = Callable[[Run, Ending], None]


class ThreadExecutor:
    """`places` threads take calls from one line.

    Each call runs in a fresh, empty context, so that a context variable set by one job is never seen by the next
    (R21). Threads cannot be killed; they are daemons, and end with the process.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._line: SimpleQueue[tuple[Call, Done] | None] = SimpleQueue()
        self._closed = False
        self._threads: list[threading.Thread] = []

    def submit(self, calls: Sequence[Call], done: Done) -> None:
        for call in calls:
            self._line.put((call, done))
        for _ in range(min(len(calls), self._places - len(self._threads))):
            thread = threading.Thread(target=self._work, name=f"rota-job-{len(self._threads)}", daemon=True)
            thread.start()
            # Only now: a host without room for one more thread costs a place until the next call, not for good.
            self._threads.append(thread)

    def waiting(self) -> int:
        return self._line.qsize()

    def withdraw(self) -> list[Call]:
        taken: list[Call] = []
        while True:
            try:
                waiting = self._line.get_nowait()
            except Empty:
                return taken
            if waiting is not None:
                taken.append(waiting[0])

    def close(self) -> None:
        self._closed = True
        for _ in self._threads:
            self._line.put(None)

    def _work(self) -> None:
        while (waiting := self._line.get()) is not None and not self._closed:
            call, done = waiting
            done(call.run, Context().run(call.execute))
            # An idle thread keeps nothing of the run it had.
            del call, done, waiting
