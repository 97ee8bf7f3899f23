"""When an APScheduler job is due: the triggers cron, interval and date.

Sources:
    APScheduler 3.11, "apscheduler.triggers.cron", "...interval", "...date": every field must match; Monday is 0, also
    in `from_crontab`; fields after the last one given are at their lowest, those before are `*`; a period counts from
    its start_date, or from when the job was added.
"""

import ast
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from rota.errors import NoEqual
from rota.importers.fields import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    WEEKDAY,
    Chosen,
    Dialect,
    any_of,
    compact,
    expression,
    values,
)
from rota.importers.found import LOCAL, PERIOD, canonical, period
from rota.importers.python import Source, arguments, is_number, literal, moment_in, refused, text_in, zone_in

CRON = ("year", "month", "day", "week", "day_of_week", "hour", "minute", "second")
"""From the largest field to the smallest, as the triggers take them."""
AROUND = ("start_date", "end_date", "timezone", "jitter")
INTERVAL = ("weeks", "days", "hours", "minutes", "seconds")

OWN_ZONE = "a trigger that is made without a timezone has the machine's, and not the scheduler's"
END = "end_date: it ends by itself there; here it goes on until you delete or pause it"
START = "start_date: it begins later there; here at once"
JITTER = "jitter is without an equal; H in a cron expression spreads the tenants"
MONDAY = "day_of_week 0 is Monday there, also in from_crontab; here it is written with Sunday as 0"

_SPANS = {
    "month": MONTH,
    "day": DAY,
    "day_of_week": WEEKDAY,
    "hour": HOUR,
    "minute": MINUTE,
    "second": SECOND,
}
_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DIALECT = Dialect(
    system="APScheduler",
    weekdays={name: number for number, name in enumerate(_NAMES)},
    months={name: number for number, name in enumerate(_MONTHS, start=1)},
    sunday=6,
    steps_after=("*", "range", "number"),
)
_NTH = re.compile(r"(1st|2nd|3rd|4th|5th|last) +([a-z]{3})")

Parts = Mapping[str, ast.expr]


def timing_of(kind: str, parts: Parts, code: Source, zone: str | None) -> tuple[str, str | None, list[str]]:
    """Return the timing of a trigger with these arguments, its zone, and what differs.

    Raises:
        NoEqual: it has no equal, or is not written out.
        BadSchedule: Rota refuses it.
    """
    zone = zone_in(parts["timezone"], code) if "timezone" in parts else zone
    match kind:
        case "cron":
            return _cron(parts, zone)
        case "interval":
            return _interval(parts, code, zone)
        case "date":
            return _date(parts, code, zone)
        case _:
            raise NoEqual(f"the trigger {kind[:40]!r} has no equal here; cron, interval and date are read")


def trigger_in(node: ast.expr, code: Source) -> tuple[str, Parts]:
    """Return the kind of a trigger that is an object, and its arguments."""
    assert isinstance(node, ast.Call)
    name = code.called(node)
    if name == "from_crontab":
        given = arguments(node, ("expr", "timezone"), name)
        words = text_in(given.pop("expr"), "the expression").split() if "expr" in given else []
        if len(words) != 5:
            raise NoEqual(f"from_crontab takes five fields, and here are {len(words)}")
        fields = dict(zip(("minute", "hour", "day", "month", "day_of_week"), words, strict=True))
        written: Parts = {key: ast.copy_location(ast.Constant(word), node) for key, word in fields.items()}
        return "cron", {**written, **given}
    places = {
        "CronTrigger": ("cron", (*CRON, *AROUND)),
        "IntervalTrigger": ("interval", (*INTERVAL, *AROUND)),
        "DateTrigger": ("date", ("run_date", "timezone")),
    }
    if name not in places:
        raise refused(node, "the trigger")
    kind, names = places[name]
    return kind, arguments(node, names, name)


def _cron(parts: Parts, zone: str | None) -> tuple[str, str | None, list[str]]:
    if unknown := sorted(set(parts) - {*CRON, *AROUND}):
        raise NoEqual(f"the cron trigger has no {', '.join(unknown)[:60]}")
    given = {name: _field(parts[name], name) for name in CRON if name in parts}
    for name in ("year", "week"):
        if given.get(name, "*") != "*":
            raise NoEqual(f"{name} has no equal in a cron expression")
    # The smallest field that is given: those below it are at their lowest.
    last = max((CRON.index(name) for name in given), default=len(CRON))
    text = _expression(given, last)
    differences = [*([] if zone else [LOCAL]), *_around(parts)]
    if any(char.isdigit() for char in given.get("day_of_week", "").partition("/")[0]):
        differences.append(MONDAY)
    if "start_date" in parts:
        differences.append(START)
    return canonical(text, zone=zone), zone, differences


def _expression(given: Mapping[str, str], last: int) -> str:
    chosen = {name: _chosen(name, given, last) for name in _SPANS}
    special = _special_days(given.get("day", ""))
    if special is None:
        return expression(
            second=chosen["second"],
            minute=chosen["minute"],
            hour=chosen["hour"],
            day=chosen["day"],
            month=chosen["month"],
            weekday=chosen["day_of_week"],
        )
    if chosen["day_of_week"].numbers != WEEKDAY.all:
        raise NoEqual("day and day_of_week must both match there, and here either is enough")
    fields = [compact(chosen[name], _SPANS[name]) for name in ("second", "minute", "hour")]
    day, weekday = special
    return " ".join([*(fields[1:] if fields[0] == "0" else fields), day, compact(chosen["month"], MONTH), weekday])


def _chosen(name: str, given: Mapping[str, str], last: int) -> Chosen:
    span = _SPANS[name]
    if name in given and (name != "day" or _special_days(given[name]) is None):
        return values(given[name], span, DIALECT)
    if name in given or name == "day_of_week" or CRON.index(name) < last or last == len(CRON):
        return any_of(span)
    return Chosen(numbers=frozenset({span.low}))


def _special_days(day: str) -> tuple[str, str] | None:
    """Return day of month and day of week for `last`, `2nd mon`, `last fri`."""
    if day.strip().lower() == "last":
        return "L", "*"
    found = [_NTH.fullmatch(part.strip()) for part in day.lower().split(",")]
    if not any(found):
        return None
    if not all(one and one[2] in _NAMES for one in found):
        raise NoEqual(f"day: {day[:40]!r} cannot be said in a cron expression")
    said = []
    for one in found:
        assert one is not None
        weekday = (_NAMES.index(one[2]) + 1) % 7
        said.append(f"{weekday}L" if one[1] == "last" else f"{weekday}#{one[1][0]}")
    return "*", ",".join(said)


def _field(node: ast.expr, name: str) -> str:
    value = literal(node, name)
    if value is None:
        return "*"
    if not isinstance(value, int | str) or isinstance(value, bool):
        raise refused(node, name)
    return str(value)


def _interval(parts: Parts, code: Source, zone: str | None) -> tuple[str, str | None, list[str]]:
    if unknown := sorted(set(parts) - {*INTERVAL, *AROUND}):
        raise NoEqual(f"the interval trigger has no {', '.join(unknown)[:60]}")
    sizes = {name: literal(parts[name], name) for name in INTERVAL if name in parts}
    if not all(is_number(size) for size in sizes.values()):
        raise NoEqual("the interval is not written out in numbers")
    try:
        length = timedelta(**sizes)  # type: ignore[arg-type]  # numbers, each of them
    except OverflowError as error:
        raise NoEqual("the interval is too long") from error
    # Nothing given is a period of one second, by the library's own reading.
    text = period(length or timedelta(seconds=1))
    if "start_date" not in parts:
        return text, None, [PERIOD, *_around(parts)]
    start = _instant(parts["start_date"], code, zone, "start_date")
    return canonical(f"{text} from {start:%Y-%m-%dT%H:%M:%S}Z"), None, _around(parts)


def _date(parts: Parts, code: Source, zone: str | None) -> tuple[str, str | None, list[str]]:
    if "run_date" not in parts or set(parts) - {"run_date", "timezone"}:
        raise NoEqual("a date trigger without run_date runs at once, and once: enqueue the job where that is meant")
    moment = moment_in(parts["run_date"], code, "run_date")
    if moment.tzinfo is not None:
        return canonical(f"at {moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}", zone="UTC"), "UTC", []
    return canonical(f"at {moment:%Y-%m-%dT%H:%M:%S}", zone=zone), zone, [] if zone else [LOCAL]


def _instant(node: ast.expr, code: Source, zone: str | None, what: str) -> datetime:
    moment = moment_in(node, code, what)
    if moment.tzinfo is None:
        if zone is None:
            raise NoEqual(f"{what} is a local time, and of which zone is not said: name the machine's with --tz")
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return moment.astimezone(UTC)


def _around(parts: Parts) -> list[str]:
    return [text for name, text in (("end_date", END), ("jitter", JITTER)) if name in parts]
