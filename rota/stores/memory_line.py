"""How the runs of a `MemoryStore` are placed: in line for their key, for their time, at a gate, or queued."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from rota.core.fairness import turns
from rota.core.lifecycle import EXPIRED, is_expired, own_attempt
from rota.core.model import OPEN, Run, State
from rota.core.policy import Overlap
from rota.queries import InLine
from rota.stores.memory_run import Runs, in_line, without_attempt

OVERLAP_REASON = "overlap: an earlier run is not final"
REPLACED_REASON = "overlap: a later run takes its place"


class Line:
    """Puts runs where they belong, in this order: concurrency key, due time, gate, queue. Not locked: the store is."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def accept(self, runs: Iterable[Run], *, now: datetime) -> list[str]:
        """Store runs that are not known yet and place them, one after the other; return their ids, in the order
        given."""
        accepted, free, keys = [], [], set()
        for run in runs:
            if self._runs.is_known(run):
                continue
            accepted.append(run.id)
            if run.state.is_final:
                self._runs.write(run)
            elif run.concurrency_key is None:
                free.append(replace(run, state=State.SCHEDULED, waits_for=None))
                self._runs.write(free[-1])
            elif self._is_one_too_many(run):
                self._runs.write(_ended(run, State.SKIPPED, reason=OVERLAP_REASON, now=now))
            else:
                if run.overlap is Overlap.REPLACE:
                    self.stop(self._runs.sharing(run.concurrency_key), reason=REPLACED_REASON, now=now)
                # Every run with a key waits first, even the only one: who goes on is decided in one place.
                self._runs.write(replace(run, state=State.SCHEDULED, waits_for=run.concurrency_key))
                keys.add(run.concurrency_key)
        self.go_on(free, now=now)
        self.unblock(keys, now=now)
        return accepted

    def _is_one_too_many(self, run: Run) -> bool:
        """Whether the overlap policy has a run skipped."""
        match run.overlap:
            case Overlap.SKIP:
                return len(self._runs.sharing(run.concurrency_key)) > 0
            case Overlap.QUEUE_ONE:
                # Of two that are open one has the key or is the next to have it; the other one waits.
                return len(self._runs.sharing(run.concurrency_key)) > 1
            case _:
                return False

    def stop(self, runs: Iterable[Run], *, reason: str, now: datetime) -> list[Run]:
        """Cancel those that are open, running ones by asking their worker; return them. Nobody goes on for it yet."""
        stopped = [run for run in runs if run.state in OPEN]
        for run in stopped:
            if run.state is State.RUNNING:
                self._runs.write(replace(run, cancel_requested=True, reason=reason))
            else:
                self._runs.write(_ended(run, State.CANCELLED, reason=reason, now=now))
        return stopped

    def skip_held(self, runs: Iterable[Run], *, reason: str, now: datetime) -> list[str]:
        """End those as skipped that are scheduled with a gate to pass; return their ids."""
        with_gate = (run for run in runs if run.state is State.SCHEDULED and run.held_by is not None)
        return self._skip(with_gate, reason=reason, now=now)

    def expire(self, *, now: datetime, limit: int) -> list[str]:
        """End those as skipped that have not begun in time, the longest overdue first; return their ids."""
        waiting = self._runs.standing(State.SCHEDULED, State.QUEUED)
        late = [(run.expires_at, run.id, run) for run in waiting if is_expired(run, now=now)]
        first = heapq.nsmallest(limit, late, key=lambda entry: entry[:2])
        return self._skip([run for _, _, run in first], reason=EXPIRED, now=now)

    def _skip(self, runs: Iterable[Run], *, reason: str, now: datetime) -> list[str]:
        skipped = [_ended(run, State.SKIPPED, reason=reason, now=now) for run in runs]
        for run in skipped:
            self._runs.write(run)
        # After the last one: a run of the same key that is skipped too must not go on in between.
        self.free(skipped, now=now)
        return [run.id for run in skipped]

    def open_again(
        self,
        runs: Sequence[Run],
        *,
        reason: str,
        held_by: str | None,
        batch: str | None,
        lines: Mapping[str, InLine],
        now: datetime,
    ) -> None:
        """Place ended runs anew, with all their attempts."""
        opened = []
        for run in runs:
            if run.outcome is not None:
                self._runs.append(own_attempt(run))
            line = lines.get(run.id)
            key = run.concurrency_key if line is None else line.key
            anew = replace(
                without_attempt(run),
                state=State.SCHEDULED,
                concurrency_key=key,
                waits_for=key,
                held_by=held_by,
                batch=batch if run.part is None else run.batch,
                expires_at=None,
                due_at=(run.slot or now) if line is None else line.due_at,
                attempt=0,
                lost_count=0,
                cancel_requested=False,
                reason=reason,
            )
            self._runs.write(anew)
            opened.append(anew)
        self.go_on([run for run in opened if run.concurrency_key is None], now=now)
        self.free(opened, now=now)

    def free(self, runs: Iterable[Run], *, now: datetime) -> None:
        """Let the next go on of each concurrency key that these runs have."""
        self.unblock({run.concurrency_key for run in runs if run.concurrency_key is not None}, now=now)

    def unblock(self, keys: Iterable[str], *, now: datetime) -> int:
        """Let the first waiting run of each key go on that no other open run holds; return how many."""
        first = []
        for key in keys:
            line = self._runs.sharing(key)
            if line and all(run.waits_for is not None for run in line):
                first.append(min(line, key=in_line))
        first.sort(key=in_line)
        self.go_on(first, now=now)
        return len(first)

    def waited_for(self) -> set[str]:
        """Return the concurrency keys that runs wait for."""
        return {run.waits_for for run in self._runs.standing(State.SCHEDULED) if run.waits_for is not None}

    def promote(self, *, now: datetime, limit: int) -> int:
        """Let scheduled runs go on that came due, wait for nothing else and are not held yet, the longest due first;
        return how many."""
        due = [
            run
            for run in self._runs.standing(State.SCHEDULED)
            if run.due_at <= now and run.waits_for is None and run.limited_by is None and not self._runs.is_held(run)
        ]
        first = heapq.nsmallest(limit, due, key=in_line)
        self.go_on(first, now=now)
        return len(first)

    def go_on(self, runs: Sequence[Run], *, now: datetime) -> None:
        """Place runs that wait for no concurrency key: those of the future are scheduled for their time, those with a
        gate to pass are held there, the others queued in the order given."""
        due = []
        for run in runs:
            if run.due_at > now:
                self._runs.write(replace(run, state=State.SCHEDULED, waits_for=None))
            elif run.held_by is not None:
                self._runs.hold(run)
            else:
                due.append(run)
        self.queue(due)

    def queue(self, runs: Sequence[Run]) -> None:
        """Queue runs, each with its turn, in the order given. They have passed every gate."""
        for queue in dict.fromkeys(run.queue for run in runs):
            self._take_turns(queue, [run for run in runs if run.queue == queue])

    def _take_turns(self, queue: str, runs: list[Run]) -> None:
        waiting = [run for run in self._runs.standing(State.QUEUED) if run.queue == queue]
        aside = [
            run for run in self._runs.standing(State.SCHEDULED) if run.queue == queue and run.limited_by is not None
        ]
        last_turns: dict[str, float] = {}
        # Behind those of its own that a limit holds back, or it would overtake them.
        for run in waiting + aside:
            if run.tenant is not None:
                last_turns[run.tenant] = max(run.turn, last_turns.get(run.tenant, run.turn))
        queue_turn = min((run.turn for run in waiting), default=0.0)
        weights = {run.tenant: run.weight for run in runs if run.tenant is not None}
        given = turns(queue_turn, last_turns, [run.tenant for run in runs], weights=weights)
        for run, turn in zip(runs, given, strict=True):
            self._runs.write(replace(run, state=State.QUEUED, waits_for=None, held_by=None, turn=turn))


def _ended(run: Run, state: State, *, reason: str, now: datetime) -> Run:
    """Return a run that ends without another attempt: it waits for nothing any more."""
    return replace(run, state=state, reason=reason, ended_at=now, waits_for=None, held_by=None, limited_by=None)
