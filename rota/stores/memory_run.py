"""The runs of a `MemoryStore`, and how they come to be queued."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from rota.core.fairness import turns
from rota.core.model import OPEN, Attempt, Outcome, Overlap, Run, RunHistory, State

OVERLAP_REASON = "overlap: an earlier run is not final"


class Runs:
    """Runs by id, with their attempts. Not locked: the store is.

    Each run is written by `write` alone, which keeps what is looked up often: the runs of each state, and the open
    runs of each concurrency key.
    """

    def __init__(self) -> None:
        self.times_queued: int = 0
        """Grows whenever a run becomes queued: something for a waiting worker."""
        self._by_id: dict[str, Run] = {}
        self._by_state: dict[State, set[str]] = {state: set() for state in State}
        self._open_by_key: dict[str, set[str]] = {}
        self._dedupe_keys: set[str] = set()
        self._attempts: dict[str, list[Attempt]] = {}

    def __iter__(self) -> Iterator[Run]:
        return iter(self._by_id.values())

    def get(self, run_id: str) -> Run | None:
        return self._by_id.get(run_id)

    def named(self, ids: Iterable[str]) -> list[Run]:
        """Return the runs that are there, each once, in the order given."""
        return [self._by_id[run_id] for run_id in dict.fromkeys(ids) if run_id in self._by_id]

    def standing(self, *states: State) -> list[Run]:
        """Return the runs in these states, in no order."""
        return [self._by_id[run_id] for state in states for run_id in self._by_state[state]]

    def write(self, run: Run) -> None:
        """Put a run in the place of what was there."""
        self._forget(run.id)
        self._by_id[run.id] = run
        self._by_state[run.state].add(run.id)
        if run.dedupe_key is not None:
            self._dedupe_keys.add(run.dedupe_key)
        if run.concurrency_key is not None and run.state in OPEN:
            self._open_by_key.setdefault(run.concurrency_key, set()).add(run.id)
        if run.state is State.QUEUED:
            self.times_queued += 1

    def delete(self, run_id: str) -> None:
        """Delete a run with its attempts; its dedupe key may come again."""
        self._forget(run_id)
        self._attempts.pop(run_id, None)

    def _forget(self, run_id: str) -> None:
        run = self._by_id.pop(run_id, None)
        if run is None:
            return
        self._by_state[run.state].discard(run_id)
        if run.dedupe_key is not None:
            self._dedupe_keys.discard(run.dedupe_key)
        if run.concurrency_key in self._open_by_key:
            self._open_by_key[run.concurrency_key].discard(run_id)
            if not self._open_by_key[run.concurrency_key]:
                del self._open_by_key[run.concurrency_key]

    # --- the way into the queue ---

    def accept(self, runs: Iterable[Run], *, now: datetime) -> list[str]:
        """Store runs that are not known yet and place them; return their ids, in the order given."""
        accepted, free, keys = [], [], set()
        for run in runs:
            if run.id in self._by_id or run.dedupe_key in self._dedupe_keys:
                continue
            accepted.append(run.id)
            if run.state.is_final:
                self.write(run)
            elif run.concurrency_key is None:
                free.append(replace(run, state=State.SCHEDULED, waits_for=None))
                self.write(free[-1])
            elif run.overlap is Overlap.SKIP and run.concurrency_key in self._open_by_key:
                self.write(replace(run, state=State.SKIPPED, reason=OVERLAP_REASON, ended_at=now, waits_for=None))
            else:
                # Every run with a key waits first, even the only one: who goes on is decided in one place.
                self.write(replace(run, state=State.SCHEDULED, waits_for=run.concurrency_key))
                keys.add(run.concurrency_key)
        self.go_on(free, now=now)
        self.unblock(keys, now=now)
        return accepted

    def unblock(self, keys: Iterable[str], *, now: datetime) -> int:
        """Let the first waiting run of each key go on that no other open run holds; return how many."""
        first = []
        for key in keys:
            line = [self._by_id[run_id] for run_id in self._open_by_key.get(key, ())]
            if line and all(run.waits_for is not None for run in line):
                first.append(min(line, key=in_line))
        first.sort(key=in_line)
        self.go_on(first, now=now)
        return len(first)

    def waited_for(self) -> set[str]:
        """Return the concurrency keys that runs wait for."""
        return {run.waits_for for run in self.standing(State.SCHEDULED) if run.waits_for is not None}

    def go_on(self, runs: Sequence[Run], *, now: datetime) -> None:
        """Queue what is due, with its turn in the order given; schedule the rest for its time."""
        for run in runs:
            if run.due_at > now:
                self.write(replace(run, state=State.SCHEDULED, waits_for=None))
        due = [run for run in runs if run.due_at <= now]
        for queue in dict.fromkeys(run.queue for run in due):
            self._take_turns(queue, [run for run in due if run.queue == queue])

    def _take_turns(self, queue: str, runs: list[Run]) -> None:
        waiting = [run for run in self.standing(State.QUEUED) if run.queue == queue]
        last_turns: dict[str, float] = {}
        for run in waiting:
            if run.tenant is not None:
                last_turns[run.tenant] = max(run.turn, last_turns.get(run.tenant, run.turn))
        queue_turn = min((run.turn for run in waiting), default=0.0)
        given = turns(queue_turn, last_turns, [run.tenant for run in runs])
        for run, turn in zip(runs, given, strict=True):
            self.write(replace(run, state=State.QUEUED, waits_for=None, turn=turn))

    # --- attempts ---

    def append(self, attempt: Attempt) -> None:
        """Record an attempt that did not end its run."""
        self._attempts.setdefault(attempt.run_id, []).append(attempt)

    def history(self, run: Run) -> RunHistory:
        """Return a run with its attempts, the one on its own row last."""
        own = () if run.claimed_at is None else (attempt_of(run),)
        return RunHistory(run=run, attempts=(*self._attempts.get(run.id, ()), *own))

    def attempt(self, run: Run, token: int) -> Attempt | None:
        """Return the attempt that was made under this token."""
        for attempt in self.history(run).attempts:
            if attempt.token == token:
                return attempt
        return None

    def supersede(self, run: Run, token: int) -> None:
        """Note that an attempt which was given up for lost came back, too late."""
        attempts = self._attempts.get(run.id, [])
        self._attempts[run.id] = [
            replace(attempt, outcome=Outcome.SUPERSEDED) if attempt.token == token else attempt for attempt in attempts
        ]
        if run.token == token and run.outcome is Outcome.LOST:
            self.write(replace(run, outcome=Outcome.SUPERSEDED))


def in_line(run: Run) -> tuple[datetime, str]:
    """Sort as runs wait for their time or their concurrency key."""
    return run.due_at, run.id


def in_queue(run: Run) -> tuple[int, float, str]:
    """Sort as runs are claimed."""
    return -run.priority, run.turn, run.id


def attempt_of(run: Run) -> Attempt:
    """Return the attempt that stands on the run's own row."""
    return Attempt(
        run_id=run.id,
        token=run.token,
        owner=run.owner,
        claimed_at=run.claimed_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        outcome=run.outcome,
        error=run.error,
    )


def without_attempt(run: Run) -> Run:
    """Return a run whose row holds no attempt: nobody has it, nothing ended it."""
    return replace(
        run,
        owner=None,
        lease_until=None,
        claimed_at=None,
        started_at=None,
        ended_at=None,
        outcome=None,
        error=None,
        result=None,
        done=None,
        total=None,
    )
