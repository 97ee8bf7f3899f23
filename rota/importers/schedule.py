"""The library `schedule`: `schedule.every().day.at("10:30").do(job)` and `@repeat(every().hour)`.

Sources:
    schedule 1.2, "Examples", "Timezone", "Background execution", "Reference": times without a zone are the machine's,
    periods count from `do(...)` and after each run, `to` draws the next period, nothing is made up.
"""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from rota.core.kind import WEEKDAYS
from rota.errors import BadSchedule, NoEqual
from rota.importers.found import LOCAL, LOST, PERIOD, Finding, apart, canonical, period
from rota.importers.python import Source, arguments, literal, refused, source, text_in, written, zone_in

UNTIL = "until: it ends by itself there; here it goes on until you delete or pause it"
TAGS = "tags are not kept"
COUNTED = "there each n-th counts from the start of the process; here hours from midnight, days from 1970-01-01"
NO_TIME = "no time is said: there it is the one when the process started, here 00:00"
ONE_BY_ONE = "its jobs run one after another in one thread; here beside each other"

LONGEST_CHAIN = 50
"""Links of a chain that are followed back to its `every`."""

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_DAY_CLOCK = re.compile(r"[0-2][0-9]:[0-5][0-9](?::[0-5][0-9])?")
_HOUR_CLOCK = re.compile(r"([0-5][0-9])?:([0-5][0-9])")
_MINUTE_CLOCK = re.compile(r":([0-5][0-9])")


class Said(Struct, frozen=True, kw_only=True):
    """What a chain says: `every(2).days.at("10:30", "Europe/Paris")`."""

    n: int
    unit: str = ""
    weekday: str = ""
    clock: str = ""
    zone: str | None = None
    differences: tuple[str, ...] = ()


def read(text: str, *, zone: str | None = None) -> list[Finding]:
    """Return the jobs of a Python file; `zone` is the machine's, if it is known.

    Raises:
        SourceUnreadable: it is no Python.
    """
    code = source(text)
    return apart(_jobs(code, zone))


def _jobs(code: Source, zone: str | None) -> Iterator[Finding]:
    for node in code.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and code.called(decorator) == "repeat" and decorator.args:
                    chain, *args = decorator.args
                    yield _finding(decorator, chain, node.name, args, code, zone)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_schedule(node.func, code):
            function, args = (node.args[0], node.args[1:]) if node.args else (None, [])
            name = code.named(function).rpartition(".")[2] if function else ""
            yield _finding(node, node.func.value, name, args, code, zone)


def _is_schedule(verb: ast.Attribute, code: Source) -> bool:
    """Return whether this is the `do` of a chain that begins with `every(...)`."""
    node: ast.expr = verb.value
    for _ in range(LONGEST_CHAIN if verb.attr == "do" else 0):
        if code.called(node) == "every":
            return True
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            node = node.value
    return False


def _finding(
    call: ast.Call, chain: ast.expr, job: str, args: list[ast.expr], code: Source, zone: str | None
) -> Finding:
    unread = Finding(line=call.lineno, name=job or "?", job=job)
    try:
        if not job:
            raise NoEqual(f"the function has no name: {written(call)}")
        named = arguments(ast.Call(func=call.func, args=[], keywords=call.keywords), (), "do")
        said = _said(chain, code)
        timing, differences = _timing(said, said.zone or zone)
        return replace(
            unread,
            timing=timing,
            zone=said.zone or zone,
            args=tuple(literal(part, "an argument") for part in args),
            kwargs={name: literal(part, "an argument") for name, part in named.items()},
            differences=(*differences, *said.differences, LOST, ONE_BY_ONE),
        )
    except (NoEqual, BadSchedule) as error:
        return replace(unread, problem=str(error))


def _said(node: ast.expr, code: Source) -> Said:
    if code.called(node) == "every":
        assert isinstance(node, ast.Call)
        given = arguments(node, ("interval",), "every")
        n = literal(given["interval"], "every") if "interval" in given else 1
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise refused(node, "every")
        return Said(n=n)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _told(_said(node.func.value, code), node, node.func.attr, code)
    if isinstance(node, ast.Attribute):
        before, word = _said(node.value, code), node.attr
        if word in WEEKDAYS:
            if before.n != 1:
                raise NoEqual(f"every({before.n}).{word}: the library refuses that, too")
            return replace(before, unit="week", weekday=word)
        if word.removesuffix("s") in _UNITS:
            return replace(before, unit=word.removesuffix("s"))
    raise refused(node, "the schedule")


def _told(before: Said, call: ast.Call, verb: str, code: Source) -> Said:
    match verb:
        case "at":
            given = arguments(call, ("time_str", "tz"), "at")
            if "time_str" not in given or set(given) - {"time_str", "tz"}:
                raise refused(call, "at")
            has_zone = "tz" in given and not (isinstance(given["tz"], ast.Constant) and given["tz"].value is None)
            zone = zone_in(given["tz"], code) if has_zone else None
            return replace(before, clock=text_in(given["time_str"], "the time"), zone=zone)
        case "to":
            raise NoEqual("to: a period that is drawn anew each time has no equal; H in a cron expression spreads")
        case "until":
            return replace(before, differences=(*before.differences, UNTIL))
        case "tag":
            return replace(before, differences=(*before.differences, TAGS))
        case _:
            raise refused(call, "the schedule")


def _timing(said: Said, zone: str | None) -> tuple[str, list[str]]:
    unzoned = [] if zone else [LOCAL]
    counted = [COUNTED] if said.n > 1 else []
    if not said.unit:
        raise NoEqual("the schedule names no unit: every(10).minutes")
    if said.weekday:
        clock = _clock(said, _DAY_CLOCK)[0] if said.clock else "00:00"
        return canonical(f"every {said.weekday} at {clock}", zone=zone), [*([] if said.clock else [NO_TIME]), *unzoned]
    if not said.clock:
        return period(timedelta(seconds=min(said.n, 10**8) * _UNITS[said.unit])), [PERIOD]
    match said.unit:
        case "day":
            return canonical(f"every {said.n} days at {_clock(said, _DAY_CLOCK)[0]}", zone=zone), [*counted, *unzoned]
        case "hour":
            first, second = _clock(said, _HOUR_CLOCK).group(1, 2)
            clock = f"{first}:{second}" if first else second
            return canonical(f"every {said.n} hours at :{clock}", zone=zone), [*counted, *unzoned]
        case "minute" if 60 % said.n == 0:
            minutes = "*" if said.n == 1 else f"*/{said.n}"
            return canonical(f"{_clock(said, _MINUTE_CLOCK)[1]} {minutes} * * * *", zone=zone), [*counted, *unzoned]
        case _:
            raise NoEqual(f"at {said.clock[:20]!r} does not go with every {said.n} {said.unit}s")


def _clock(said: Said, form: re.Pattern[str]) -> re.Match[str]:
    found = form.fullmatch(said.clock)
    if found is None:
        raise NoEqual(f"at {said.clock[:20]!r} is no time for every {said.unit}")
    return found
