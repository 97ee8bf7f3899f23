"""The runs of a `MemoryStore`."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec.structs import replace

from rota.core.lifecycle import own_attempt
from rota.core.model import OPEN, Attempt, Note, Outcome, Run, RunHistory, State
from rota.queries import RunQuery
from rota.stores.memory_query import is_run_meant


class Runs:
    """Runs by id, with their attempts. Not locked: the store is.

    Each run is written by `write` and `hold` alone, which keep what is looked up often: the runs of each state, the
    open runs of each concurrency key, those that each gate holds, and those of each batch.
    """

    def __init__(self) -> None:
        self.times_queued: int = 0
        """Grows whenever a run becomes queued: something for a waiting worker."""
        self._by_id: dict[str, Run] = {}
        self._by_state: dict[State, set[str]] = {state: set() for state in State}
        self._open_by_key: dict[str, set[str]] = {}
        self._held_by_gate: dict[str, set[str]] = {}
        self._by_batch: dict[str, set[str]] = {}
        self._dedupe_keys: set[str] = set()
        self._attempts: dict[str, list[Attempt]] = {}

    def __iter__(self) -> Iterator[Run]:
        return iter(self._by_id.values())

    def get(self, run_id: str) -> Run | None:
        return self._by_id.get(run_id)

    def named(self, ids: Iterable[str]) -> list[Run]:
        """Return the runs that are there, each once, in the order given."""
        return [self._by_id[run_id] for run_id in dict.fromkeys(ids) if run_id in self._by_id]

    def meant(self, query: RunQuery) -> Iterator[Run]:
        """Yield the runs asked for, in no order, by the narrowest index there is."""
        if query.ids:
            return (run for run in self.named(query.ids) if is_run_meant(run, replace(query, ids=())))
        among = self if query.batch is None else self.of_batch(query.batch)
        return (run for run in among if is_run_meant(run, query))

    def standing(self, *states: State) -> list[Run]:
        """Return the runs in these states, in no order."""
        return [self._by_id[run_id] for state in states for run_id in self._by_state[state]]

    def is_known(self, run: Run) -> bool:
        """Whether a run with this id or this dedupe key is there."""
        return run.id in self._by_id or run.dedupe_key in self._dedupe_keys

    def sharing(self, key: str | None) -> list[Run]:
        """Return the open runs of a concurrency key, in no order."""
        return [self._by_id[run_id] for run_id in self._open_by_key.get(key or "", ())]

    def gates(self) -> list[str]:
        """Return by what gates runs are held, sorted."""
        return sorted(self._held_by_gate)

    def held(self, gate: str | None) -> list[Run]:
        """Return the runs that a gate holds, by (due_at, id). A run that waits for its time, or for its concurrency
        key, has its gate before it and is not held yet."""
        return sorted((self._by_id[run_id] for run_id in self._held_by_gate.get(gate or "", ())), key=in_line)

    def of_batch(self, batch: str) -> list[Run]:
        """Return the runs of a batch, in no order."""
        return [self._by_id[run_id] for run_id in self._by_batch.get(batch, ())]

    def is_held(self, run: Run) -> bool:
        """Whether its gate holds it now."""
        return run.id in self._held_by_gate.get(run.held_by or "", ())

    def hold(self, run: Run) -> None:
        """Write a run that its gate holds from now on, until it is written again."""
        if run.held_by is None:
            raise ValueError(f"run {run.id} has no gate to pass")
        self.write(replace(run, state=State.SCHEDULED, waits_for=None))
        self._held_by_gate.setdefault(run.held_by, set()).add(run.id)

    def write(self, run: Run) -> None:
        """Put a run in the place of what was there."""
        self._forget(run.id)
        self._by_id[run.id] = run
        self._by_state[run.state].add(run.id)
        if run.dedupe_key is not None:
            self._dedupe_keys.add(run.dedupe_key)
        if run.concurrency_key is not None and run.state in OPEN:
            self._open_by_key.setdefault(run.concurrency_key, set()).add(run.id)
        if run.batch is not None:
            self._by_batch.setdefault(run.batch, set()).add(run.id)
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
        _take_out(self._open_by_key, run.concurrency_key, run_id)
        _take_out(self._held_by_gate, run.held_by, run_id)
        _take_out(self._by_batch, run.batch, run_id)

    # --- attempts ---

    def give_back(self, run: Run, *, now: datetime) -> None:
        """Queue a running run again, its attempt not counted; one that had begun is appended to the attempts."""
        if run.started_at is not None:
            self.append(own_attempt(replace(run, outcome=Outcome.INTERRUPTED, ended_at=now)))
        self.write(replace(without_attempt(run), state=State.QUEUED, attempt=run.attempt - 1))

    def tell(self, note: Note) -> bool:
        """Write how far an attempt has come, while it stands on the run's own row; say whether the run is there."""
        run = self.get(note.run_id)
        if run is None:
            return False
        if note.done is not None and run.claimed_at is not None and run.token == note.token:
            self.write(replace(run, done=note.done, total=note.total))
        return True

    def append(self, attempt: Attempt) -> None:
        """Record an attempt that did not end its run."""
        self._attempts.setdefault(attempt.run_id, []).append(attempt)

    def history(self, run: Run) -> RunHistory:
        """Return a run with its attempts, the one on its own row last."""
        own = () if run.claimed_at is None else (own_attempt(run),)
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


def _take_out(ids_by_name: dict[str, set[str]], name: str | None, run_id: str) -> None:
    if name is not None and name in ids_by_name:
        ids_by_name[name].discard(run_id)
        if not ids_by_name[name]:
            del ids_by_name[name]


def in_line(run: Run) -> tuple[datetime, str]:
    """Sort as runs wait for their time or their concurrency key."""
    return run.due_at, run.id


def in_queue(run: Run) -> tuple[int, float, str]:
    """Sort as runs are claimed."""
    return -run.priority, run.turn, run.id


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
