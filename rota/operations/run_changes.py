"""What is changed about runs: they are run again, or cancelled."""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from rota.app import Rota
from rota.core.access import Capability
from rota.core.model import FINAL, OPEN, Run, State
from rota.errors import BadRequest, Refused, RunNotFound, TenantNotFound
from rota.operations.operation import Desk, Question, operation
from rota.operations.searching import cut_warnings, searched
from rota.queries import RunQuery
from rota.reopening import named_runs
from rota.views.chosen import chosen, excluded
from rota.views.rounds import RETRIABLE
from rota.views.runs import RunRow, run_row
from rota.views.search import all_hits
from rota.views.selection import cancellable, retriable

BATCH = 500
"""Runs that are changed in one transaction."""

RETRIED = "retried by an operator"
CANCELLED = "cancelled by an operator"


class Changed(Struct, frozen=True, kw_only=True):
    """Runs that a change is meant for, and those that it was made of."""

    as_of: datetime
    """When it was decided which ones are meant: what comes later is not among them."""
    meant: list[str]
    """Their ids."""
    done: list[str] = []
    """The ids of those that were changed; fewer, where somebody else was faster."""
    runs: list[RunRow] = []
    """Those that are meant, as they were before, where `rows` asks for it."""
    warnings: list[str] = []


class Selected(Question, frozen=True, kw_only=True):
    """Which runs: by their ids, or by a search, as of now."""

    runs: tuple[str, ...] = ()
    """Ids of runs, rounds, chains or batches, or beginnings of ids."""
    where: str = ""
    """A search, as in `job:sync error:timeout since:1d`; times in it are read in `zone`."""
    zone: str = "UTC"
    dry_run: bool = False
    """Only tell which are meant. To do it to just these, name their ids then: at most some 20,000 at a time."""
    rows: bool = False
    """Tell of each run that is meant, not only its id."""


class RetryAsked(Selected, frozen=True, kw_only=True):
    """Which ended runs are to run again."""

    tenants: tuple[str, ...] = ()
    """Only these of a round: ids, or `@tag` for all that have it."""
    exclude: tuple[str, ...] = ()
    """Not these of a round."""
    states: tuple[State, ...] = ()
    """Only those that ended so. Without: of rounds, chains and batches what failed or was cancelled."""
    canary: str | None = None
    """The run of this tenant goes first; the others only if it succeeds."""
    reason: str = RETRIED
    """Kept with the runs and in the audit."""


@operation("POST", "/api/v1/runs/retry", needs=Capability.MANAGE)
def retry_runs(desk: Desk, asked: RetryAsked) -> Changed:
    """Run ended runs again, with all their attempts anew.

    A search means what it matches now and what has ended; of more than 500 it opens batch after batch.
    """
    if asked.where and (asked.tenants or asked.exclude or asked.states or asked.canary):
        raise BadRequest("where", "it says all of it, as in tenant:acme state:failed; a canary is for rounds")

    def retry(ids: Sequence[str]) -> list[str]:
        return desk.app.retry(ids, canary=asked.canary, reason=asked.reason, actor=desk.actor)

    return _changed(asked, _to_retry(desk.app, asked), retry)


class CancelAsked(Selected, frozen=True, kw_only=True):
    """Which runs are not to go on."""

    reason: str = CANCELLED
    """Kept with the runs and in the audit."""


@operation("POST", "/api/v1/runs/cancel", needs=Capability.MANAGE)
def cancel_runs(desk: Desk, asked: CancelAsked) -> Changed:
    """Cancel runs that are not over: waiting ones at once, running ones are asked to stop.

    A round, chain or batch stands for all such runs of it. A search means what it matches now and what is not over.
    """

    def cancel(ids: Sequence[str]) -> list[str]:
        return desk.app.cancel(ids, reason=asked.reason, actor=desk.actor)

    return _changed(asked, _to_cancel(desk.app, asked), cancel)


class RetryOne(Question, frozen=True, kw_only=True):
    """Which run is to run again."""

    id: str
    reason: str = RETRIED
    """Kept with the run and in the audit."""


@operation("POST", "/api/v1/runs/{id}/retry", needs=Capability.MANAGE)
def retry_run(desk: Desk, asked: RetryOne) -> RunRow:
    """Run a run again that has ended, with all its attempts anew; return it as it is then."""
    run = _run(desk.app, asked.id)
    if not run.state.is_final:
        raise Refused(f"run {run.id} is {run.state}: it has not ended")
    desk.app.retry([run.id], reason=asked.reason, actor=desk.actor)
    return run_row(_run(desk.app, run.id))


class CancelOne(Question, frozen=True, kw_only=True):
    """Which run is not to go on."""

    id: str
    reason: str = CANCELLED
    """Kept with the run and in the audit."""


@operation("POST", "/api/v1/runs/{id}/cancel", needs=Capability.MANAGE)
def cancel_run(desk: Desk, asked: CancelOne) -> RunRow:
    """Cancel a run that is not over; return it as it is then. A running one is asked to stop, and ends when it does."""
    run = _run(desk.app, asked.id)
    if run.state.is_final:
        raise Refused(f"run {run.id} is {run.state}: it is over already")
    desk.app.cancel([run.id], reason=asked.reason, actor=desk.actor)
    return run_row(_run(desk.app, run.id))


class _Meant(Struct, frozen=True, kw_only=True):
    """What a selection stands for, now."""

    as_of: datetime
    runs: Sequence[Run] | Sequence[RunRow]
    warnings: list[str] = []


def _to_retry(app: Rota, asked: RetryAsked) -> _Meant:
    _check(asked)
    if asked.where:
        return _matching(app, asked, states=RETRIABLE, wanted=FINAL)
    only, without = chosen(app, asked.tenants), excluded(app, asked.exclude)
    _check_tenants(app, only or ())
    exact = named_runs(app.store, asked.runs)
    # Who names what a dry run told names it to the digit: thousands are one question then.
    if len(exact) == len(set(asked.runs)):
        ended = [run for run in exact if run.state in (asked.states or FINAL)]
        return _Meant(as_of=app.clock.now(), runs=ended)
    found = retriable(app, asked.runs, tenants=only, exclude=without, states=asked.states)
    return _Meant(as_of=app.clock.now(), runs=found)


def _check_tenants(app: Rota, names: Sequence[str]) -> None:
    """Refuse a name that no tenant has or had (R14): it would be said that nothing has failed for it."""
    listed = [tenant.id for tenant in app.list_tenants()] if names else []
    for name in names:
        if name not in listed and not app.store.runs(RunQuery(tenants=(name,), limit=1)):
            raise TenantNotFound(name, known=listed)


def _to_cancel(app: Rota, asked: CancelAsked) -> _Meant:
    _check(asked)
    if asked.where:
        return _matching(app, asked, states=tuple(OPEN), wanted=OPEN)
    exact = named_runs(app.store, asked.runs)
    if len(exact) == len(set(asked.runs)):
        return _Meant(as_of=app.clock.now(), runs=[run for run in exact if run.state in OPEN])
    return _Meant(as_of=app.clock.now(), runs=cancellable(app, asked.runs))


def _check(asked: Selected) -> None:
    if bool(asked.runs) is bool(asked.where):
        raise BadRequest("where", "name runs, or say a search, and not both")


def _matching(app: Rota, asked: Selected, *, states: tuple[State, ...], wanted: frozenset[State]) -> _Meant:
    """Return the runs that a search means, in these states where it names none itself, and of them the wanted ones."""
    search = searched(app, asked.where, zone=asked.zone)
    hits = all_hits(app, search, base=RunQuery() if search.named("state") else RunQuery(states=states))
    runs = [run for run in hits.runs if run.state in wanted]
    return _Meant(as_of=app.clock.now(), runs=runs, warnings=cut_warnings(hits))


def _changed(asked: Selected, meant: _Meant, act: Callable[[Sequence[str]], list[str]]) -> Changed:
    ids = [run.id for run in meant.runs]
    rows = [run_row(run) if isinstance(run, Run) else run for run in meant.runs] if asked.rows else []
    told = Changed(as_of=meant.as_of, meant=ids, runs=rows, warnings=meant.warnings)
    if asked.dry_run or not ids:
        return told
    # What is named is one change, with a canary in front of all of it; what a search finds may be any number.
    size = BATCH if asked.where else len(ids)
    return replace(told, done=[one for start in range(0, len(ids), size) for one in act(ids[start : start + size])])


def _run(app: Rota, run_id: str) -> Run:
    history = app.store.run(run_id)
    if history is None:
        raise RunNotFound(run_id)
    return history.run
