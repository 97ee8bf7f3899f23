"""The slots of a schedule: those of its timing, in each zone of its tenants (R15)."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice

from msgspec import Struct

from rota.core.definition import Definition
from rota.core.kind import Interval, Once, Timing
from rota.core.model import Schedule, Tenant
from rota.core.timing import in_zone, newest_slots, next_slot, slot_before, slots
from rota.core.words import notes, parse
from rota.core.zone import FIRST, TENANT, is_zone

_TICK = timedelta.resolution
_BEGINNING = FIRST.replace(tzinfo=UTC)


class Agenda(Struct, frozen=True, kw_only=True):
    """One timing, or the same timing in several zones: its slots are then those of all of them, each once."""

    timings: tuple[Timing, ...]

    def next_slot(self, *, after: datetime) -> datetime | None:
        """Return the first slot strictly after `after`, in UTC; None when there is none any more."""
        if len(self.timings) == 1:
            return next_slot(self.timings[0], after=after)
        found = (next_slot(timing, after=after) for timing in self.timings)
        return min((slot for slot in found if slot is not None), default=None)

    def slot_before(self, at: datetime) -> datetime | None:
        """Return the newest slot strictly before `at`, in UTC; None when there is none."""
        found = (slot_before(timing, at) for timing in self.timings)
        return max((slot for slot in found if slot is not None), default=None)

    def slots(self, *, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the slots in (after, until], oldest first, found as they are asked for."""
        merged = heapq.merge(*(slots(timing, after=after, until=until) for timing in self.timings))
        return (slot for slot, _ in groupby(merged))

    def newest_slots(self, *, after: datetime, until: datetime, limit: int) -> list[datetime]:
        """Return the newest `limit` slots in (after, until], oldest first, found from the end."""
        found = {
            slot
            for timing in self.timings
            for slot in newest_slots(timing, after=after, until=until, limit=limit)
        }  # fmt: skip
        return sorted(found)[-limit:]

    def first_slots(self, *, after: datetime, until: datetime, limit: int) -> list[datetime]:
        """Return the oldest `limit` slots in (after, until], oldest first."""
        return list(islice(self.slots(after=after, until=until), limit))

    def note(self, slot: datetime) -> str | None:
        """Return what daylight saving does to a slot, in the first zone where it does anything; None otherwise."""
        named = (timing for timing in self.timings if next_slot(timing, after=slot - _TICK) == slot)
        return next((note for timing in named if (note := notes(timing, slot))), None)

    @property
    def once(self) -> tuple[datetime, ...] | None:
        """The slots of one time, one per zone; None for what recurs."""
        if not all(isinstance(timing, Once) for timing in self.timings):
            return None
        found = (next_slot(timing, after=_BEGINNING) for timing in self.timings)
        return tuple(sorted({slot for slot in found if slot is not None}))


def agenda_of(schedule: Schedule) -> Agenda:
    """Return what the text of a schedule says, in the zones of its tenants.

    Without a tenant yet, a timing in the zone of the tenant has no slot at all.

    Raises:
        BadSchedule: a row that somebody wrote by hand may say anything.
    """
    return agenda(parse(schedule.timing), schedule.zones)


def agenda(timing: Timing, zones: Iterable[str]) -> Agenda:
    """Return a timing in these zones, if it is in that of the tenant; else as it is."""
    if not is_of_tenants(timing):
        return Agenda(timings=(timing,))
    return Agenda(timings=tuple(in_zone(timing, zone) for zone in zones))


def is_of_tenants(timing: Timing) -> bool:
    """Return whether the timing is in the zone of the tenant."""
    return not isinstance(timing, Interval) and timing.tz == TENANT


def zone_of_tenant(tenant: Tenant, default: str) -> str:
    """Return the zone of a tenant; the default where it has none, or one that there is not (R21)."""
    return tenant.tz if tenant.tz and tenant.tz != TENANT and is_zone(tenant.tz) else default


def zones_of(schedule: Schedule | Definition, tenants: Sequence[Tenant], *, default: str) -> tuple[str, ...]:
    """Return the zones of the tenants that a schedule is for, each once, sorted."""
    meant = (
        tenant
        for tenant in tenants
        if (schedule.tenants is None or tenant.id in schedule.tenants) and tenant.id not in schedule.exclude
    )
    return tuple(sorted({zone_of_tenant(tenant, default) for tenant in meant}))


def timing_for(timing: Timing, tenant: Tenant | None, *, default: str) -> Timing:
    """Return the timing as this tenant has it: in the tenant's zone, if it is in that of the tenant; else as it is."""
    return in_zone(timing, default if tenant is None else zone_of_tenant(tenant, default))


def names_slot(timing: Timing, tenant: Tenant, slot: datetime, *, default: str) -> bool:
    """Return whether the timing, in the zone of this tenant, names this slot."""
    return next_slot(timing_for(timing, tenant, default=default), after=slot - _TICK) == slot
