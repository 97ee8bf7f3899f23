"""When a Celery entry is due: crontab, timedelta, a number of seconds, schedule.

Sources:
    Celery 5.6, "Periodic Tasks" (crontab schedules, time zones) and "celery.schedules": a day must match day_of_week,
    day_of_month and month_of_year; ranges go around; Sunday is 0. A period runs from the last run.
"""

import ast
from collections.abc import Mapping

from rota.errors import NoEqual
from rota.importers.fields import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    WEEKDAY,
    Chosen,
    Dialect,
    Span,
    Wrap,
    any_of,
    expression,
    values,
)
from rota.importers.found import OVERLAPS, PERIOD, RAN_LATE, canonical, period
from rota.importers.python import Source, arguments, duration_in, is_number, literal, refused

FIELDS: Mapping[str, Span] = {
    "minute": MINUTE,
    "hour": HOUR,
    "day_of_week": WEEKDAY,
    "day_of_month": DAY,
    "month_of_year": MONTH,
}
EACH_MINUTE = "minute is not said: it is due each minute of those hours and days, there as here"

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
DIALECT = Dialect(
    system="Celery",
    weekdays={name[:size]: number for number, name in enumerate(_DAYS) for size in (3, len(name))},
    range_end=Wrap.AROUND,
)


def timing_in(node: ast.expr, code: Source, zone: str | None) -> tuple[str, list[str]]:
    """Return the timing of a `schedule`, and what differs.

    Raises:
        NoEqual: it has no equal, or is not written out.
        BadSchedule: Rota refuses it.
    """
    match code.called(node):
        case "crontab":
            assert isinstance(node, ast.Call)
            given = {name: literal(part, name) for name, part in arguments(node, tuple(FIELDS), "crontab").items()}
            return crontab(given, zone)
        case "solar":
            raise NoEqual("solar: Rota knows no sunrise; have a job look it up, and `Snooze` until then")
        case "schedule":
            assert isinstance(node, ast.Call)
            given_parts = arguments(node, ("run_every", "relative"), "schedule")
            if set(given_parts) - {"run_every", "relative"} or "run_every" not in given_parts:
                raise refused(node, "schedule")
            return period(duration_in(given_parts["run_every"], code, "schedule")), [PERIOD, RAN_LATE, OVERLAPS]
        case "" | "timedelta":
            return period(duration_in(node, code, "schedule")), [PERIOD, RAN_LATE, OVERLAPS]
        case _:
            raise refused(node, "schedule")


def crontab(given: Mapping[str, object], zone: str | None) -> tuple[str, list[str]]:
    """Return the timing of these fields of `crontab`, and what differs. Raises as `timing_in` does."""
    if unknown := sorted(set(given) - set(FIELDS)):
        raise NoEqual(f"crontab has {', '.join(unknown)}, which has no equal here")
    chosen = {name: _chosen(given.get(name, "*"), span) for name, span in FIELDS.items()}
    text = expression(
        minute=chosen["minute"],
        hour=chosen["hour"],
        day=chosen["day_of_month"],
        month=chosen["month_of_year"],
        weekday=chosen["day_of_week"],
    )
    trap = [EACH_MINUTE] if given.get("minute", "*") == "*" and text != "* * * * *" else []
    return canonical(text, zone=zone), [*trap, RAN_LATE, OVERLAPS]


def _chosen(value: object, span: Span) -> Chosen:
    if isinstance(value, str):
        return any_of(span) if value == "*" else values(value, span, DIALECT)
    parts = value if isinstance(value, list | tuple | set) else [value]
    if not parts or not all(is_number(part) and isinstance(part, int) for part in parts):
        raise NoEqual(f"{span.name}: Celery has no {str(value)[:40]!r}")
    return values(",".join(map(str, parts)), span, DIALECT)
