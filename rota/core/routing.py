"""Who is told of what, and when: channels, rules, quiet hours (R50)."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

from rota.core.alert import IncidentKind, Stage
from rota.core.incident import Incident

OF_RUNS = frozenset({IncidentKind.FAILED, IncidentKind.TIMED_OUT, IncidentKind.LOST})
"""Kinds of incidents that are about runs which failed for good."""

MEANS: dict[str, frozenset[IncidentKind]] = {
    **{str(kind): frozenset({kind}) for kind in IncidentKind},
    # Who asks for failures means what did not succeed, however it ended.
    "failed": OF_RUNS,
    "missed": frozenset({IncidentKind.STALE}),
}
"""The words for kinds, as `on` and rules have them."""

RECOVERED = "recovered"


class Quiet(Struct, frozen=True, kw_only=True):
    """Hours of a day in which nobody is to be told: from `start` up to `end`, over midnight where that is earlier."""

    start: time
    end: time
    zone: str = "UTC"

    def until(self, now: datetime) -> datetime | None:
        """Return when they end, where `now` is within them; the clock on the wall counts, also where it changes."""
        zone = ZoneInfo(self.zone)
        local = now.astimezone(zone)
        clock = local.time()
        is_over_midnight = self.end <= self.start
        is_within = self.start <= clock or clock < self.end if is_over_midnight else self.start <= clock < self.end
        if not is_within:
            return None
        day = local.date() + timedelta(days=1) if is_over_midnight and self.start <= clock else local.date()
        ends = _on_wall(day, self.end, zone, fold=0).astimezone(now.tzinfo)
        # In the hour that is there twice the first end may have passed already.
        return ends if ends > now else _on_wall(day, self.end, zone, fold=1).astimezone(now.tzinfo)


class Channel(Struct, frozen=True, kw_only=True):
    """A channel, and what it is told of."""

    name: str
    kinds: frozenset[IncidentKind] = frozenset(IncidentKind)
    recoveries: bool = True
    """Whether it is told that what it was told of is over."""


class Rule(Struct, frozen=True, kw_only=True):
    """Which incidents go to which channels; what is empty narrows nothing."""

    jobs: tuple[str, ...] = ()
    """Patterns: `mail_*`."""
    tenants: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """Of the job, or of tenants: one of them is enough."""
    kinds: frozenset[IncidentKind] = frozenset(IncidentKind)
    channels: tuple[str, ...] | None = None
    """Names; none at all is told to nobody. `None`: all."""
    quiet: Quiet | None = None
    urgent: frozenset[IncidentKind] = frozenset()
    """Kinds that are told at any hour."""

    def is_for(self, incident: Incident, tenants: Iterable[str], tags: frozenset[str]) -> bool:
        """Whether it says who is told of an incident that meets these tenants; its job and they have these tags."""
        return (
            incident.kind in self.kinds
            and (not self.jobs or _any([incident.job], self.jobs))
            and (not self.tenants or _any(tenants, self.tenants))
            and (not self.tags or not tags.isdisjoint(self.tags))
        )


class Route(NamedTuple):
    """A channel that is told, and when at the earliest."""

    channel: str
    at: datetime


def routes(
    incident: Incident,
    stage: Stage,
    *,
    channels: Sequence[Channel],
    rules: Sequence[Rule],
    tenants: Sequence[str] = (),
    tags: frozenset[str] = frozenset(),
    now: datetime,
) -> list[Route]:
    """Return who is told this news of an incident, in the order of the channels.

    The first rule that is for it decides; without one, every channel is told. That something is over is told to whoever
    was told that it began. What comes in quiet hours waits for their end; a reminder is left out.
    """
    rule = next((one for one in rules if one.is_for(incident, tenants, tags)), Rule())
    quiet_until = rule.quiet.until(now) if rule.quiet is not None and incident.kind not in rule.urgent else None
    if quiet_until is not None and stage is Stage.REMINDER:
        return []
    at = quiet_until or now
    if stage is Stage.RECOVERED:
        return [Route(one.name, at) for one in channels if one.name in incident.channels and one.recoveries]
    return [
        Route(one.name, at)
        for one in channels
        if incident.kind in one.kinds and (rule.channels is None or one.name in rule.channels)
    ]


def _on_wall(day: date, clock: time, zone: ZoneInfo, *, fold: int) -> datetime:
    return datetime.combine(day, clock, tzinfo=zone).replace(fold=fold)


def _any(names: Iterable[str], patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
