"""Runs by the search language: the store narrows by what it has an index for, the rest is looked at here."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from rota.app import Rota
from rota.core.model import Run, State, Trigger
from rota.core.search import ARGS, Search, Span, Term, parse
from rota.errors import BadSearch
from rota.queries import RunQuery
from rota.views.runs import PAGE, mask_of

FIRST_LOOK = 250
"""Runs that are read first where a store cannot say all of a search."""

MOST = 100_000
"""Runs that one search looks at, the newest, unless it says since when."""

SERVED = frozenset({"job", "tenant", "state", "queue", "trigger", "parent", "since", "until"})
"""Words that a store takes whole, also turned round where there are few values."""
TURNED = frozenset({"state", "trigger"})


Word = TypeVar("Word", State, Trigger)


ENDED_BY_AN_ERROR = (State.FAILED, State.CANCELLED)
"""States in which a run has the error that ended it; before, its attempts have theirs."""


class Hits(Struct, frozen=True, kw_only=True):
    """Runs that a search found, newest first."""

    runs: list[Run]
    next_page: str | None
    """The key to go on after; None where everything was looked at."""
    cut_after: int | None = None
    """How many runs it had looked at when it stopped for that, and not because it had found enough."""


def read(
    app: Rota, text: str, *, instant: Callable[[str], datetime], tenants: Callable[[str], Sequence[str]]
) -> Search:
    """Return what a text looks for; `tenants` says which ones a `@tag` stands for.

    Raises:
        BadSearch: it cannot be read, or asks for the value of an argument that is kept from view.
    """
    search = parse(text, instant=instant)
    for term in search.terms:
        if term.word.startswith(ARGS) and mask_of(app).hides_path(term.word.removeprefix(ARGS)):
            raise BadSearch(f"{term.word}: its value is kept from view, and so it is from searches")
    return Search(tuple(_with_tags(term, tenants) for term in search.terms))


def _with_tags(term: Term, tenants: Callable[[str], Sequence[str]]) -> Term:
    if term.word != "tenant":
        return term
    ids = [tenant for text in term.texts for tenant in (tenants(text) if text.startswith("@") else [text])]
    return Term(term.word, tuple(ids), term.is_negated)


def hits_of(app: Rota, search: Search, *, base: RunQuery, patience: timedelta | None = None) -> Hits:
    """Return a page of `base.limit` runs, after `base.before_id`, that both the search and the query mean.

    `patience`: after so long it ends where it is, with fewer runs, and says where to go on. It is looked at between
    reads of at most `PAGE` runs.
    """
    query, is_whole = narrowed(search, base)
    now, wanted = app.clock.now(), base.limit
    started = app.clock.monotonic()
    found: list[Run] = []
    looked_at = 0
    for page in _pages(app, query, size=wanted if is_whole else min(FIRST_LOOK, PAGE)):
        for run in page:
            looked_at += 1
            if search.holds(run, now=now):
                found.append(run)
            if len(found) == wanted:
                return Hits(runs=found, next_page=run.id)
            if looked_at >= MOST and query.since is None:
                return Hits(runs=found, next_page=run.id, cut_after=looked_at)
        if patience is not None and page and app.clock.monotonic() - started >= patience.total_seconds():
            return Hits(runs=found, next_page=page[-1].id, cut_after=looked_at)
    return Hits(runs=found, next_page=None)


def all_hits(app: Rota, search: Search, *, base: RunQuery) -> Hits:
    """Return every run that both mean, as of now: what comes later is not among them."""
    found = hits_of(app, search, base=replace(base, limit=MOST))
    is_full = found.next_page is not None and found.cut_after is None
    return replace(found, cut_after=MOST) if is_full else found


def narrowed(search: Search, base: RunQuery) -> tuple[RunQuery, bool]:
    """Return the query that a store can answer, and whether it says all that the search says.

    Never narrower than the search: what it leaves over is looked at run by run.
    """
    query, is_whole = base, True
    for term in search.terms:
        narrower = _narrowed(query, term)
        if narrower is None:
            is_whole = False
            query = _with_an_error(query, term)
        else:
            query = narrower
    return query, is_whole


def _narrowed(query: RunQuery, term: Term) -> RunQuery | None:
    """Return the query with a term, or None where it does not say it."""
    if term.word not in SERVED or (term.is_negated and term.word not in TURNED):
        return None
    match term.word:
        case "since" | "until":
            return _within(query, term)
        case "state":
            states = _chosen(term, tuple(State), query.states)
            return None if states is None else replace(query, states=states)
        case "trigger":
            triggers = _chosen(term, tuple(Trigger), query.triggers)
            return None if triggers is None else replace(query, triggers=triggers)
        case "parent":
            # The query has room for one.
            is_one = len(term.texts) == 1 and term.texts[0] != "" and query.parent in (None, term.texts[0])
            return replace(query, parent=term.texts[0]) if is_one else None
        case _:
            field = {"job": "jobs", "tenant": "tenants", "queue": "queues"}[term.word]
            before: tuple[str, ...] = getattr(query, field)
            values = tuple(text for text in term.texts if not before or text in before)
            # Nobody's runs, or those of no name that both allow: a store that is asked for no name gives all.
            if not values or "" in values:
                return None
            return replace(query, **{field: values})


def _with_an_error(query: RunQuery, term: Term) -> RunQuery:
    """Return the query without the runs that have no error to look for one in: a hundred times fewer, mostly."""
    if term.word != "error" or term.is_negated:
        return query
    states = tuple(state for state in ENDED_BY_AN_ERROR if not query.states or state in query.states)
    return replace(query, states=states) if states else query


def _chosen(term: Term, every: Sequence[Word], before: Sequence[Word]) -> tuple[Word, ...] | None:
    """Return which of these values a term leaves; None where it leaves none, which no query can say."""
    left = [one for one in every if (one in term.values) is not term.is_negated and (not before or one in before)]
    return tuple(left) or None


def _within(query: RunQuery, term: Term) -> RunQuery | None:
    if len(term.values) != 1 or not isinstance(term.values[0], Span):
        return None
    span = term.values[0]
    since = max((one for one in (query.since, span.since) if one is not None), default=None)
    until = min((one for one in (query.until, span.until) if one is not None), default=None)
    return replace(query, since=since, until=until)


def _pages(app: Rota, query: RunQuery, *, size: int) -> Iterator[list[Run]]:
    """Yield what there is, in reads that grow up to `PAGE`: what is frequent is found in the first of them."""
    query = replace(query, limit=size)
    while page := app.store.runs(query):
        yield page
        if len(page) < query.limit:
            return
        query = replace(query, before_id=page[-1].id, limit=max(size, min(2 * query.limit, PAGE)))
