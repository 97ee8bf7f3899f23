"""Which runs a retry or a cancellation is for."""

from collections.abc import Sequence

from rota.app import Rota
from rota.core.model import FINAL, OPEN, Round, RunKind, State
from rota.queries import RunQuery
from rota.views.flows import runs_of_flow
from rota.views.rounds import RETRIABLE
from rota.views.runs import RunRow, all_runs, find, run_row


def retriable(
    app: Rota,
    ids: Sequence[str],
    *,
    tenants: Sequence[str] | None = None,
    exclude: Sequence[str] = (),
    states: Sequence[State] = (),
) -> list[RunRow]:
    """Return the ended runs that ids of runs, rounds and flows stand for: of the latter what failed or was cancelled.

    A round whose tenants could not be listed stands for its expansion. `tenants` and `exclude` narrow rounds; `states`
    says which ended runs are meant, of a round and of those named. Each run once, as it is now.

    Raises:
        RunOrRoundNotFound: an id is neither.
    """
    found: dict[str, RunRow] = {}
    for text in ids:
        of_flow = runs_of_flow(app, text)
        if of_flow:
            found |= {run.id: run_row(run) for run in of_flow if run.state in (states or RETRIABLE)}
            continue
        named = find(app, text)
        if not isinstance(named, Round):
            if named.run.state in (states or FINAL):
                found[named.run.id] = run_row(named.run)
            continue
        for run in all_runs(app, RunQuery(round_id=named.id, states=tuple(states) or RETRIABLE, kind=None)):
            wanted = (tenants is None or run.tenant in tenants) and run.tenant not in exclude
            # The tenants were listed if its expansion succeeded, and need not be listed again.
            listing = run.kind is RunKind.EXPANSION and run.state in RETRIABLE
            if listing or (run.kind is RunKind.JOB and wanted):
                found[run.id] = run_row(run)
    return list(found.values())


def cancellable(app: Rota, ids: Sequence[str]) -> list[RunRow]:
    """Return the runs that ids of runs, rounds and flows stand for and that are not over, expansions included.

    Raises:
        RunOrRoundNotFound: an id is neither.
    """
    found: list[RunRow] = []
    for text in ids:
        of_flow = runs_of_flow(app, text)
        named = None if of_flow else find(app, text)
        if named is None:
            # What comes last first: it must not be opened by the end of what is before it.
            found += [run_row(run) for run in reversed(of_flow) if not run.state.is_final]
        elif isinstance(named, Round):
            found += [run_row(run) for run in all_runs(app, RunQuery(round_id=named.id, states=tuple(OPEN), kind=None))]
        elif not named.run.state.is_final:
            found.append(run_row(named.run))
    return found
