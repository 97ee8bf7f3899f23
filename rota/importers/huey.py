"""Huey's periodic tasks: functions under `@huey.periodic_task(crontab(...))`.

Sources:
    Huey 2.x, "Guide: Periodic tasks" and "crontab": every field must match, Sunday is 0 (and 7), nothing has names;
    "Consumer options": the times are UTC, unless --localtime (-o) or `utc=False` says otherwise.
"""

import ast
from collections.abc import Iterator

from msgspec.structs import replace

from rota.errors import BadSchedule, NoEqual
from rota.importers.fields import DAY, HOUR, MINUTE, MONTH, WEEKDAY, Chosen, Dialect, Span, any_of, expression, values
from rota.importers.found import LOST, OVERLAPS, Finding, apart, canonical
from rota.importers.python import Source, arguments, literal, refused, source, text_in, written

UTC = "Huey's times are UTC, unless its consumer runs with --localtime (-o): then name the machine's zone with --tz"
LOCALTIME = (
    "utc=False: its times are the machine's there, and here the setting timezone's; name the machine's with --tz"
)
EACH_MINUTE = "minute is not said: it is due each minute of those hours and days, there as here"

DECORATORS = {"periodic_task", "db_periodic_task"}
DIALECT = Dialect(system="Huey", highest_weekday=7, steps_after=("*",))

_FIELDS = {"minute": MINUTE, "hour": HOUR, "day": DAY, "month": MONTH, "day_of_week": WEEKDAY}
_KEPT_ELSEWHERE = {"retries", "retry_delay", "priority"}


def read(text: str, *, zone: str | None = None) -> list[Finding]:
    """Return the periodic tasks of a Python file; `zone` is the machine's, where the consumer runs in local time.

    Raises:
        SourceUnreadable: it is no Python.
    """
    code = source(text)
    said, unsaid = _zone(code, zone)
    return apart(_tasks(code, said, unsaid))


def _zone(code: Source, zone: str | None) -> tuple[str | None, list[str]]:
    if zone is not None:
        return zone, []
    for node in code.nodes:
        if isinstance(node, ast.Call) and code.called(node).endswith("Huey"):
            for keyword in node.keywords:
                if keyword.arg == "utc" and isinstance(keyword.value, ast.Constant) and keyword.value.value is False:
                    return None, [LOCALTIME]
    return "UTC", [UTC]


def _tasks(code: Source, zone: str | None, unsaid: list[str]) -> Iterator[Finding]:
    under = set()
    for node in code.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and code.called(decorator) in DECORATORS:
                    under.add(decorator)
                    yield _finding(decorator, node.name, code, zone, unsaid)
    for node in code.nodes:
        if isinstance(node, ast.Call) and code.called(node) in DECORATORS and node not in under:
            problem = f"a task that is made by a call, not by a decorator: {written(node)}"
            yield Finding(line=node.lineno, name="?", job="", problem=problem)


def _finding(call: ast.Call, function: str, code: Source, zone: str | None, unsaid: list[str]) -> Finding:
    unread = Finding(line=call.lineno, name=function, job=function)
    try:
        given = arguments(call, ("validate_datetime",), "periodic_task")
        if "name" in given:
            unread = replace(unread, name=text_in(given.pop("name"), "name"))
        when = given.pop("validate_datetime", None)
        if when is None or code.called(when) != "crontab":
            raise NoEqual(
                f"only crontab(...) is read; a function that looks at each minute has no equal: {_shown(when)}"
            )
        timing, differences = _timing(when, zone)
    except (NoEqual, BadSchedule) as error:
        return replace(unread, problem=str(error))
    for name in sorted(given):
        place = "the job's own setting here" if name in _KEPT_ELSEWHERE else "without an equal here"
        differences.append(f"option {name} is {place}")
    return replace(unread, timing=timing, zone=zone, differences=(*unsaid, *differences, LOST, OVERLAPS))


def _timing(when: ast.expr, zone: str | None) -> tuple[str, list[str]]:
    assert isinstance(when, ast.Call)
    given = arguments(when, tuple(_FIELDS), "crontab")
    given.pop("strict", None)
    if set(given) - set(_FIELDS):
        raise refused(when, "crontab")
    said = {name: literal(part, name) for name, part in given.items()}
    chosen = {name: _chosen(said.get(name, "*"), span) for name, span in _FIELDS.items()}
    text = expression(
        minute=chosen["minute"],
        hour=chosen["hour"],
        day=chosen["day"],
        month=chosen["month"],
        weekday=chosen["day_of_week"],
    )
    trap = [EACH_MINUTE] if said.get("minute", "*") == "*" and text != "* * * * *" else []
    return canonical(text, zone=zone), trap


def _chosen(value: object, span: Span) -> Chosen:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if text == "*":
        return any_of(span)
    if span is WEEKDAY and ("*/" in text or "-7" in text):
        raise NoEqual(f"{span.name}: Huey reads {text[:40]!r} as an error, or as no day at all")
    return values(text, span, DIALECT)


def _shown(when: ast.expr | None) -> str:
    return "nothing" if when is None else written(when)
