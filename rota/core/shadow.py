"""What a schedule fired in the shadow of another system, beside what that system said that it ran."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from rota.core.watched import Ping, PingKind

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLY = timedelta(minutes=1)
"""How much earlier than the slot the other system may be: its clock is another one."""


class Verdict(StrEnum):
    BOTH = "both"
    ONLY_HERE = "only here"
    ONLY_THERE = "only there"


class Fired(Struct, frozen=True, kw_only=True):
    """A slot of the schedule, and when it was fired."""

    slot: datetime
    at: datetime


class Compared(Struct, frozen=True, kw_only=True):
    """One time at which one of the two systems, or both, did something."""

    slot: datetime | None
    """None: no slot is near what the other system ran."""
    fired_at: datetime | None
    there_at: datetime | None
    """When the other system began, or said that it was done where it did not say that it began."""
    verdict: Verdict


def ran_there(pings: Iterable[Ping]) -> list[datetime]:
    """Return when the other system ran it: one time for each run, oldest first. What only says a word is no run."""
    times: list[datetime] = []
    has_begun = False
    for ping in sorted(pings, key=lambda ping: (ping.at, ping.id)):
        if ping.kind is PingKind.LOG:
            continue
        if ping.kind is PingKind.START or not has_begun:
            times.append(ping.at)
        has_begun = ping.kind is PingKind.START
    return times


def compared(fired: Sequence[Fired], there: Sequence[datetime], *, within: timedelta, now: datetime) -> list[Compared]:
    """Put each run of the other system beside the slot that it belongs to; return all by time.

    It belongs to the nearest slot that it is at most `within` behind (or a minute before) and that no earlier run was
    for: of a schedule of each minute not to the next one. A slot that the other system still has time for, `within`
    from its instant on, is left out.
    """
    open_: dict[datetime, Fired] = {one.slot: one for one in fired}
    found: list[Compared] = []
    for at in sorted(there):
        near = [slot for slot in open_ if slot - EARLY <= at <= slot + within]
        if not near:
            found.append(Compared(slot=None, fired_at=None, there_at=at, verdict=Verdict.ONLY_THERE))
            continue
        one = open_.pop(min(near, key=lambda slot: abs(at - slot)))
        found.append(Compared(slot=one.slot, fired_at=one.at, there_at=at, verdict=Verdict.BOTH))
    for one in open_.values():
        if one.slot + within < now:
            found.append(Compared(slot=one.slot, fired_at=one.at, there_at=None, verdict=Verdict.ONLY_HERE))
    return sorted(found, key=_at)


def _at(row: Compared) -> datetime:
    return row.slot or row.there_at or EPOCH
