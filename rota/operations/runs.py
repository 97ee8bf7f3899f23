"""What is asked about runs."""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from rota.core.access import Capability
from rota.core.gates import flow_batch
from rota.core.model import Run, RunHistory, RunKind, State
from rota.errors import RunNotFound
from rota.operations.operation import Cursor, Desk, Instant, Limit, Next, Page, Question, operation
from rota.operations.searching import cut_warnings, searched
from rota.queries import RunQuery
from rota.views.chosen import chosen
from rota.views.flows import flow_runs
from rota.views.runs import RunDetail, RunRow, run_detail, run_row
from rota.views.search import hits_of

Patience = Annotated[int, Meta(ge=1, le=60_000)]


class RunsAsked(Question, frozen=True, kw_only=True):
    """Which runs; every field that is set narrows the answer."""

    job: tuple[str, ...] = ()
    tenant: tuple[str, ...] = ()
    """Ids, or `@tag` for all that have it."""
    state: tuple[State, ...] = ()
    queue: tuple[str, ...] = ()
    since: Instant | None = None
    until: Instant | None = None
    """Made in [since, until)."""
    where: str = ""
    """A search, as in `error:timeout attempt:>1 -tenant:acme`; times in it are read in `zone`."""
    zone: str = "UTC"
    round: str | None = None
    """The id of a round."""
    flow: str | None = None
    """The id of a chain or batch."""
    expansions: bool = False
    """Whether runs that only list tenants are among them."""
    cursor: Cursor | None = None
    """What `page.next` of the page before said."""
    limit: Limit = 50
    patience_ms: Patience = 40
    """How long it may look for runs that no index leads to. A page that took longer has fewer, perhaps none, and
    `page.next` goes on where it ended."""


@operation("GET", "/api/v1/runs", needs=Capability.READ)
def list_runs(desk: Desk, asked: RunsAsked) -> Page[RunRow]:
    """List runs, newest first."""
    query = RunQuery(
        jobs=asked.job,
        tenants=tuple(chosen(desk.app, asked.tenant) or ()),
        states=asked.state,
        queues=asked.queue,
        kind=None if asked.expansions else RunKind.JOB,
        round_id=asked.round,
        batch=None if asked.flow is None else flow_batch(asked.flow),
        since=asked.since,
        until=asked.until,
        before_id=asked.cursor,
        limit=asked.limit,
    )
    search = searched(desk.app, asked.where, zone=asked.zone)
    hits = hits_of(desk.app, search, base=query, patience=timedelta(milliseconds=asked.patience_ms))
    return Page(
        data=[run_row(run) for run in hits.runs],
        page=Next(next=hits.next_page),
        warnings=cut_warnings(hits, is_first=asked.cursor is None),
    )


class RunAsked(Question, frozen=True, kw_only=True):
    """Which run."""

    id: str
    """Its id, or the beginning of it: six digits or more, if only one has it."""


@operation("GET", "/api/v1/runs/{id}", needs=Capability.READ)
def show_run(desk: Desk, asked: RunAsked) -> RunDetail:
    """Show a run with its attempts, arguments and result."""
    return run_detail(desk.app, _history(desk, asked.id))


class StandingAsked(Question, frozen=True, kw_only=True):
    """Which runs somebody waits for."""

    id: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    """Their ids, or beginnings of them; or the whole id of a chain or batch, for all of its runs."""


@operation("GET", "/api/v1/standing/runs", needs=Capability.READ)
def runs_standing(desk: Desk, asked: StandingAsked) -> Page[RunRow]:
    """Say how runs stand, in the order that was asked in: what whoever waits for them asks again and again."""
    return Page(data=[run_row(run) for text in asked.id for run in _runs_of(desk, text)])


def _runs_of(desk: Desk, text: str) -> list[Run]:
    history = desk.app.store.run(text)
    if history is not None:
        return [history.run]
    if runs := flow_runs(desk.app, text):
        return runs
    raise RunNotFound(text)


def _history(desk: Desk, run: str) -> RunHistory:
    history = desk.app.store.run(run)
    if history is None:
        raise RunNotFound(run)
    return history
