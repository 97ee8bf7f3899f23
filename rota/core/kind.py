"""The four kinds of timing: a cron expression, an interval, calendar words, one time.

Each is checked when it is made (R2), and `str()` of it is its canonical text: what is stored, and what `words.parse`
reads back as the same value. As JSON its `kind` tells which one it is.
"""

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import force_setattr

from rota.core import cron
from rota.core.zone import FIRST, LAST, TENANT, zone_named
from rota.errors import BadSchedule

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WORKDAYS = (0, 1, 2, 3, 4)
WEEKEND = (5, 6)
MOST_DAYS = 3660
"""The longest period, ten years: a longer one is a mistake in the unit."""


class Unit(StrEnum):
    """What a calendar timing repeats by."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


class Cron(Struct, frozen=True, kw_only=True, tag_field="kind", tag="cron"):
    """A cron expression (R2), kept in its canonical form: `cron.canonical`."""

    expression: str
    tz: str | None = None
    """An IANA name, `tenant`, or None: not said, so UTC unless the place of use has a default."""

    def __post_init__(self) -> None:
        force_setattr(self, "expression", cron.canonical(self.expression))
        _check_zone(self.tz, text=str(self))

    def __str__(self) -> str:
        return _joined(self.expression, self.tz)


class Interval(Struct, frozen=True, kw_only=True, tag_field="kind", tag="interval"):
    """Elapsed time: a slot each `every`, the first at the anchor. It has no zone and knows no daylight saving."""

    every: timedelta
    anchor: datetime | None = None
    """The first slot, aware; None: the epoch. Never the start of a process (R4)."""

    def __post_init__(self) -> None:
        if not timedelta(seconds=1) <= self.every <= timedelta(days=MOST_DAYS) or self.every.microseconds:
            reason = f"{self.every} is not in whole seconds, from 1 second to {MOST_DAYS} days"
            raise BadSchedule(f"every {self.every}", field="interval", reason=reason)
        if self.anchor is not None:
            sound = self.anchor.utcoffset() is not None and not self.anchor.microsecond
            if not sound or not FIRST.year < self.anchor.year < LAST.year:
                reason = f"{self.anchor} is not an aware time in whole seconds, between 1801 and 8999"
                raise BadSchedule(f"every {self.every}", field="anchor", reason=reason)
            force_setattr(self, "anchor", self.anchor.astimezone(UTC))

    def __str__(self) -> str:
        seconds = self.every // timedelta(seconds=1)
        size, unit = next(pair for pair in ((3600, "hour"), (60, "minute"), (1, "second")) if seconds % pair[0] == 0)
        start = f" from {_anchor_text(self.anchor)}" if self.anchor else ""
        return f"every {_counted(seconds // size, unit)}{start}"


class Calendar(Struct, frozen=True, kw_only=True, tag_field="kind", tag="calendar"):
    """Calendar words: each or each n-th hour, day or week, at a time of the wall clock."""

    unit: Unit
    at: time = time()
    """The time of day, in whole seconds; of an hourly timing only minute and second count."""
    n: int = 1
    """Each n-th hour, day or week. Hours count from midnight; days and weeks from the anchor."""
    weekdays: tuple[int, ...] = ()
    """For weeks: the days, ascending, Monday is 0."""
    anchor: date | None = None
    """The first day, local; weeks count from the Monday of its week. None: the epoch."""
    tz: str | None = None

    def __post_init__(self) -> None:
        if (self.unit is Unit.WEEK) != bool(self.weekdays) or not set(self.weekdays) <= set(range(7)):
            reason = "weeks, and only weeks, have days: every week on monday"
            raise BadSchedule(f"every {self.n} {self.unit}", field="weekday", reason=reason)
        force_setattr(self, "weekdays", tuple(sorted(set(self.weekdays))))
        text = str(self)
        _check_zone(self.tz, text=text)
        if self.at.microsecond or self.at.tzinfo is not None:
            raise BadSchedule(text, field="time", reason="it is naive and in whole seconds; a zone goes into tz")
        if not 1 <= self.n <= MOST_DAYS:
            raise BadSchedule(text, field="interval", reason=f"{self.n} is not between 1 and {MOST_DAYS}")
        if self.anchor and not 1900 <= self.anchor.year < 2200:
            raise BadSchedule(text, field="anchor", reason=f"{self.anchor} is not between 1900 and 2199")
        if self.unit is Unit.HOUR and (24 % self.n or self.anchor or self.at.hour):
            reason = "hours at a minute are 1, 2, 3, 4, 6, 8 or 12, without an anchor; else say: every 5 hours"
            raise BadSchedule(text, field="interval", reason=reason)

    def __str__(self) -> str:
        clock = self.at.isoformat("seconds" if self.at.second else "minutes")
        match self.unit:
            case Unit.HOUR:
                head, clock = f"every {_counted(self.n, 'hour')}", clock.removeprefix("00")
            case Unit.DAY:
                head = "daily" if self.n == 1 else f"every {self.n} days"
            case Unit.WEEK:
                days = _days_text(self.weekdays)
                head = f"every {days}" if self.n == 1 else f"every {self.n} weeks on {days}"
        return _joined(f"{head} at {clock}" + (f" from {self.anchor}" if self.anchor else ""), self.tz)


class Once(Struct, frozen=True, kw_only=True, tag_field="kind", tag="once"):
    """One time: when the wall clock of its zone first shows `at`, or right after the gap that leaves it out."""

    at: datetime
    """Naive, local, in whole seconds."""
    tz: str | None = None

    def __post_init__(self) -> None:
        _check_zone(self.tz, text=f"at {self.at}")
        if self.at.tzinfo is not None or self.at.microsecond or not FIRST < self.at < LAST:
            raise BadSchedule(
                f"at {self.at}", field="time", reason="it is naive and in whole seconds; a zone goes into tz"
            )

    def __str__(self) -> str:
        return _joined(f"at {self.at.isoformat(timespec='seconds' if self.at.second else 'minutes')}", self.tz)


Timing = Cron | Interval | Calendar | Once


def _check_zone(tz: str | None, *, text: str) -> None:
    if tz is not None and tz != TENANT:
        zone_named(tz, text=text)


def _joined(text: str, tz: str | None) -> str:
    return f"{text} {tz}" if tz else text


def _counted(n: int, unit: str) -> str:
    return unit if n == 1 else f"{n} {unit}s"


def _days_text(weekdays: tuple[int, ...]) -> str:
    if weekdays == WORKDAYS:
        return "weekday"
    if weekdays == WEEKEND:
        return "weekend"
    *most, last = (WEEKDAYS[day] for day in weekdays)
    return f"{', '.join(most)} and {last}" if most else last


def _anchor_text(anchor: datetime) -> str:
    if anchor.time() == time():
        return str(anchor.date())
    return anchor.replace(tzinfo=None).isoformat(timespec="seconds" if anchor.second else "minutes") + "Z"
