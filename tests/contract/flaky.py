"""A store with a bad connection."""

import threading
from collections import Counter
from enum import StrEnum
from typing import Any, cast

from rota.errors import StoreUnavailable
from rota.ports import Store


class Moment(StrEnum):
    """Where a call is cut off: nothing was done, or all was done and nobody is told."""

    BEFORE = "before"
    AFTER = "after"


class Flaky:
    """Passes calls on, and raises StoreUnavailable around those that a test has chosen."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._cuts: dict[tuple[str, int], Moment] = {}

    def cut(self, verb: str, moment: Moment, *, call: int = 1) -> None:
        """Let the next call of this verb fail, or the one that is `call` calls away."""
        self._cuts[verb, self._calls[verb] + call] = moment

    # A wrapper for every verb there is and will be; a method for each would say forty times the same.
    def __getattr__(self, verb: str) -> Any:
        known = getattr(self._store, verb)

        def call(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                self._calls[verb] += 1
                moment = self._cuts.pop((verb, self._calls[verb]), None)
            if moment is Moment.BEFORE:
                raise StoreUnavailable(f"{verb} was cut off before it reached the store")
            answer = known(*args, **kwargs)
            if moment is Moment.AFTER:
                raise StoreUnavailable(f"the answer to {verb} was lost")
            return answer

        return call


def flaky(store: Store) -> tuple[Store, Flaky]:
    """Return the store as its users see it, and the same as the test does."""
    wrapper = Flaky(store)
    return cast(Store, wrapper), wrapper
