"""What is asked about whether what is to succeed has done so lately."""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from rota.core.access import Capability
from rota.core.freshness import Freshness
from rota.operations.operation import Desk, Question, operation
from rota.queries import PairQuery
from rota.views.chosen import chosen
from rota.views.freshness import Pair, pairs, worst_first

BAD = (Freshness.LATE, Freshness.STALE)


class FreshnessAsked(Question, frozen=True, kw_only=True):
    """Which pairs of schedule and tenant."""

    job: tuple[str, ...] = ()
    """Of these jobs, or scripts outside of Rota."""
    tenant: tuple[str, ...] = ()
    """Ids, or `@tag` for all that have it."""
    state: tuple[Freshness, ...] = BAD
    """Only those in one of these states are named; all are counted."""


class Judgement(Struct, frozen=True, kw_only=True):
    """How fresh is what was asked about, judged now."""

    pairs: list[Pair]
    """The worst first."""
    counts: Mapping[Freshness, int]
    """All that was asked about, by state."""


@operation("GET", "/api/v1/freshness", needs=Capability.READ)
def judge_freshness(desk: Desk, asked: FreshnessAsked) -> Judgement:
    """Say what has not succeeded lately enough, for each tenant.

    `late`: the next slot has passed, and the time that its run may take. `stale`: the last success is older than it
    may be. Judged now and from the store, whether or not a watchdog runs.
    """
    app = desk.app
    for job in asked.job:
        if job not in {watch.name for watch in app.pings.declared()}:
            app.find(job)
    query = PairQuery(tenants=tuple(chosen(app, asked.tenant) or ()))
    found = [pair for pair in pairs(app, query, lists_tenants=True) if not asked.job or pair.job in asked.job]
    return Judgement(
        pairs=worst_first(pair for pair in found if pair.state in asked.state),
        counts=dict(Counter(pair.state for pair in found)),
    )
