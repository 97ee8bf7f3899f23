"""What is watched, of the schedules and tenants that there are. Scripts outside of Rota are of no tenant and no job."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NoReturn

from msgspec.structs import replace

from rota.core.model import Schedule
from rota.core.watched import Flip, Watched
from rota.errors import Forbidden
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

    def _names(self) -> list[str]:
        return [schedule.name for schedule in self._schedules()]

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise Forbidden("this is for those who may see all jobs and all tenants")

    looks = turn = ping = pings = prune = _refuse
