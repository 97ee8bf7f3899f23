"""How a `MemoryStore` writes down what became of an attempt."""

from datetime import datetime

from msgspec.structs import replace

from rota.core.lifecycle import own_attempt
from rota.core.model import Outcome, Run, Settlement, State
from rota.stores.memory_alerts import Signals
from rota.stores.memory_errors import Errors
from rota.stores.memory_line import Line
from rota.stores.memory_progress import ProgressBook
from rota.stores.memory_round import Rounds
from rota.stores.memory_run import Runs, without_attempt


class Ledger:
    """Applies settlements: run, attempt, progress, round, and who goes on. Not locked: the store is."""

    def __init__(
        self, runs: Runs, line: Line, rounds: Rounds, progress: ProgressBook, errors: Errors, signals: Signals
    ) -> None:
        self._runs = runs
        self._line = line
        self._rounds = rounds
        self._progress = progress
        self._errors = errors
        self._signals = signals

    def apply(self, settlement: Settlement, *, now: datetime) -> bool:
        """Apply one settlement, and say whether it is applied now."""
        run, token = self._runs.get(settlement.run.id), settlement.run.token
        if run is None:
            return False
        lease_moved = settlement.lease_until not in (None, run.lease_until)
        if run.state is not State.RUNNING or run.token != token or lease_moved:
            return self._was_applied(run, settlement)
        ended = replace(
            run,
            state=settlement.state,
            due_at=_due_at(run, settlement),
            attempt=settlement.attempt,
            lost_count=settlement.lost_count,
            started_at=settlement.started_at,
            ended_at=settlement.ended_at,
            outcome=settlement.outcome,
            error=settlement.error,
            result=settlement.result,
            reason=settlement.reason or run.reason,
            lease_until=None,
        )
        if ended.state.is_final:
            self._runs.write(ended)
            self._progress.move(ended, settlement.expected)
            self._line.free([ended], now=now)
        else:
            self._runs.append(own_attempt(ended))
            self._runs.write(without_attempt(ended))
        if settlement.expanded is not None:
            self._rounds.expand(run.round_id, settlement.expanded)
        self._errors.count([settlement])
        self._signals.add([settlement])
        return True

    def _was_applied(self, run: Run, settlement: Settlement) -> bool:
        """Whether an earlier try of the same call has applied this settlement. If not, it comes too late."""
        recorded = self._runs.attempt(run, settlement.run.token)
        if recorded is None:
            return False
        if (recorded.outcome, recorded.ended_at) == (settlement.outcome, settlement.ended_at):
            return True
        if recorded.outcome is Outcome.LOST and settlement.outcome is not Outcome.LOST:
            self._runs.supersede(run, settlement.run.token)
        return False


def _due_at(run: Run, settlement: Settlement) -> datetime:
    if settlement.state.is_final:
        return run.due_at
    # One that was asked to stop while it ran does not wait for an attempt that never begins.
    return settlement.ended_at if run.cancel_requested else settlement.due_at
