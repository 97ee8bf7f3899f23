"""Which runs a retry or a cancellation is for."""

from collections.abc import Sequence

from rota.app import Rota
from rota.core.model import OPEN, Round, RunKind, State
from rota.ports import RunQuery
from rota.views.runs import RunRow, all_runs, find, run_row


def retriable(
    app: Rota, ids: Sequence[str], *, tenants: Sequence[str] | None = None, exclude: Sequence[str] = ()
) -> list[RunRow]:
    """Return the ended runs that ids of runs and rounds stand for: of a round, what failed or was cancelled.

    A round whose tenants could not be listed stands for its expansion. `tenants` and `exclude` narrow rounds.

    Raises:
        RunNotFound: an id is neither.
    """
    found: list[RunRow] = []
    for text in ids:
        named = find(app, text)
        if not isinstance(named, Round):
            if named.run.state.is_final:
                found.append(run_row(named.run))
            continue
        failed = RunQuery(round_id=named.id, states=(State.FAILED, State.CANCELLED), kind=None)
        for run in all_runs(app, failed):
            wanted = (tenants is None or run.tenant in tenants) and run.tenant not in exclude
            if run.kind is RunKind.EXPANSION or wanted:
                found.append(run_row(run))
    return found


def cancellable(app: Rota, ids: Sequence[str]) -> list[RunRow]:
    """Return the runs that ids of runs and rounds stand for and that are not over, expansions included.

    Raises:
        RunNotFound: an id is neither.
    """
    found: list[RunRow] = []
    for text in ids:
        named = find(app, text)
        if isinstance(named, Round):
            found += [run_row(run) for run in all_runs(app, RunQuery(round_id=named.id, states=tuple(OPEN), kind=None))]
        elif not named.run.state.is_final:
            found.append(run_row(named.run))
    return found
