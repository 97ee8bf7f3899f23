"""Schedules as they are for whoever sees only some tenants."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from rota.core.agenda import agenda, is_of_tenants, zones_of
from rota.core.model import Origin, Schedule, Tenant
from rota.core.words import parse
from rota.errors import BadSchedule, Forbidden
from rota.seen.scope import Scope


def seen_schedule(
    schedule: Schedule, scope: Scope, *, tenants: Callable[[], Sequence[Tenant]], zone: str
) -> Schedule | None:
    """Return a schedule without a word of other tenants; None where it is of another job, or of others alone.

    `zone` is that of what names none.
    """
    if not scope.has_job(schedule.job):
        return None
    if scope.tenants is None:
        return schedule
    theirs = None if schedule.tenants is None else scope.of_these(schedule.tenants)
    if theirs == ():
        return None
    seen = replace(schedule, tenants=theirs, exclude=scope.of_these(schedule.exclude))
    return _in_their_zones(seen, tenants, zone) if schedule.zones else seen


def _in_their_zones(seen: Schedule, tenants: Callable[[], Sequence[Tenant]], zone: str) -> Schedule:
    """Return a schedule that is due when it is due in the zones of these tenants: those of others tell of others."""
    try:
        timing = parse(seen.timing)
    except BadSchedule:
        return replace(seen, zones=())
    if not is_of_tenants(timing):
        return replace(seen, zones=())
    zones = zones_of(seen, tenants(), default=zone)
    next_at = None if seen.next_at is None else agenda(timing, zones).next_slot(after=seen.cursor)
    return replace(seen, zones=zones, next_at=next_at)


def check_put(schedule: Schedule, scope: Scope, *, is_new: bool, known: Schedule | None) -> None:
    """Refuse to write a schedule that would also be of others. `known` is the one of its name as it is stored.

    Names are shared by all: so whoever sees only some tenants makes schedules named `NAME@TENANT`, of one of his, and
    learns of no other name whether it is taken.

    Raises:
        Forbidden: it is not of its jobs and tenants alone.
    """
    if is_new and schedule.origin is Origin.CODE and schedule.declared is None:
        # What the code says: written down by whoever first looks at it.
        return
    check_theirs(schedule.name, scope)
    stored = (schedule,) if known is None else (schedule, known)
    if not all(scope.has_job(one.job) and scope.has_all(one.tenants) for one in stored):
        raise Forbidden(f"schedule {schedule.name!r} is not of your jobs and tenants alone")


def check_theirs(name: str, scope: Scope) -> None:
    """Refuse to change a schedule that is not named after one of the tenants. By its name alone: what it is refused for
    must not tell whether it is of others too.

    Raises:
        Forbidden: it is not.
    """
    if scope.tenants is not None and name.rpartition("@")[2] not in scope.tenants:
        raise Forbidden(f"schedule {name!r}: yours are named NAME@TENANT, after one of your tenants")
