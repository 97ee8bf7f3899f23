"""What a store on SQL keeps for the watchdog."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from rota.core.freshness import Expectation
from rota.core.watched import Flip, Key, Ping, Turn, Watched
from rota.errors import StoreUnavailable
from rota.queries import EVERY_PAIR, FlipQuery, PairQuery
from rota.stores.doubt import IS_NOT_WRITTEN
from rota.stores.sql import pairs, pings
from rota.stores.sql.database import Database, Link
from rota.stores.sql.dialects import KeyTaken

T = TypeVar("T")

RACES = 5
"""How often a transaction is tried that loses a race for a key."""


class SqlFreshness:
    """By when each schedule must have succeeded for each tenant. What a verb promises stands in `FreshnessStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def looks(self, *, now: datetime, limit: int = 1000) -> list[Watched]:
        return self._database.read(lambda link: pairs.looks(link, now=now, limit=limit))

    def turn(self, turns: Sequence[Turn]) -> list[Key]:
        return self._write(lambda link: pairs.turn(link, turns)) if turns else []

    def pairs(self, query: PairQuery = EVERY_PAIR) -> list[Watched]:
        return self._database.read(lambda link: pairs.pairs(link, query))

    def flips(self, query: FlipQuery) -> list[Flip]:
        return self._database.read(lambda link: pairs.flips(link, query))

    def ping(self, ping: Ping, *, slot: datetime | None = None, expected: Expectation | None = None) -> bool:
        return self._write(lambda link: pings.add(link, ping, slot=slot, expected=expected))

    def pings(self, name: str, *, before_id: str | None = None, limit: int = 100) -> list[Ping]:
        return self._database.read(lambda link: pings.of(link, name, before_id=before_id, limit=limit))

    def prune(self, *, flips_before: datetime, pings_before: datetime, limit: int = 1000) -> int:
        return self._write(
            lambda link: (
                pings.prune(link, "flips", flips_before, limit=limit)
                + pings.prune(link, "pings", pings_before, limit=limit)
            )
        )

    def _write(self, work: Callable[[Link], T]) -> T:
        for _ in range(RACES):
            try:
                return self._database.write(work)
            except KeyTaken as taken:
                last = taken
        raise StoreUnavailable(f"store {self._database.shown}: {last}; {IS_NOT_WRITTEN}")
