"""A schedule in words, with its next slots."""

from datetime import datetime, timedelta
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from rota.core import words
from rota.core.agenda import Agenda, is_of_tenants
from rota.core.agenda import agenda as agenda_in
from rota.core.kind import Timing
from rota.core.timing import cron_of

FAR = timedelta(days=366 * 100)


class Slot(Struct, frozen=True, kw_only=True):
    """One slot, and what daylight saving does to it."""

    slot: datetime
    note: str | None
    change: str | None = None
    """How the clocks of its zone changed since the slot before."""


class Explained(Struct, frozen=True, kw_only=True):
    """A schedule in words."""

    text: str
    cron: str | None
    """The cron expression with the same slots, where there is one."""
    timing: str
    """The canonical text."""
    slots: list[Slot]


def explain_timing(timing: Timing, *, after: datetime, count: int, zone: str = "UTC") -> Explained:
    """Return a timing in words with its next `count` slots after `after`. Works without a store.

    One in the zone of the tenant has the slots of a tenant in `zone`, and says so.
    """
    told = explain_agenda(timing, agenda_in(timing, (zone,)), after=after, count=count)
    return replace(told, text=f"{told.text}; for one in {zone}") if is_of_tenants(timing) else told


def explain_agenda(timing: Timing, agenda: Agenda, *, after: datetime, count: int) -> Explained:
    """Return a timing in words with the next `count` slots of its agenda, which may be that of several zones."""
    found = list(islice(agenda.slots(after=after, until=after + FAR), count))
    # The clocks of several zones change at several times: of those only what it does to a slot is told.
    [only, *others] = agenda.timings or (timing,)
    return Explained(
        text=words.describe(timing),
        cron=cron_of(timing),
        timing=words.text_of(timing),
        slots=[
            Slot(
                slot=slot,
                note=agenda.note(slot),
                change=None if others else words.change_between(only, before, slot),
            )
            for before, slot in zip([after, *found], found, strict=False)
        ],
    )
