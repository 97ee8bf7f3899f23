"""What is asked about how often and how long what ran."""

from datetime import datetime, timedelta

from rota.core.access import Capability
from rota.operations.operation import Desk, Question, operation
from rota.views.chosen import chosen
from rota.views.stats import By, Stats, stats

USUAL = timedelta(days=7)


class StatsAsked(Question, frozen=True, kw_only=True):
    """What is added up."""

    by: By = By.JOB
    since: datetime | None = None
    """From when on; without it of the last 7 days."""
    job: tuple[str, ...] = ()
    tenant: tuple[str, ...] = ()
    """Ids, or `@tag` for all that have it."""


@operation("GET", "/api/v1/stats", needs=Capability.READ)
def show_stats(desk: Desk, asked: StatsAsked) -> Stats:
    """Show how many runs there were, how many failed, and how long they took: most time first.

    Read from sums, so that it costs the same after a million runs; percentiles are right to within a factor of 2. Of
    the last 6 hours by the minute, of 14 days by the hour, else by the day.
    """
    app = desk.app
    since = asked.since if asked.since is not None else app.clock.now() - USUAL
    return stats(app, by=asked.by, since=since, jobs=asked.job, tenants=tuple(chosen(app, asked.tenant) or ()))
