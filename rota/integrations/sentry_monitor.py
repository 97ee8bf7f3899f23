"""A schedule as Sentry Crons knows schedules, where it can."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from math import ceil
from types import MappingProxyType
from typing import Any

from rota.core import cron
from rota.core.freshness import DEFAULT, Allowance, grace_of
from rota.core.kind import Calendar, Interval, Timing, Unit
from rota.core.policy import Job
from rota.core.timing import cron_of, interval
from rota.core.zone import TENANT

LONGEST_SLUG = 50
MOST_MINUTES = 40_320
"""Four weeks: what Sentry takes at most for a margin and for a runtime."""
_UNITS = (
    ("week", timedelta(weeks=1)),
    ("day", timedelta(days=1)),
    ("hour", timedelta(hours=1)),
    ("minute", timedelta(minutes=1)),
)


def monitor_of(
    timing: Timing,
    job: Job,
    *,
    now: datetime,
    zone: str,
    within: Allowance = DEFAULT,
    jitter: timedelta | None = None,
    fresh_within: timedelta | None = None,
) -> Mapping[str, Any] | None:
    """Return the monitor of a schedule; None for one that Sentry cannot express: in seconds, once, spread over
    tenants by `H`, or in the zone of each tenant.

    A slot is missed when nothing has begun by when Rota calls it late, and hangs when it has not ended by when Rota
    calls it stale (R51). `zone` and `within` are what holds where the schedule and the job do not say; `jitter` and
    `fresh_within` are what the schedule says.
    """
    schedule = _schedule(timing)
    own_zone = getattr(timing, "tz", None)
    if schedule is None or own_zone == TENANT:
        return None
    gap = interval(timing, at=now)
    most = fresh_within or job.fresh_within or (within.of(gap) if gap is not None else None)
    monitor: dict[str, Any] = {
        "schedule": schedule,
        "timezone": own_zone or zone,
        "checkin_margin": _minutes(grace_of(job.timeout, jitter)),
        "failure_issue_threshold": 1,
        "recovery_threshold": 1,
    }
    if most is not None:
        monitor["max_runtime"] = _minutes(most)
    return MappingProxyType(monitor)


def slug_of(schedule: str) -> str:
    """Return the name that Sentry knows a schedule by: what it cannot hold is replaced, and then a hash keeps two
    schedules apart."""
    plain = re.sub(r"[^a-z0-9_-]+", "-", schedule.lower()).strip("-")
    slug = f"rota-{plain}"
    if plain == schedule and len(slug) <= LONGEST_SLUG:
        return slug
    return f"{slug[: LONGEST_SLUG - 9]}-{sha256(schedule.encode()).hexdigest()[:8]}"


def _schedule(timing: Timing) -> dict[str, Any] | None:
    match timing:
        case Interval(every=every):
            return _every(every)
        case Calendar(unit=Unit.DAY, n=n) if n > 1:
            return _every(timedelta(days=n))
        case Calendar(unit=Unit.WEEK, n=n, weekdays=[_]) if n > 1:
            return _every(timedelta(weeks=n))
    expression = cron_of(timing)
    if expression is None or len(expression.split()) != 5 or cron.is_hashed(expression):
        return None
    return {"type": "crontab", "value": expression}


def _every(every: timedelta) -> dict[str, Any] | None:
    for unit, size in _UNITS:
        if not every % size:
            # A whole number: of a number as text the monitor is refused, and the check-in with it (sentry-python#6386).
            return {"type": "interval", "value": every // size, "unit": unit}
    return None


def _minutes(duration: timedelta) -> int:
    return min(max(ceil(duration / timedelta(minutes=1)), 1), MOST_MINUTES)
