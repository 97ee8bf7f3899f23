"""What is watched, of the schedules, tenants and scripts outside of Rota that there are."""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, NoReturn

from msgspec.structs import replace

from rota.core.freshness import Expectation
from rota.core.model import Schedule
from rota.core.watched import Flip, Ping, Watched, watch_key
from rota.errors import Forbidden, WatchNotFound
from rota.ports import FreshnessStore
from rota.queries import EVERY_PAIR, FlipQuery, PairQuery
from rota.seen.scope import Scope, refilled


class SeenFreshness:
    """A FreshnessStore over another one, for one scope."""

    def __init__(
        self, freshness: Callable[[], FreshnessStore], scope: Scope, *, schedules: Callable[[], Sequence[Schedule]]
    ) -> None:
        """`schedules`: those that there are."""
        self._freshness = freshness
        self._scope = scope
        self._schedules = schedules

    def pairs(self, query: PairQuery = EVERY_PAIR) -> list[Watched]:
        names = tuple(name for name in self._names() if not query.schedules or name in query.schedules)
        tenants = query.tenants
        if self._scope.tenants is not None:
            tenants = self._scope.of_these(query.tenants or sorted(self._scope.tenants))
            if not tenants:
                return []
        return self._freshness().pairs(replace(query, schedules=names, tenants=tenants)) if names else []

    def flips(self, query: FlipQuery) -> list[Flip]:
        names = frozenset(self._names())

        def after(last: Flip | None) -> list[Flip]:
            return self._freshness().flips(query if last is None else replace(query, before_id=last.id))

        def keep(flip: Flip) -> Flip | None:
            return flip if flip.schedule in names and self._scope.has_tenant(flip.tenant) else None

        return list(islice(refilled(after, keep, size=query.limit), query.limit))

    def ping(self, ping: Ping, *, slot: datetime | None = None, expected: Expectation | None = None) -> bool:
        self._check_script(ping.name)
        return self._freshness().ping(ping, slot=slot, expected=expected)

    def pings(self, name: str, *, before_id: str | None = None, limit: int = 100) -> list[Ping]:
        self._check_script(name)
        return self._freshness().pings(name, before_id=before_id, limit=limit)

    def _check_script(self, name: str) -> None:
        if name not in self._scope.watches:
            raise WatchNotFound(name, known=self._scope.watches)

    def _names(self) -> list[str]:
        return [*(schedule.name for schedule in self._schedules()), *map(watch_key, sorted(self._scope.watches))]

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise Forbidden("this is for those who may see all jobs and all tenants")

    looks = turn = prune = _refuse
