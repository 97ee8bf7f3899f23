"""What is asked about what is to come."""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta

from rota.core.access import Capability
from rota.operations.operation import Desk, Page, Question, operation
from rota.views.jobs import the_job
from rota.views.upcoming import Fire, upcoming


class FiresAsked(Question, frozen=True, kw_only=True):
    """Which slots to come."""

    hours: Annotated[float, Meta(gt=0, le=24 * 366)] = 24.0
    """How far ahead."""
    job: tuple[str, ...] = ()
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 100


@operation("GET", "/api/v1/next", needs=Capability.READ)
def list_fires(desk: Desk, asked: FiresAsked) -> Page[Fire]:
    """List what fires next, soonest first, with what is overdue."""
    for name in asked.job:
        the_job(desk.app, name)
    until = desk.app.clock.now() + timedelta(hours=asked.hours)
    return Page(data=upcoming(desk.app, until=until, jobs=asked.job, limit=asked.limit))
