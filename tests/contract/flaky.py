"""A store with a bad connection."""

import threading
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Any, cast

from rota.errors import StoreUnavailable
from rota.ports import Store
from tests.parts import PARTS, Part

DEADLINE_S = 30.0


class Moment(StrEnum):
    """Where a call is cut off: nothing was done, or all was done and nobody is told."""

    BEFORE = "before"
    AFTER = "after"


class Hold:
    """A call that takes as long as a test wants."""

    def __init__(self, moment: Moment) -> None:
        self.moment = moment
        self._reached = threading.Event()
        self._let_go = threading.Event()

    def wait_for_it(self) -> None:
        """Return when the call has come to where it is held."""
        assert self._reached.wait(DEADLINE_S), "the call that is to be held never came"

    def let_go(self) -> None:
        """Let the call go on."""
        self._let_go.set()

    def stand(self) -> None:
        """Wait here, as the call itself does."""
        self._reached.set()
        assert self._let_go.wait(DEADLINE_S), "the call that is held was never let go"


class Flaky:
    """Passes calls on, and raises StoreUnavailable around those that a test has chosen, or takes its time for them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._cuts: dict[tuple[str, int], Moment] = {}
        self._holds: dict[tuple[str, int], Hold] = {}
        self.calls: Counter[str] = Counter()
        """How often each verb was called."""

    def cut(self, verb: str, moment: Moment, *, call: int = 1) -> None:
        """Let the next call of this verb fail, or the one that is `call` calls away."""
        self._cuts[verb, self.calls[verb] + call] = moment

    def delay(self, verb: str, moment: Moment, *, call: int = 1) -> Hold:
        """Hold the next call of this verb, or its answer, until the test lets it go."""
        hold = self._holds[verb, self.calls[verb] + call] = Hold(moment)
        return hold

    @property
    def is_done(self) -> bool:
        """Whether every cut and every delay that was asked for has come."""
        return not self._cuts and not self._holds

    # A wrapper for every verb there is and will be; a method for each would say forty times the same.
    def __getattr__(self, verb: str) -> Any:
        known = getattr(self._store, verb)
        if verb in PARTS:
            return Part(verb, known, self._wrapped)
        return self._wrapped(verb, known)

    def _wrapped(self, verb: str, known: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                self.calls[verb] += 1
                number = self.calls[verb]
                moment = self._cuts.pop((verb, number), None)
                hold = self._holds.pop((verb, number), None)
            if hold is not None and hold.moment is Moment.BEFORE:
                hold.stand()
            if moment is Moment.BEFORE:
                raise StoreUnavailable(f"{verb} was cut off before it reached the store")
            answer = known(*args, **kwargs)
            if hold is not None and hold.moment is Moment.AFTER:
                hold.stand()
            if moment is Moment.AFTER:
                raise StoreUnavailable(f"the answer to {verb} was lost")
            return answer

        return call


def flaky(store: Store) -> tuple[Store, Flaky]:
    """Return the store as its users see it, and the same as the test does."""
    wrapper = Flaky(store)
    return cast(Store, wrapper), wrapper
