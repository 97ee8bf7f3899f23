"""Schedules as code that reads like words: `every().monday.at("02:00", tz="Europe/Paris")`.

A builder says the same words as a text would, and `words.parse` reads them: one grammar (R4). It complains on the
line that is wrong, as soon as no later step could put it right.
"""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from rota.core.kind import Cron, Once, Timing
from rota.core.timing import next_slot, with_default_zone
from rota.core.words import parse
from rota.errors import BadSchedule


class Every(Struct, frozen=True, kw_only=True):
    """A schedule being said. Each step returns a new one; it is complete with a unit, and weeks with a day."""

    count: int
    unit: str = ""
    names: tuple[str, ...] = ()
    """For weeks: the days."""
    clock: str = ""
    zone: str | None = None
    start: str = ""

    @property
    def seconds(self) -> "Every":
        """Seconds of elapsed time."""
        return self._by("second")

    @property
    def minutes(self) -> "Every":
        """Minutes of elapsed time, counted from the epoch or the anchor."""
        return self._by("minute")

    @property
    def hours(self) -> "Every":
        """Hours of elapsed time; with `.at(":17")`, hours of the wall clock at that minute."""
        return self._by("hour")

    @property
    def days(self) -> "Every":
        """Days of the calendar, at midnight unless `.at("03:00")` says otherwise."""
        return self._by("day")

    @property
    def weeks(self) -> "Every":
        """Weeks of the calendar; say the days with `.on("monday")`."""
        return self._by("week")

    @property
    def minute(self) -> "Every":
        """The same as `minutes`."""
        return self.minutes

    @property
    def hour(self) -> "Every":
        """The same as `hours`."""
        return self.hours

    @property
    def day(self) -> "Every":
        """The same as `days`."""
        return self.days

    @property
    def week(self) -> "Every":
        """The same as `weeks`."""
        return self.weeks

    @property
    def monday(self) -> "Every":
        """Each Monday."""
        return self._each("monday")

    @property
    def tuesday(self) -> "Every":
        """Each Tuesday."""
        return self._each("tuesday")

    @property
    def wednesday(self) -> "Every":
        """Each Wednesday."""
        return self._each("wednesday")

    @property
    def thursday(self) -> "Every":
        """Each Thursday."""
        return self._each("thursday")

    @property
    def friday(self) -> "Every":
        """Each Friday."""
        return self._each("friday")

    @property
    def saturday(self) -> "Every":
        """Each Saturday."""
        return self._each("saturday")

    @property
    def sunday(self) -> "Every":
        """Each Sunday."""
        return self._each("sunday")

    @property
    def weekday(self) -> "Every":
        """Each day from Monday to Friday."""
        return self._each("weekday")

    @property
    def weekend(self) -> "Every":
        """Each Saturday and each Sunday."""
        return self._each("weekend")

    def on(self, *days: str) -> "Every":
        """Say the days of a schedule of weeks, by their English names, or `weekday`, `weekend`."""
        if self.unit != "week":
            raise self._refused("weekday", "on() goes with weeks: every(2).weeks.on('monday')")
        return replace(self, names=self.names + days)._checked()

    def at(self, clock: str, *, tz: str | None = None) -> "Every":
        """Say the time, `"02:30"` for days and `":17"` for hours, and the zone whose wall clock shows it."""
        if not self.unit:
            raise self._refused("unit", "say it before the time: every().day.at('02:30')")
        return replace(self, clock=clock, zone=tz)._checked()

    def anchored(self, start: str) -> "Every":
        """Say the first day, `"2026-01-05"`, or the first instant of an interval: what each n-th is counted from."""
        if not self.unit:
            raise self._refused("unit", "say it before the anchor: every(2).days.anchored('2026-01-05')")
        return replace(self, start=start)._checked()

    @property
    def timing(self) -> Timing:
        """The timing that was said.

        Raises:
            BadSchedule: something is missing, or does not fit together.
        """
        if not self.unit:
            raise self._refused("unit", "it is missing: every(15).minutes, every().day, every().monday")
        if not self._is_complete:
            raise self._refused("weekday", "it is missing: every().week.on('monday'), or every().monday")
        return with_default_zone(parse(str(self)), self.zone)

    def __str__(self) -> str:
        names = ", ".join(self.names)
        if self.unit == "week":
            said = f"every {self.count} weeks" + (f" on {names}" if names else "")
        else:
            said = f"every {self.count} {self.unit}".rstrip()
        clock = f" at {self.clock}" if self.clock else ""
        return said + clock + (f" from {self.start}" if self.start else "")

    @property
    def _is_complete(self) -> bool:
        return bool(self.unit) and (self.unit != "week" or bool(self.names))

    def _by(self, unit: str) -> "Every":
        if self.unit:
            raise self._refused("unit", f"{self.unit} was said before {unit}; say one of them")
        return replace(self, unit=unit)._checked()

    def _each(self, name: str) -> "Every":
        if self.count != 1:
            raise self._refused("unit", f"write every({self.count}).weeks.on({name!r})")
        return self._by("week").on(name)

    def _checked(self) -> "Every":
        if self._is_complete:
            _ = self.timing
        return self

    def _refused(self, field: str, reason: str) -> BadSchedule:
        return BadSchedule(str(self), field=field, reason=reason)


When = str | Every | Timing
"""What a schedule may be given as, wherever one is taken."""


def every(n: int = 1) -> Every:
    """Begin to say a schedule: `every(15).minutes`, `every().day.at("03:00")`, `every().monday.at("02:00")`."""
    if n < 1:
        raise BadSchedule(f"every({n})", field="interval", reason="it is at least 1")
    return Every(count=n)


def cron(expression: str, *, tz: str | None = None) -> Cron:
    """Return the timing of a cron expression: five fields, six with leading seconds, or an alias such as `@daily`.

    `tz` is an IANA name, or `tenant`. `H` in a field is a stable hash of schedule and tenant.

    Raises:
        BadSchedule: it cannot be read, never matches, or is longer than 256 characters.
    """
    return Cron(expression=expression, tz=tz)


def at(moment: str | datetime, *, tz: str | None = None) -> Once:
    """Return the timing of one time: `at("2026-12-01T09:00", tz="Europe/Berlin")`.

    With an offset (`...+01:00`), or as an aware datetime, it is that instant, and takes no `tz`.

    Raises:
        BadSchedule: it cannot be read, or has an offset and a zone.
    """
    text = f"at {moment.isoformat() if isinstance(moment, datetime) else moment}"
    timing = parse(f"{text} {tz}" if tz else text)
    assert isinstance(timing, Once)
    return timing


def as_timing(when: When, *, tz: str | None = None) -> Timing:
    """Return the timing of a text, a builder or a timing; `tz` is its zone when it names none.

    Raises:
        BadSchedule: a text that cannot be read, a builder that is not complete, or something else altogether.
    """
    # Not trusted to be what its type says: it comes from decorators and rows as well.
    given: object = when
    if isinstance(given, str):
        return parse(given, tz=tz)
    if isinstance(given, Every):
        return with_default_zone(given.timing, tz)
    if isinstance(given, Timing):
        return with_default_zone(given, tz)
    reason = f"{type(given).__name__} is no schedule; give a text, every(...), cron(...) or at(...)"
    raise BadSchedule(repr(given), field="type", reason=reason)


def next_slots(when: When, *, after: datetime, count: int, tz: str | None = None) -> list[datetime]:
    """Return the next `count` slots strictly after `after`, in UTC; fewer when there are no more.

    Raises:
        ValueError: `after` is naive, or `count` is below 1.
        BadSchedule: `when` is refused, or its zone is `tenant`.
    """
    if count < 1:
        raise ValueError(f"count is {count}; at least 1")
    timing = as_timing(when, tz=tz)
    found: list[datetime] = []
    slot = next_slot(timing, after=after)
    while slot is not None and len(found) < count:
        found.append(slot)
        slot = next_slot(timing, after=slot)
    return found
