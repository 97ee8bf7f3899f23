"""What a `MemoryStore` keeps for the watchdog."""

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from rota.core.freshness import Expectation
from rota.core.watched import Flip, Key, Ping, Turn, Watched
from rota.queries import EVERY_PAIR, FlipQuery, PairQuery
from rota.stores.memory_progress import ProgressBook

One = TypeVar("One", Flip, Ping)


class MemoryFreshness:
    """By when each schedule must have succeeded for each tenant. What a verb promises stands in `FreshnessStore`."""

    def __init__(self, lock: threading.RLock, progress: ProgressBook) -> None:
        self._lock = lock
        self._progress = progress
        self._flips: dict[str, Flip] = {}
        self._pings: dict[str, Ping] = {}

    def looks(self, *, now: datetime, limit: int = 1000) -> list[Watched]:
        with self._lock:
            due = [
                (pair.look_at, pair.key, pair)
                for pair in self._progress.pairs.values()
                if pair.look_at is not None and pair.look_at <= now
            ]
            return [pair for _, _, pair in sorted(due, key=lambda entry: entry[:2])[:limit]]

    def turn(self, turns: Sequence[Turn]) -> list[Key]:
        with self._lock:
            return [key for turn in turns if (key := self._turned(turn)) is not None]

    def _turned(self, turn: Turn) -> Key | None:
        one = turn.after or turn.before
        assert one is not None
        pairs = self._progress.pairs
        if turn.before == turn.after or pairs.get(one.key) != turn.before:
            return None
        if turn.after is None:
            del pairs[one.key]
        else:
            pairs[one.key] = turn.after
        if turn.flip is not None:
            self._flips[turn.flip.id] = turn.flip
        return one.key

    def pairs(self, query: PairQuery = EVERY_PAIR) -> list[Watched]:
        with self._lock:
            found = [pair for _, pair in sorted(self._progress.pairs.items())]
        return [pair for pair in found if is_pair_meant(pair, query)][: query.limit]

    def flips(self, query: FlipQuery) -> list[Flip]:
        with self._lock:
            found = sorted(self._flips.values(), key=lambda flip: flip.id, reverse=True)
        return [flip for flip in found if is_flip_meant(flip, query)][: query.limit]

    def ping(self, ping: Ping, *, slot: datetime | None = None, expected: Expectation | None = None) -> bool:
        with self._lock:
            if ping.id in self._pings:
                return False
            self._pings[ping.id] = ping
            self._progress.hear(ping, slot=slot, expected=expected)
            return True

    def pings(self, name: str, *, before_id: str | None = None, limit: int = 100) -> list[Ping]:
        with self._lock:
            found = sorted((ping for ping in self._pings.values() if ping.name == name), key=lambda ping: ping.id)
        return [ping for ping in reversed(found) if before_id is None or ping.id < before_id][:limit]

    def prune(self, *, flips_before: datetime, pings_before: datetime, limit: int = 1000) -> int:
        with self._lock:
            return _pruned(self._flips, flips_before, limit) + _pruned(self._pings, pings_before, limit)


def is_pair_meant(pair: Watched, query: PairQuery) -> bool:
    """Return whether a query asks for this pair."""
    return (
        (not query.schedules or pair.schedule in query.schedules)
        and (not query.tenants or pair.tenant in query.tenants)
        and (not query.states or pair.state in query.states)
        and (query.after is None or pair.key > query.after)
    )


def is_flip_meant(flip: Flip, query: FlipQuery) -> bool:
    """Return whether a query asks for this flip."""
    return (
        query.schedule in (None, flip.schedule)
        and query.tenant in (None, flip.tenant)
        and (query.since is None or flip.at >= query.since)
        and (query.until is None or flip.at < query.until)
        and (query.before_id is None or flip.id < query.before_id)
    )


def _pruned(kept: dict[str, One], before: datetime, limit: int) -> int:
    old = sorted((one for one in kept.values() if one.at < before), key=lambda one: (one.at, one.id))[:limit]
    for one in old:
        del kept[one.id]
    return len(old)
