"""What is old enough to be forgotten, for the `MemoryStore` (R72)."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from rota.core.model import Round, RoundState, Run, State
from rota.stores.memory_round import Rounds
from rota.stores.memory_run import Runs

BAD = frozenset({State.FAILED, State.CANCELLED})


class Age(Struct, frozen=True, kw_only=True):
    """How old history must be to go."""

    succeeded_before: datetime
    failed_before: datetime
    slots_before: datetime

    def forget(self, runs: Runs, rounds: Rounds, *, limit: int) -> list[Run]:
        """Delete up to `limit` old runs, and the rounds without any; return those runs."""
        old = self.old_runs(runs)[:limit]
        for run in old:
            runs.delete(run.id)
        for round_ in self.empty_rounds(rounds, runs):
            rounds.delete(round_)
        return old

    def old_runs(self, runs: Iterable[Run]) -> list[Run]:
        """Return the runs that may go, smallest id first."""
        everything = sorted(runs, key=lambda run: run.id)
        # Later ids overwrite earlier ones: what is left is the last run of each schedule and tenant.
        last = {(run.schedule, run.tenant): run.id for run in everything if run.schedule is not None}
        kept = frozenset(last.values())
        return [run for run in everything if run.id not in kept and self._is_old(run)]

    def empty_rounds(self, rounds: Iterable[Round], runs: Iterable[Run]) -> list[Round]:
        """Return the ended rounds that have no run, and are as old as their runs would have to be."""
        used = {run.round_id for run in runs}
        return [round_ for round_ in rounds if round_.id not in used and self._is_old_round(round_)]

    def _is_old(self, run: Run) -> bool:
        before = self.failed_before if run.state in BAD else self.succeeded_before
        return run.state.is_final and self._is_before(run.ended_at, run.slot, before)

    def _is_old_round(self, round_: Round) -> bool:
        before = self.failed_before if round_.state is RoundState.FAILED else self.succeeded_before
        return self._is_before(round_.ended_at, round_.slot, before)

    def _is_before(self, ended_at: datetime | None, slot: datetime | None, before: datetime) -> bool:
        return ended_at is not None and ended_at < before and (slot is None or slot < self.slots_before)
