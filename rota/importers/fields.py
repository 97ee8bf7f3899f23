"""The fields of a cron-like schedule in the dialects of other systems, and the Rota expression with the same slots."""

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct, field

from rota.errors import NoEqual


class Span(Struct, frozen=True, kw_only=True):
    """The values that a field may have, as numbers of Rota's: Sunday is 0."""

    name: str
    low: int
    high: int

    @property
    def all(self) -> frozenset[int]:
        return frozenset(range(self.low, self.high + 1))


SECOND = Span(name="second", low=0, high=59)
MINUTE = Span(name="minute", low=0, high=59)
HOUR = Span(name="hour", low=0, high=23)
DAY = Span(name="day of month", low=1, high=31)
MONTH = Span(name="month", low=1, high=12)
WEEKDAY = Span(name="day of week", low=0, high=6)


class Wrap(Enum):
    """What a range does whose end lies before its start."""

    AROUND = "around"
    REFUSED = "refused"


class Dialect(Struct, frozen=True, kw_only=True):
    """How another system reads a field."""

    system: str
    weekdays: Mapping[str, int] = field(default_factory=dict)
    """Its names of weekdays, in lower case, with its numbers."""
    months: Mapping[str, int] = field(default_factory=dict)
    range_end: Wrap = Wrap.REFUSED
    sunday: int = 0
    """The number of Sunday there: 0, or 6 where Monday is 0."""
    highest_weekday: int = 6
    steps_after: tuple[str, ...] = ("*", "range")
    """What `/n` may follow: `*`, a `range`, or a `number`."""


class Chosen(Struct, frozen=True, kw_only=True):
    """The values of one field, as numbers of Rota's."""

    numbers: frozenset[int]
    has_star: bool = False
    """Whether it was written with a star: such a field follows the clock through daylight saving, others are fixed."""


def any_of(span: Span) -> Chosen:
    """Return every value of a field."""
    return Chosen(numbers=span.all, has_star=True)


def values(text: str, span: Span, dialect: Dialect) -> Chosen:
    """Return the values that a field's text names.

    Raises:
        NoEqual: the other system would refuse it, or read it in a way that nobody means.
    """
    parts = text.strip().lower().split(",")
    numbers = frozenset(value for part in parts for value in _part(part, span, dialect))
    return Chosen(numbers=numbers, has_star=text.strip().startswith("*"))


def expression(
    *, minute: Chosen, hour: Chosen, day: Chosen, month: Chosen, weekday: Chosen, second: Chosen | None = None
) -> str:
    """Return the cron expression that is due when every field matches.

    Raises:
        NoEqual: days of the month and days of the week have both to match, in a way that has no expression here:
            Debian's cron takes either of the two.
    """
    days, weekdays = _days(day, weekday)
    fields = [compact(minute, MINUTE), compact(hour, HOUR), days, compact(month, MONTH), weekdays]
    has_seconds = second is not None and second.numbers != {0}
    return " ".join([compact(second, SECOND), *fields] if second and has_seconds else fields)


def compact(chosen: Chosen, span: Span) -> str:
    """Return a field as short as it can be said: `*`, `*/15`, `1-5`, `3,7-9`."""
    if chosen.numbers == span.all:
        return "*"
    step = _step(chosen.numbers, span)
    if step and chosen.has_star:
        return f"*/{step}"
    runs: list[list[int]] = []
    for number in sorted(chosen.numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)


def _step(numbers: frozenset[int], span: Span) -> int | None:
    """Return n when the numbers are those of `*/n`."""
    ordered = sorted(numbers)
    step = ordered[1] - span.low if len(ordered) > 1 else 0
    return step if step > 0 and ordered == list(range(span.low, span.high + 1, step)) else None


def _days(day: Chosen, weekday: Chosen) -> tuple[str, str]:
    days, weekdays = compact(day, DAY), compact(weekday, WEEKDAY)
    if "*" in (days, weekdays):
        return days, weekdays
    # One that begins with a star has to match as well as the other: Debian's crontab(5).
    if step := _step(day.numbers, DAY):
        return f"*/{step}", weekdays
    if step := _step(weekday.numbers, WEEKDAY):
        return days, f"*/{step}"
    weeks = {number: frozenset(range(7 * number - 6, min(7 * number, DAY.high) + 1)) for number in range(1, 6)}
    chosen = [number for number, its_days in weeks.items() if its_days <= day.numbers]
    if day.numbers == {one for number in chosen for one in weeks[number]}:
        # The days 1 to 7 and a Monday: the first Monday.
        return "*", ",".join(f"{one}#{number}" for number in chosen for one in sorted(weekday.numbers))
    reason = f"day of month ({days}) and day of week ({weekdays}) must both match there; here either is enough"
    raise NoEqual(f"{reason}, and only whole weeks (1-7, 8-14, ...) can be said another way")


def _part(part: str, span: Span, dialect: Dialect) -> list[int]:
    head, slash, step = part.partition("/")
    first, dash, last = head.partition("-")
    kind = "*" if head == "*" else "range" if dash else "number"
    if slash and (kind not in dialect.steps_after or not step.isdecimal() or not int(step[:9])):
        raise NoEqual(f"{span.name}: {dialect.system} has no {part[:40]!r}")
    if kind == "*":
        found = list(range(span.low, span.high + 1))
    else:
        start = _number(first, span, dialect)
        end = _number(last, span, dialect) if dash else span.high if slash else start
        if end < start and dialect.range_end is Wrap.REFUSED:
            raise NoEqual(f"{span.name}: the end of {part[:40]!r} lies before its start")
        found = list(range(start, end + 1)) or [*range(start, span.high + 1), *range(span.low, end + 1)]
    stepped = found[:: int(step[:9]) if slash else 1]
    # That system's numbers until here: its steps count from its own first day of the week.
    return [(number - dialect.sunday) % 7 for number in stepped] if span is WEEKDAY else stepped


def _number(text: str, span: Span, dialect: Dialect) -> int:
    highest = dialect.highest_weekday if span is WEEKDAY else span.high
    named = dialect.weekdays if span is WEEKDAY else dialect.months if span is MONTH else {}
    number = int(text) if text.isdecimal() and len(text) < 5 else named.get(text, -1)
    if not span.low <= number <= highest:
        raise NoEqual(f"{span.name}: {dialect.system} has no {text[:40]!r}")
    return number
