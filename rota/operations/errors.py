"""What is asked about errors: what failed attempts have in common."""

from datetime import datetime

from rota.core.access import Capability
from rota.errors import BadRequest
from rota.operations.operation import Desk, Limit, Next, Page, Question, operation
from rota.queries import ErrorKey, ErrorQuery
from rota.views.chosen import chosen
from rota.views.errors import ErrorDetail, ErrorRow, error_details, error_rows, page_key, read_page_key


class ErrorsAsked(Question, frozen=True, kw_only=True):
    """Which errors; every field that is set narrows the answer."""

    job: tuple[str, ...] = ()
    tenant: tuple[str, ...] = ()
    """Ids, or `@tag` for all that have it: only errors that met one of these."""
    since: datetime | None = None
    until: datetime | None = None
    """Last met in [since, until)."""
    cursor: str | None = None
    """What `page.next` of the page before said."""
    limit: Limit = 50


@operation("GET", "/api/v1/errors", needs=Capability.READ)
def list_errors(desk: Desk, asked: ErrorsAsked) -> Page[ErrorRow]:
    """List the errors that runs met, each once, last met first, with how often and whom it met.

    An error is a class of exceptions, a message without its values, and the place in the application. Attempts that
    were tried again count as well.
    """
    query = ErrorQuery(
        jobs=asked.job,
        tenants=tuple(chosen(desk.app, asked.tenant) or ()),
        since=asked.since,
        until=asked.until,
        before=None if asked.cursor is None else _key(asked.cursor),
        limit=asked.limit,
    )
    rows = error_rows(desk.app, query)
    return Page(data=rows, page=Next(next=page_key(rows[-1]) if len(rows) == asked.limit else None))


class ErrorAsked(Question, frozen=True, kw_only=True):
    """Which error."""

    fingerprint: str
    """Its fingerprint, or the beginning of it, if only one has it."""


@operation("GET", "/api/v1/errors/{fingerprint}", needs=Capability.READ)
def show_error(desk: Desk, asked: ErrorAsked) -> Page[ErrorDetail]:
    """Show one error, for each job that met it: whom it met, its newest runs, and the last traceback."""
    return Page(data=error_details(desk.app, asked.fingerprint))


def _key(text: str) -> ErrorKey:
    try:
        return read_page_key(text)
    except ValueError:
        raise BadRequest("cursor", "this is not what `page.next` said") from None
