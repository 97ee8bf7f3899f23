"""Whether each schedule has succeeded lately enough for each tenant (R51)."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from rota.app import Rota
from rota.core.expecting import Expecting
from rota.core.freshness import WORSE, Freshness
from rota.core.model import Progress
from rota.core.watched import WATCH, Wanted, Watched, begun, judged
from rota.lookouts import make_rulebook
from rota.queries import EVERY_PAIR, PairQuery


class Pair(Struct, frozen=True, kw_only=True):
    """One schedule and tenant, or a script outside of Rota."""

    job: str
    schedule: str
    """Of a script outside of Rota its name."""
    tenant: str
    state: Freshness
    since: datetime
    """Since when it is in this state, as far as a watchdog has seen it."""
    last_success: datetime | None
    """The newest slot that succeeded."""
    late_at: datetime | None
    stale_at: datetime | None
    age_s: float | None
    """How old the slot of the last success is."""
    allowed_s: float | None
    """How old it may be."""
    failures: int
    """Runs that failed in a row."""
    is_outside: bool = False
    """Whether it is a script outside of Rota."""


def pairs(app: Rota, query: PairQuery = EVERY_PAIR, *, lists_tenants: bool = False) -> list[Pair]:
    """Return how fresh each schedule is for each tenant now, by schedule and tenant; nothing is written.

    Judged by the rules of now, so it is right also while no watchdog runs. Pairs that never ran are there when a
    watchdog has seen them; with `lists_tenants` all are, and the source of the tenants is asked.
    """
    now = app.clock.now()
    rulebook = make_rulebook(app.premises())
    expecting = Expecting(rulebook.situation(now, lists_tenants=lists_tenants))
    stored = {pair.key: pair for pair in app.store.freshness.pairs(PairQuery(schedules=query.schedules))}
    progress = {(entry.schedule, entry.tenant): entry for entry in app.store.progress()}
    found = []
    for name in query.schedules or expecting.names:
        known = [tenant for schedule, tenant in {**stored, **progress} if schedule == name]
        for wanted in expecting.of(name, known=known):
            entry = progress.get(wanted.key)
            watched = _watched(wanted, stored.get(wanted.key), entry, now=now)
            if watched is not None:
                found.append(_pair(watched, expecting.job_of(name), entry, now=now))
    return sorted((pair for pair in found if _is_meant(pair, query)), key=lambda pair: (pair.schedule, pair.tenant))


def worst_first(found: Iterable[Pair]) -> list[Pair]:
    """Return pairs, the worst state first, and there the one that is most overdue."""

    def badness(pair: Pair) -> tuple[float, float, str, str]:
        share = pair.age_s / pair.allowed_s if pair.age_s is not None and pair.allowed_s else 0.0
        return -WORSE[pair.state], -share, pair.schedule, pair.tenant

    return sorted(found, key=badness)


def _watched(wanted: Wanted, stored: Watched | None, entry: Progress | None, *, now: datetime) -> Watched | None:
    if stored is not None:
        return judged(stored, wanted, now=now)[0]
    return begun(wanted, last_success=None if entry is None else entry.last_success, now=now)


def _pair(watched: Watched, job: str, entry: Progress | None, *, now: datetime) -> Pair:
    is_outside = watched.schedule.startswith(WATCH)
    last, stale_at = watched.last_success, watched.stale_at
    return Pair(
        job=job,
        schedule=watched.schedule.removeprefix(WATCH) if is_outside else watched.schedule,
        tenant=watched.tenant,
        state=watched.state,
        since=watched.flipped_at,
        last_success=last,
        late_at=watched.late_at,
        stale_at=stale_at,
        # A clock that went back makes no negative age.
        age_s=None if last is None else max(now - last, timedelta(0)).total_seconds(),
        allowed_s=None if last is None or stale_at is None else (stale_at - last).total_seconds(),
        failures=0 if entry is None else entry.failures,
        is_outside=is_outside,
    )


def _is_meant(pair: Pair, query: PairQuery) -> bool:
    return (not query.tenants or pair.tenant in query.tenants) and (not query.states or pair.state in query.states)
