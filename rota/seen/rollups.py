"""Sums of what ran, of the jobs and tenants that there are."""

from collections.abc import Callable
from typing import Any, NoReturn

from rota.core.rollup import Measure, Rollup
from rota.errors import Forbidden
from rota.ports import RollupStore
from rota.queries import MeasureQuery, RollupQuery
from rota.seen.scope import Scope


class SeenRollups:
    """A RollupStore over another one, for one scope."""

    def __init__(self, rollups: Callable[[], RollupStore], scope: Scope) -> None:
        self._rollups = rollups
        self._scope = scope

    def rollups(self, query: RollupQuery) -> list[Rollup]:
        narrowed = self._scope.within(query)
        return [] if narrowed is None else self._rollups().rollups(narrowed)

    def measures(self, query: MeasureQuery) -> list[Measure]:
        narrowed = self._scope.within(query)
        return [] if narrowed is None else self._rollups().measures(narrowed)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise Forbidden("this is for those who may see all jobs and all tenants")

    add = prune = _refuse
