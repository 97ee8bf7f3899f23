"""Puts together what arrives together: whoever comes while a write is under way is in the next one.

A store pays for each commit, the most for a flush to its disk, and little for what is in it. A hundred threads that
each enqueue a run share a few commits, and nobody waits who is alone. Nobody's work is acknowledged before its commit.
"""

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from rota.errors import StoreUnavailable

Part = TypeVar("Part")
Answer = TypeVar("Answer")


class _Asked(Generic[Part]):
    """One caller: what it wants written, and what came of it."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.is_over = False
        self.error: Exception | None = None
        self.called = threading.Lock()
        """Held until it is this caller's turn to write, or its part is written."""
        self.called.acquire()


class Gatherer(Generic[Part]):
    """Writes parts for callers in any thread, as many at once as have come."""

    def __init__(self, write: Callable[[Sequence[Part]], object]) -> None:
        """`write` writes all parts or none, and may be called again with some of them after it raised."""
        self._write = write
        self._lock = threading.Lock()
        self._waiting: list[_Asked[Part]] = []
        self._is_busy = False
        _all.add(self)

    def write(self, part: Part) -> None:
        """Write a part, and return when it is written.

        Raises what writing it raised. Where a write of several fails, each is written alone: nobody gets another one's
        error.
        """
        asked = _Asked(part)
        with self._lock:
            self._waiting.append(asked)
            leads, self._is_busy = not self._is_busy, True
        if not leads:
            asked.called.acquire()
        if not asked.is_over:
            self._lead()
        if asked.error is not None:
            raise asked.error

    def _lead(self) -> None:
        """Write for all who have come, the caller among them, and call the first of those who have come since."""
        with self._lock:
            those, self._waiting = self._waiting, []
        try:
            self._write_for(those)
        finally:
            for one in those:
                if not one.is_over:
                    # This thread was interrupted. To ask again is safe: what is written has its id.
                    one.is_over, one.error = True, StoreUnavailable("whoever wrote this was interrupted: ask again")
                one.called.release()
            with self._lock:
                self._is_busy = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].called.release()

    def _write_for(self, those: Sequence[_Asked[Part]]) -> None:
        try:
            self._write([one.part for one in those])
        except StoreUnavailable as error:
            for one in those:
                one.error = error
        # Whatever it is, it is raised where it belongs.
        except Exception as error:  # noqa: BLE001
            if len(those) == 1:
                those[0].error = error
            else:
                for one in those:
                    self._write_for([one])
        for one in those:
            one.is_over = True

    def after_fork(self) -> None:
        """Forget the threads of the parent process: they are not here."""
        self._lock, self._waiting, self._is_busy = threading.Lock(), [], False


class Shared(Generic[Answer]):
    """Asks once for all who have come. Nobody gets an answer to a question that was put before he came."""

    def __init__(self, ask: Callable[[], Answer]) -> None:
        self._ask = ask
        self._gatherer: Gatherer[list[Answer]] = Gatherer(self._tell)

    def get(self) -> Answer:
        """Return the answer.

        Raises what asking raised.
        """
        told: list[Answer] = []
        self._gatherer.write(told)
        return told[0]

    def _tell(self, waiting: Sequence[list[Answer]]) -> None:
        answer = self._ask()
        for told in waiting:
            told.append(answer)


_all: "weakref.WeakSet[Gatherer[Any]]" = weakref.WeakSet()


def _after_fork() -> None:
    for gatherer in list(_all):
        gatherer.after_fork()


os.register_at_fork(after_in_child=_after_fork)
