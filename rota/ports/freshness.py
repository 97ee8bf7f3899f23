"""What a store must do for the watchdog."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from rota.core.freshness import Expectation
from rota.core.watched import Flip, Key, Ping, Turn, Watched
from rota.queries import EVERY_PAIR, FlipQuery, PairQuery


class FreshnessStore(Protocol):
    """Keeps by when each schedule must have succeeded for each tenant, and when that changed its state (R51).

    A part of the store that holds it: atomicity, repetition and errors are as there. Besides these verbs, `settle`
    moves a pair when its newest slot succeeded, see `watched.proved`; `mark` and `reset` as `watched.marked` says.
    """

    def looks(self, *, now: datetime, limit: int = 1000) -> list[Watched]:
        """Return pairs that have to be judged by `now`, the longest overdue first. One index read when none."""

    def turn(self, turns: Sequence[Turn]) -> list[Key]:
        """Write what becomes of pairs, each with its flip, where a pair still is as it was read; return the keys of
        those, in the order given.

        One transaction. A call names a pair once. A repeated one finds its pairs changed, and returns none.
        """

    def pairs(self, query: PairQuery = EVERY_PAIR) -> list[Watched]:
        """Return watched pairs, by schedule and tenant."""

    def flips(self, query: FlipQuery) -> list[Flip]:
        """Return changes of state, newest first."""

    def ping(self, ping: Ping, *, slot: datetime | None = None, expected: Expectation | None = None) -> bool:
        """Keep what a script outside of Rota said; return whether it is new: a known id changes nothing.

        With it goes the progress of `watch_key(name)`: a success moves it to `slot` (only forward) and its pair as
        `settle` does; a failure is counted, and the pair looked at as `watched.heard` says.
        """

    def pings(self, name: str, *, before_id: str | None = None, limit: int = 100) -> list[Ping]:
        """Return what a script said, newest first; only what is older than the ping of this id."""

    def prune(self, *, flips_before: datetime, pings_before: datetime, limit: int = 1000) -> int:
        """Delete up to `limit` flips and as many pings from before these instants, oldest first; return how many. What
        a pair is now, and when a script last succeeded, stays (R72)."""
