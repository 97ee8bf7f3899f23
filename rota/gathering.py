"""Puts together what arrives together: whoever comes while a write is under way is in the next one.

A store pays for each commit, the most for a flush to its disk, and little for what is in it. A hundred threads that
each enqueue a run share a few commits, and nobody waits who is alone. Nobody's work is acknowledged before its commit.

Threads that wait for one another cost as much again as what they do. Who has many works in hand at once, as a server
has, does them `together` in one.
"""

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from contextvars import Context, ContextVar
from typing import Any, Generic, NamedTuple, TypeVar

from rota.errors import StoreUnavailable

Part = TypeVar("Part")
Answer = TypeVar("Answer")


class _Asked(Generic[Part]):
    """One caller: what it wants written, and what came of it."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts
        self.errors: list[Exception | None] = [None] * len(parts)
        self.is_over = False
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
        [error] = self.write_all([part])
        if error is not None:
            raise error

    def hand_in(self, part: Part) -> None:
        """Write a part, as `write` does; but within `together` only after the work that this is called in.

        So it is for whoever does nothing more that depends on what was written.
        """
        handed_in = _HANDED_IN.get()
        if handed_in is None:
            self.write(part)
        else:
            handed_in.append((self, part))

    def write_all(self, parts: Sequence[Part]) -> list[Exception | None]:
        """Write parts, each for itself, and return when all are written: for each None, or what writing it raised."""
        asked = _Asked(parts)
        with self._lock:
            self._waiting.append(asked)
            leads, self._is_busy = not self._is_busy, True
        if not leads:
            asked.called.acquire()
        if not asked.is_over:
            self._lead()
        return asked.errors

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
                    interrupted = StoreUnavailable("whoever wrote this was interrupted: ask again")
                    one.is_over, one.errors = True, [interrupted] * len(one.parts)
                one.called.release()
            with self._lock:
                self._is_busy = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].called.release()

    def _write_for(self, those: Sequence[_Asked[Part]]) -> None:
        errors = iter(self._tried([part for one in those for part in one.parts]))
        for one in those:
            one.errors = [next(errors) for _ in one.parts]
            one.is_over = True

    def _tried(self, parts: Sequence[Part]) -> list[Exception | None]:
        try:
            self._write(parts)
        except StoreUnavailable as error:
            return [error] * len(parts)
        # Whatever it is, it is raised where it belongs.
        except Exception as error:  # noqa: BLE001
            return [error] if len(parts) == 1 else [self._tried([part])[0] for part in parts]
        return [None] * len(parts)

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
        known = _KNOWN.get()
        if known is not None and self in known:
            answer: Answer = known[self]
            return answer
        told: list[Answer] = []
        self._gatherer.write(told)
        if known is not None:
            known[self] = told[0]
        return told[0]

    def _tell(self, waiting: Sequence[list[Answer]]) -> None:
        answer = self._ask()
        for told in waiting:
            told.append(answer)


class Work(NamedTuple, Generic[Answer]):
    """Something to be done, and the context that it is done in."""

    does: Callable[[], Answer]
    context: Context


def together(works: Sequence[Work[Answer]]) -> list[Answer | Exception]:
    """Do works one after another, then write at once what each of them has handed in; return what each came to.

    That is its answer, which holds as what it handed in is written, or what it or that write raised. Of a work that
    raises nothing is written. What is `Shared` is asked for once: all of them were there before.
    """
    known: dict[Shared[Any], Any] = {}
    handed_in: list[list[tuple[Gatherer[Any], Any]]] = []
    came_to: list[Answer | Exception] = []
    for work in works:
        parts: list[tuple[Gatherer[Any], Any]] = []
        try:
            came_to.append(work.context.run(_done, work.does, parts, known))
        # Whatever it is, it is raised where it belongs.
        except Exception as error:  # noqa: BLE001
            came_to.append(error)
            parts = []
        handed_in.append(parts)
    for gatherer in dict.fromkeys(gatherer for parts in handed_in for gatherer, _ in parts):
        theirs = [(n, part) for n, parts in enumerate(handed_in) for whose, part in parts if whose is gatherer]
        told = gatherer.write_all([part for _, part in theirs])
        for (number, _), failed in zip(theirs, told, strict=True):
            if failed is not None:
                came_to[number] = failed
    return came_to


def _done(does: Callable[[], Answer], parts: list[tuple[Gatherer[Any], Any]], known: dict[Shared[Any], Any]) -> Answer:
    _HANDED_IN.set(parts)
    _KNOWN.set(known)
    return does()


_HANDED_IN: ContextVar[list[tuple[Gatherer[Any], Any]] | None] = ContextVar("rota_handed_in", default=None)
_KNOWN: ContextVar[dict[Shared[Any], Any] | None] = ContextVar("rota_known", default=None)

_all: "weakref.WeakSet[Gatherer[Any]]" = weakref.WeakSet()


def _after_fork() -> None:
    for gatherer in list(_all):
        gatherer.after_fork()


os.register_at_fork(after_in_child=_after_fork)
