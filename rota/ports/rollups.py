"""What a store must do for metrics."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from rota.core.rollup import Grain, Measure, Rollup, Sheet
from rota.queries import MeasureQuery, RollupQuery


class RollupStore(Protocol):
    """Keeps sums of what ran, by time, job, tenant, queue and outcome (R53).

    A part of the store that holds it: atomicity, repetition and errors are as there.
    """

    def add(self, sheet: Sheet, *, now: datetime) -> bool:
        """Add what a sheet says to the sums, and return True; all of it or nothing, with any number of callers at once.

        Once: of a sheet whose source has brought one of this number, or of a later one, nothing is added, and the
        answer is False. So a call whose answer was lost is repeated as it was.
        """

    def rollups(self, query: RollupQuery) -> list[Rollup]:
        """Return the sums asked for, in the order of their keys."""

    def measures(self, query: MeasureQuery) -> list[Measure]:
        """Return the jobs' own numbers, in the order of their keys."""

    def prune(self, before: Mapping[Grain, datetime], *, sources_before: datetime, limit: int) -> int:
        """Delete up to `limit` sums of each kind whose period started before the instant that its grain has here;
        return how many. What is for ever stays.

        Also forgets sources that brought nothing since `sources_before`: they must be dead for certain by then.
        Repeating it is harmless.
        """
