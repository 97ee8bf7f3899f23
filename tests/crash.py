"""Let a process die before and after each of its store calls in turn, and see what is left when another goes on.

A scenario is what the process does. It is begun anew for each point, run until it dies there, restarted, and
checked. A process that has died calls nothing any more: whatever its code catches, each later call kills it again.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from typing import Any, Protocol, cast

from msgspec import Struct

from rota.ports import Store
from tests.parts import PARTS, Part

MAX_POINTS = 10_000

READS = frozenset(
    {
        "alerts.deliveries", "alerts.incidents", "alerts.members", "alerts.signals",
        "audit", "batch_counts", "changed_rows", "check", "control", "controls", "counts", "due", "expired", "facts",
        "finished_rounds", "freshness.flips", "freshness.looks", "freshness.pairs", "freshness.pings",
        "gates", "held", "log", "lost_rows", "now", "old_snapshots", "progress", "round_counts",
        "rollups.measures", "rollups.rollups", "rounds", "run", "runs", "signs",
        "schedule", "schedules", "slot_states", "wait", "workers",
    }
)  # fmt: skip
"""Verbs that write nothing: who dies at one leaves what the write before it has left."""


class Died(BaseException):
    """The process died here. Not an `Exception`, so that no code under test survives it by catching broadly."""


class Side(StrEnum):
    """Of a call: whether the store still got it."""

    BEFORE = "before"
    AFTER = "after"


class Point(Struct, frozen=True, kw_only=True):
    """Where the process dies."""

    side: Side
    call: int
    verb: str

    def __str__(self) -> str:
        return f"{self.side} call {self.call} ({self.verb})"


class Scenario(Protocol):
    """What a process does with a store, and what must hold however it ends."""

    @property
    def store(self) -> Store:
        """The store behind it, without anybody dying."""

    def run(self, store: Store) -> None:
        """Work until there is nothing left to do. May die at any call of this store."""

    def restart(self, store: Store) -> None:
        """Go on as a new process would, after the old one was found dead."""

    def check(self) -> None:
        """Assert what must hold."""


def crash_points(
    begin: Callable[[], Scenario], *, spared: frozenset[str] = frozenset(), only_writes: bool = False
) -> list[Point]:
    """Run the scenario once for each point where it can die, and check it; return the points.

    At `spared` verbs it does not die: without READS every state of the store is still seen, and what jobs did before it
    was recorded, in a quarter of the time. With `only_writes` it dies after each write, which leaves every state of the
    store: a tenth of the time.

    `begin` gives a fresh scenario on an empty store. A failed assertion names the point. The scenario is also run
    and checked without any death: if that is wrong, nothing else means anything.
    """
    whole = begin()
    whole.run(whole.store)
    whole.check()
    if only_writes:
        return list(_points(begin, sides=[Side.AFTER], spared=READS))
    return list(_points(begin, sides=list(Side), spared=spared))


def _points(begin: Callable[[], Scenario], *, sides: list[Side], spared: frozenset[str]) -> Iterator[Point]:
    for call in range(1, MAX_POINTS):
        for side in sides:
            scenario = begin()
            mortal = Mortal(scenario.store, side=side, call=call, spared=spared)
            with suppress(Died):
                scenario.run(cast(Store, mortal))
            if mortal.died_in is None:
                # It came to its end before this call: every point has been seen.
                return
            point = Point(side=side, call=call, verb=mortal.died_in)
            try:
                scenario.restart(scenario.store)
                scenario.check()
            except BaseException as error:
                error.add_note(f"the process died {point}")
                raise
            yield point
    raise AssertionError(f"the scenario makes {MAX_POINTS} calls and does not come to an end")


class Mortal:
    """A store as one process sees it, which dies before or after its `call`-th call, `spared` verbs not counted."""

    def __init__(self, store: Store, *, side: Side, call: int, spared: frozenset[str] = frozenset()) -> None:
        self.died_in: str | None = None
        self._spared = spared
        self._store = store
        self._side = side
        self._last = call
        self._made = 0
        self._lock = threading.Lock()

    # A wrapper for every verb there is and will be; a method for each would say forty times the same.
    def __getattr__(self, verb: str) -> Any:
        known = getattr(self._store, verb)
        if verb in PARTS:
            return Part(verb, known, self._wrapped)
        return self._wrapped(verb, known)

    def _wrapped(self, verb: str, known: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                if self.died_in is not None:
                    raise Died(verb)
                self._made += verb not in self._spared
                is_last = self._made == self._last and verb not in self._spared
                if is_last and self._side is Side.BEFORE:
                    self.died_in = verb
                    raise Died(verb)
            answer = known(*args, **kwargs)
            if is_last:
                self.died_in = verb
                raise Died(verb)
            return answer

        return call
