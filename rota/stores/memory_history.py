"""What a `MemoryStore` tells of its runs and rounds as a whole."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from rota.core.model import OPEN, Round, Run, RunKind, SlotState, State
from rota.queries import Counts
from rota.stores.memory_query import within
from rota.stores.memory_run import Runs


def rounds_of(runs: Iterable[Run], tenants: Sequence[str]) -> frozenset[str | None] | None:
    """Return the ids of the rounds that have a run of one of these tenants; None where none is named."""
    return frozenset(run.round_id for run in runs if run.tenant in tenants) if tenants else None


def round_counts(
    runs: Iterable[Run], round_ids: Sequence[str], tenants: Sequence[str] = ()
) -> dict[str, dict[State, int]]:
    """Return how many job runs of each round stand where."""
    answer: dict[str, dict[State, int]] = {}
    wanted = frozenset(round_ids)
    for run in runs:
        if run.round_id in wanted and run.kind is RunKind.JOB and (not tenants or run.tenant in tenants):
            counts = answer.setdefault(run.round_id, {})
            counts[run.state] = counts.get(run.state, 0) + 1
    return answer


def slot_states(runs: Iterable[Run], schedule: str, *, since: datetime, until: datetime) -> list[SlotState]:
    """Return the newest run of each slot and tenant, by slot and tenant."""
    newest: dict[tuple[datetime, str], SlotState] = {}
    for run in sorted(runs, key=lambda run: run.id):
        if run.schedule != schedule or run.kind is not RunKind.JOB or run.slot is None:
            continue
        if within(run.slot, since, until):
            newest[run.slot, run.tenant or ""] = SlotState(run.slot, run.tenant, run.state, run.id)
    return [newest[key] for key in sorted(newest)]


def finished_rounds(rounds: Iterable[Round], runs: Runs) -> Iterator[Round]:
    """Yield rounds without an open run that are not ended yet, in no order."""
    busy = {run.round_id for run in runs.standing(*OPEN)}
    known = {run.round_id for run in runs}
    for round_ in rounds:
        if round_.ended_at is None and round_.id not in busy and (round_.expanded or round_.id in known):
            yield round_


def open_counts(runs: Runs, *, jobs: frozenset[str] | None = None, tenants: frozenset[str] | None = None) -> Counts:
    """Return how many open runs stand where."""
    return counts_of(
        run
        for run in runs.standing(*OPEN)
        if (jobs is None or run.job in jobs) and (tenants is None or run.tenant in tenants)
    )


def counts_of(runs: Iterable[Run]) -> Counts:
    """Return how many of these open runs stand where."""
    by_queue: dict[str, Counter[State]] = {}
    oldest: dict[str, datetime] = {}
    waiting = 0
    for run in runs:
        by_queue.setdefault(run.queue, Counter())[run.state] += 1
        waiting += run.waits_for is not None
        if run.state is State.QUEUED:
            oldest[run.queue] = min(run.due_at, oldest.get(run.queue, run.due_at))
    return Counts(
        by_queue={queue: dict(counter) for queue, counter in by_queue.items()},
        waiting=waiting,
        oldest_queued_at=min(oldest.values(), default=None),
        oldest_by_queue=oldest,
    )
