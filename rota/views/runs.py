"""Runs and rounds as they are shown: with what failed and why (R23)."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from rota.app import Rota
from rota.core.model import ErrorReport, Round, RoundState, Run, RunHistory, RunKind, State
from rota.errors import RunNotFound
from rota.ports import RoundQuery, RunQuery
from rota.views.jobs import seconds_between

PAGE = 500


class RunRow(Struct, frozen=True, kw_only=True):
    """One run in a list."""

    id: str
    job: str
    tenant: str | None
    state: State
    trigger: str
    slot: datetime | None
    created_at: datetime
    due_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    duration_s: float | None
    attempt: int
    max_attempts: int
    error: str | None
    """The first line of the error of its last attempt."""
    reason: str | None
    round_id: str | None


class AttemptRow(Struct, frozen=True, kw_only=True):
    """One try at a run."""

    token: int
    outcome: str | None
    started_at: datetime | None
    ended_at: datetime | None
    duration_s: float | None
    owner: str | None
    error: ErrorReport | None


class RunDetail(Struct, frozen=True, kw_only=True):
    """A run with its attempts, arguments and result."""

    run: RunRow
    queue: str
    args: str
    result: str | None
    priority: int
    actor: str | None
    since: datetime | None
    done: int | None
    total: int | None
    """How far its attempt said that it has come: `done` of `total`, in units of the job's own."""
    attempts: list[AttemptRow]


class TenantFailure(Struct, frozen=True, kw_only=True):
    """A tenant that a round failed for."""

    tenant: str
    run_id: str
    state: State
    error: str


class RoundDetail(Struct, frozen=True, kw_only=True):
    """A round and its sum: who failed, by name, with the first line of the error (R23)."""

    id: str
    job: str
    schedule: str | None
    slot: datetime | None
    trigger: str
    actor: str | None
    state: RoundState
    reason: str | None
    expected: int | None
    counts: Mapping[str, int]
    created_at: datetime
    ended_at: datetime | None
    duration_s: float | None
    failures: list[TenantFailure]
    slowest: list[RunRow]


def run_row(run: Run) -> RunRow:
    """Return a run as a row."""
    return RunRow(
        id=run.id,
        job=run.job,
        tenant=run.tenant,
        state=run.state,
        trigger=run.trigger,
        slot=run.slot,
        created_at=run.created_at,
        due_at=run.due_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        duration_s=seconds_between(run.started_at, run.ended_at),
        attempt=run.attempt,
        max_attempts=run.max_attempts,
        error=run.error.first_line if run.error else None,
        reason=run.reason,
        round_id=run.round_id,
    )


def run_detail(history: RunHistory) -> RunDetail:
    """Return a run with everything that is known of it."""
    run = history.run
    return RunDetail(
        run=run_row(run),
        queue=run.queue,
        args=run.args,
        result=run.result,
        priority=run.priority,
        actor=run.actor,
        since=run.since,
        done=run.done,
        total=run.total,
        attempts=[
            AttemptRow(
                token=attempt.token,
                outcome=attempt.outcome,
                started_at=attempt.started_at,
                ended_at=attempt.ended_at,
                duration_s=seconds_between(attempt.started_at, attempt.ended_at),
                owner=attempt.owner,
                error=attempt.error,
            )
            for attempt in history.attempts
        ],
    )


def round_detail(app: Rota, round_: Round) -> RoundDetail:
    """Return a round with its sum as it is now."""
    counts = app.store.round_counts([round_.id]).get(round_.id, {})
    failed = all_runs(app, RunQuery(round_id=round_.id, states=(State.FAILED, State.CANCELLED)))
    return RoundDetail(
        id=round_.id,
        job=round_.job,
        schedule=round_.schedule,
        slot=round_.slot,
        trigger=round_.trigger,
        actor=round_.actor,
        state=round_.state,
        reason=round_.reason or _expansion_error(app, round_),
        expected=round_.expected,
        counts={str(state): count for state, count in counts.items()} or dict(round_.counts),
        created_at=round_.created_at,
        ended_at=round_.ended_at,
        duration_s=seconds_between(round_.created_at, round_.ended_at),
        failures=sorted((tenant_failure(run) for run in failed), key=lambda failure: failure.tenant),
        slowest=_slowest(app, round_),
    )


def find_round(app: Rota, text: str) -> Round | None:
    """Return the round of this id, or of this unique beginning of at least six digits."""
    # The store finds runs by the beginning of their id, rounds only in a list: newest first, so mostly on page one.
    before: str | None = None
    while len(text) >= 6:
        page = app.store.rounds(RoundQuery(before_id=before, limit=PAGE))
        found = [round_ for round_ in page if round_.id.startswith(text)]
        if found:
            return found[0] if len(found) == 1 else None
        if len(page) < PAGE or page[-1].id < text:
            return None
        before = page[-1].id
    return None


def find(app: Rota, text: str) -> RunHistory | Round:
    """Return the run or the round that an id, or the beginning of one, names.

    Raises:
        RunNotFound: neither, or more than one.
    """
    found = app.store.run(text) or find_round(app, text)
    if found is None:
        raise RunNotFound(text)
    return found


def all_runs(app: Rota, query: RunQuery) -> list[Run]:
    """Return every run of the query, page after page; its limit is ignored."""
    found: list[Run] = []
    query = _page(query, before=query.before_id)
    while page := app.store.runs(query):
        found.extend(page)
        if len(page) < PAGE:
            break
        query = _page(query, before=page[-1].id)
    return found


def _page(query: RunQuery, *, before: str | None) -> RunQuery:
    return replace(query, before_id=before, limit=PAGE)


def tenant_failure(run: Run) -> TenantFailure:
    """Return a failed run as what its round says of the tenant."""
    error = run.error.first_line if run.error else run.reason or str(run.state)
    return TenantFailure(tenant=run.tenant or "", run_id=run.id, state=run.state, error=error)


def _slowest(app: Rota, round_: Round, *, most: int = 3) -> list[RunRow]:
    ended = [run_row(run) for run in all_runs(app, RunQuery(round_id=round_.id))]
    timed = [row for row in ended if row.duration_s is not None]
    return sorted(timed, key=lambda row: -(row.duration_s or 0.0))[:most]


def _expansion_error(app: Rota, round_: Round) -> str | None:
    """Return why the tenants of a round could not be listed."""
    if round_.expanded:
        return None
    expansions = app.store.runs(RunQuery(round_id=round_.id, kind=RunKind.EXPANSION, limit=1))
    return expansions[0].error.first_line if expansions and expansions[0].error else None
