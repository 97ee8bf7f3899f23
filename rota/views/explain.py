"""A schedule in words, with its next slots."""

from datetime import datetime, timedelta
from itertools import islice

from msgspec import Struct

from rota.core import words
from rota.core.kind import Timing
from rota.core.timing import cron_of, slots

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


def explain_timing(timing: Timing, *, after: datetime, count: int) -> Explained:
    """Return a timing in words with its next `count` slots after `after`. Works without a store."""
    found = list(islice(slots(timing, after=after, until=after + FAR), count))
    return Explained(
        text=words.describe(timing),
        cron=cron_of(timing),
        timing=words.text_of(timing),
        slots=[
            Slot(slot=slot, note=words.notes(timing, slot), change=words.change_between(timing, before, slot))
            for before, slot in zip([after, *found], found, strict=False)
        ],
    )
