"""Names that one run of a `MemoryStore` has at a time."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from rota.core.unique import Holder, Judgement, UniqueRun, judge
from rota.stores.memory_line import Line
from rota.stores.memory_run import Runs

REPLACED_REASON = "unique: a later run takes its place"


class Given(Struct, frozen=True, kw_only=True):
    """What a name was given to last."""

    one: UniqueRun
    at: datetime


class Uniques:
    """Remembers to which run each name was given last. Not locked: the store is."""

    def __init__(self, runs: Runs, line: Line) -> None:
        self._runs = runs
        self._line = line
        self._given: dict[str, Given] = {}

    def enqueue(self, wanted: Sequence[UniqueRun], *, now: datetime) -> Judgement:
        """Accept those that get their names, cancel those that they replace; return what was decided."""
        names = {one.name for one in wanted}
        holders = {name: self._holder(given.one) for name, given in self._given.items() if name in names}
        known = {one.run.id for one in wanted if self._runs.get(one.run.id) is not None}
        judgement = judge(wanted, holders, known=known, now=now)
        replaced = self._line.stop(self._runs.named(judgement.replaced), reason=REPLACED_REASON, now=now)
        self._line.free(replaced, now=now)
        self._line.accept([one.run for one in judgement.accepted], now=now)
        self._given |= {one.name: Given(one=one, at=now) for one in judgement.accepted}
        return judgement

    def prune(self, before: datetime) -> None:
        """Forget the names that were given before and that nobody has any more."""
        for name, given in list(self._given.items()):
            run = self._runs.get(given.one.run.id)
            is_kept = given.one.kept_until is not None and given.one.kept_until >= before
            if given.at < before and not is_kept and (run is None or run.state.is_final):
                del self._given[name]

    def _holder(self, one: UniqueRun) -> Holder:
        run = self._runs.get(one.run.id)
        return Holder(
            run_id=one.run.id,
            scope=one.scope,
            kept_until=one.kept_until,
            state=None if run is None else run.state,
            attempt=0 if run is None else run.attempt,
        )
