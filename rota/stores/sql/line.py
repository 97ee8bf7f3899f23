"""The line of a concurrency key: who of the new runs goes first, who waits, and whom the overlap policy leaves out."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from rota.core.model import Run, State
from rota.core.policy import Overlap
from rota.stores.sql import keys, stopping
from rota.stores.sql.database import Link

OVERLAP_REASON = "overlap: an earlier run is not final"
REPLACED_REASON = "overlap: a later run takes its place"


def in_line(link: Link, runs: Sequence[Run], *, now: datetime) -> tuple[list[Run], list[Run], list[Run]]:
    """Divide runs with concurrency keys into those that go first, by (due_at, id), those that wait, and those that are
    skipped, or replaced by a later one of the same call. Open runs that are replaced are cancelled."""
    open_now = dict.fromkeys(keys.open_keys(link, _keys(runs)), 1)
    doubted = _keys(runs, Overlap.QUEUE_ONE) & open_now.keys()
    if doubted:
        open_now |= keys.open_counts(link, doubted)
    left: dict[str, int] = {}
    replaced = _keys(runs, Overlap.REPLACE) & open_now.keys()
    if replaced:
        left = _replace(link, replaced, now)
    taken = {key for key in open_now if left.get(key, 1)}
    lines: dict[str, list[Run]] = {}
    out: list[Run] = []
    for run in runs:
        key = run.concurrency_key or ""
        number = open_now.get(key, 0)
        if number > _most_open(run.overlap):
            out.append(_ended(run, State.SKIPPED, OVERLAP_REASON, now))
            continue
        if run.overlap is Overlap.REPLACE:
            out += [_ended(other, State.CANCELLED, REPLACED_REASON, now) for other in lines.pop(key, ())]
            number = left.get(key, 0)
        lines.setdefault(key, []).append(run)
        open_now[key] = number + 1
    first = {key: min(line, key=place) for key, line in lines.items() if key not in taken}
    going = {run.id for run in first.values()}
    behind = [run for line in lines.values() for run in line if run.id not in going]
    return sorted(first.values(), key=place), behind, out


def place(run: Run) -> tuple[datetime, str]:
    """Sort as runs wait for their concurrency key."""
    return run.due_at, run.id


def _keys(runs: Iterable[Run], overlap: Overlap | None = None) -> set[str]:
    return {run.concurrency_key for run in runs if run.concurrency_key and overlap in (None, run.overlap)}


def _most_open(overlap: Overlap) -> float:
    """Return of how many open runs of its key a run may stand behind."""
    match overlap:
        case Overlap.SKIP:
            return 0
        case Overlap.QUEUE_ONE:
            # Of two that are open one has the key or is the next to have it; the other one waits.
            return 1
        case _:
            return float("inf")


def _replace(link: Link, names: Iterable[str], now: datetime) -> dict[str, int]:
    """Cancel the open runs of these keys; return for each how many are still running."""
    left = dict.fromkeys(names, 0)
    for _, state, key in stopping.stop(link, keys.sharing(link, left), reason=REPLACED_REASON, now=now):
        left[key] += state == State.RUNNING.value
    return left


def _ended(run: Run, state: State, reason: str, now: datetime) -> Run:
    """Return a run that ends without an attempt: it waits for nothing."""
    return replace(run, state=state, reason=reason, ended_at=now, held_by=None)
