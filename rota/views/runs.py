"""Runs as they are shown."""

from datetime import datetime

from msgspec import Struct

from rota.app import Rota
from rota.core.flow import named
from rota.core.gates import flow_of
from rota.core.masking import Mask
from rota.core.model import ErrorReport, Round, Run, RunHistory, State
from rota.errors import RunOrRoundNotFound
from rota.paging import every_run
from rota.queries import RoundQuery, RunQuery
from rota.views.jobs import seconds_between

PAGE = 2000
"""Runs read at a time: a round over 2,000 tenants is one question."""

CHILDREN = 50
"""Runs that one enqueued, as they are shown with it."""

SHORTEST = 6
"""Digits of an id that may stand for all of it."""


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
    parent: str | None
    """The run whose code enqueued it."""


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
    """Without the values of arguments whose names say that they are secret, as is the result."""
    result: str | None
    priority: int
    actor: str | None
    since: datetime | None
    expires_at: datetime | None
    """When it has to have begun."""
    key: str | None
    """Its key for limits."""
    done: int | None
    total: int | None
    """How far its attempt said that it has come: `done` of `total`, in units of the job's own."""
    flow: str | None
    """The chain or batch that it is of."""
    part: str | None
    """What it is there: `step 2 of 4 (charge)`."""
    attempts: list[AttemptRow]
    children: list[RunRow]
    """What its code enqueued, newest first: at most 50."""
    has_more_children: bool


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
        parent=run.parent,
    )


def mask_of(app: Rota, *, job: str | None = None) -> Mask:
    """Return what keeps secret arguments and results of a job from view; None is of every job."""
    functions = [function for name, function in app.jobs.items() if job in (None, name)]
    secrets = [name for function in functions for name in function.registered.signature.secrets]
    return Mask([*app.settings.logging.mask, *secrets])


def run_detail(app: Rota, history: RunHistory) -> RunDetail:
    """Return a run with everything that is known of it and may be shown."""
    run = history.run
    children = app.store.runs(RunQuery(parent=run.id, limit=CHILDREN + 1))
    mask = mask_of(app, job=run.job)
    return RunDetail(
        run=run_row(run),
        queue=run.queue,
        args=mask.json(run.args),
        result=None if run.result is None else mask.json(run.result),
        priority=run.priority,
        actor=run.actor,
        since=run.since,
        expires_at=run.expires_at,
        key=run.limit_key,
        done=run.done,
        total=run.total,
        flow=flow_of(run),
        part=None if run.part is None else named(run),
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
        children=[run_row(child) for child in children[:CHILDREN]],
        has_more_children=len(children) > CHILDREN,
    )


def find_round(app: Rota, text: str) -> Round | None:
    """Return the round of this id, or of this unique beginning of at least six digits."""
    if len(text) < SHORTEST:
        return None
    # After every digit that could follow: what has this beginning comes first.
    page = app.store.rounds(RoundQuery(before_id=f"{text}g", limit=2))
    alike = [round_ for round_ in page if round_.id.startswith(text)]
    return alike[0] if len(alike) == 1 else None


def find(app: Rota, text: str) -> RunHistory | Round:
    """Return the run or the round that an id, or the beginning of one, names.

    Raises:
        RunOrRoundNotFound: neither, or more than one.
    """
    found = app.store.run(text) or find_round(app, text)
    if found is None:
        raise RunOrRoundNotFound(text)
    return found


def all_runs(app: Rota, query: RunQuery) -> list[Run]:
    """Return every run of the query, page after page; its limit is ignored."""
    return list(every_run(app.store, query, size=PAGE))
