"""Errors by what they have in common (R38)."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from rota.app import Rota
from rota.core.model import ErrorRecord, State
from rota.core.search import Search, Term
from rota.errors import ErrorNotFound
from rota.queries import ErrorKey, ErrorQuery, RunQuery
from rota.views.runs import RunRow, run_row
from rota.views.search import hits_of

SHORT = 8
"""Digits of a fingerprint that are shown in lists; they stand for it."""
MOST_RUNS = 5


class ErrorRow(Struct, frozen=True, kw_only=True):
    """One error of one job."""

    fingerprint: str
    job: str
    type: str
    message: str
    place: str
    """Where in the application: `app.mail.send, line 42`."""
    count: int
    """How many attempts it ended."""
    tenants: int
    """How many tenants it met."""
    top: Mapping[str, int]
    """The tenants that it met most often, with how often."""
    first_at: datetime
    last_at: datetime
    last_run_id: str


class ErrorDetail(Struct, frozen=True, kw_only=True):
    """One error of one job, with what its last run has of it."""

    error: ErrorRow
    traceback: str
    """Of its last run; empty where retention has deleted that."""
    runs: list[RunRow]
    """The newest runs that it ended for good."""


def error_rows(app: Rota, query: ErrorQuery) -> list[ErrorRow]:
    """Return errors, last met first."""
    return [error_row(record) for record in app.store.errors(query)]


def error_row(record: ErrorRecord) -> ErrorRow:
    """Return an error record as a row."""
    return ErrorRow(
        fingerprint=record.fingerprint,
        job=record.job,
        type=record.type,
        message=record.message,
        place=record.place,
        count=record.number,
        tenants=record.tenants,
        top=dict(record.top),
        first_at=record.first_at,
        last_at=record.last_at,
        last_run_id=record.last_run_id,
    )


def page_key(row: ErrorRow) -> str:
    """Return a row's place in the list as text, for the page after it."""
    return f"{row.last_at.isoformat()},{row.fingerprint},{row.job}"


def read_page_key(text: str) -> ErrorKey:
    """Return the place that `page_key` wrote.

    Raises:
        ValueError: it did not.
    """
    last_at, fingerprint, job = text.split(",", 2)
    return ErrorKey(datetime.fromisoformat(last_at), job, fingerprint)


def error_details(app: Rota, fingerprint: str) -> list[ErrorDetail]:
    """Return what is known of the error with this fingerprint, or this beginning of one: an entry per job.

    Raises:
        ErrorNotFound: there is none, or several begin so.
    """
    records = app.store.errors(ErrorQuery(fingerprint=fingerprint))
    if len({record.fingerprint for record in records}) != 1:
        raise ErrorNotFound(fingerprint)
    return [_detail(app, record) for record in records]


def _detail(app: Rota, record: ErrorRecord) -> ErrorDetail:
    search = Search((Term("error", (record.fingerprint,)),))
    base = RunQuery(jobs=(record.job,), states=(State.FAILED,), kind=None, limit=MOST_RUNS)
    runs = hits_of(app, search, base=base).runs
    return ErrorDetail(error=error_row(record), traceback=_traceback(app, record), runs=[run_row(run) for run in runs])


def _traceback(app: Rota, record: ErrorRecord) -> str:
    history = app.store.run(record.last_run_id)
    errors = [attempt.error for attempt in history.attempts if attempt.error is not None] if history else []
    return next((error.traceback for error in reversed(errors) if error.fingerprint == record.fingerprint), "")
