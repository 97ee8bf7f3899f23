"""The gates of a `MemoryStore`: who is held, who is let through, how many are out."""

import heapq
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from rota.core.gates import is_before_batch
from rota.core.model import FINAL, Run, State
from rota.stores.memory_line import Line
from rota.stores.memory_run import Runs, in_line, in_queue

OUT = frozenset({State.QUEUED, State.RUNNING})
BAD = FINAL - {State.SUCCEEDED}


class Gates:
    """Holds runs that are due, and lets them go on. Not locked: the store is."""

    def __init__(self, runs: Runs, line: Line) -> None:
        self._runs = runs
        self._line = line

    def hold(self, gate: str, *, job: str | None, tenant: str | None, limit: int) -> int:
        """Put queued runs of a job or tenant aside, those first that are next in the queue; return how many."""
        meant = (
            run for run in self._runs.standing(State.QUEUED) if job in (None, run.job) and tenant in (None, run.tenant)
        )
        held = heapq.nsmallest(limit, meant, key=in_queue)
        for run in held:
            self._runs.hold(replace(run, held_by=gate))
        return len(held)

    def held(self, gate: str, *, after: tuple[datetime, str] | None, limit: int) -> list[Run]:
        """Return up to `limit` runs that a gate holds, by (due_at, id), only those after that key."""
        return [run for run in self._runs.held(gate) if after is None or in_line(run) > after][:limit]

    def admit(
        self, gate: str, *, ids: Sequence[str] | None, limit: int, places: int | None, to: str | None
    ) -> list[str]:
        """Let runs that a gate holds go on, while there are places in the batch of its name; return their ids."""
        held = self._runs.held(gate)
        if ids is not None:
            wanted = frozenset(ids)
            held = [run for run in held if run.id in wanted]
        if places is not None:
            limit = min(limit, max(places - self._out(gate), 0))
        admitted = held[:limit]
        if to is None:
            self._line.queue(admitted)
        else:
            for run in admitted:
                self._runs.hold(replace(run, held_by=to))
        return [run.id for run in admitted]

    def behind(self, run_id: str | None, runs: list[Run], *, gate: str | None) -> list[Run]:
        """Return those of these runs that have the gate still to pass, while the run before them has ended badly; what
        is None is no condition."""
        before = None if run_id is None else self._runs.get(run_id)
        if run_id is not None and (before is None or before.state not in BAD):
            return []
        return [run for run in runs if gate is None or (run.state is State.SCHEDULED and run.held_by == gate)]

    def counts(self, batch: str) -> dict[State, int]:
        """Return how many runs of a batch stand where."""
        return dict(Counter(run.state for run in self._runs.of_batch(batch)))

    def _out(self, batch: str) -> int:
        """Return how many runs of a batch have a place."""
        return sum(self._is_out(run, batch) for run in self._runs.of_batch(batch))

    def _is_out(self, run: Run, batch: str) -> bool:
        if run.state in OUT:
            return True
        if self._runs.is_held(run):
            return run.held_by != batch and not is_before_batch(run.held_by or "", batch)
        # Scheduled, with no gate before it and no key to wait for: it waits for a retry.
        return run.state is State.SCHEDULED and run.held_by is None and run.waits_for is None
