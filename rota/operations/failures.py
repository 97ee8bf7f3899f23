"""What is asked about the runs that failed."""

from datetime import timedelta

from rota.core.access import Capability
from rota.core.duration import parse_duration
from rota.errors import BadRequest
from rota.operations.operation import Desk, Question, operation
from rota.operations.searching import searched
from rota.views.failures import By, Failures, failures_of


class FailuresAsked(Question, frozen=True, kw_only=True):
    """Which failed runs, and what they are put together by."""

    by: By = By.ERROR
    span: str = "7d"
    """How far back: `24h`, `7d`."""
    where: str = ""
    """A search, as in `job:sync tenant:@gold`; times in it are read in `zone`."""
    zone: str = "UTC"


@operation("GET", "/api/v1/failures", needs=Capability.READ)
def count_failures(desk: Desk, asked: FailuresAsked) -> Failures:
    """Count the runs that failed for good, by what they have in common, over windows that end now.

    What is still tried again is not among them: see the errors.
    """
    search = searched(desk.app, asked.where, zone=asked.zone)
    return failures_of(desk.app, search, by=asked.by, since=_span(asked.span))


def _span(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise BadRequest("span", str(error)) from None
