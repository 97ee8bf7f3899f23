"""A crontabber's list of jobs: dicts with a command, a frequency and perhaps a time, in Python or as JSON.

Sources:
    Socorro's "Crontabber" chapter and its list of jobs: `cmd`, `cmd_args`, `frequency` ("1d" where it is not said),
    `time` in UTC, `backfill`, `last_success`. The first run is at once, each next one a frequency after the last.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta

from msgspec.structs import replace

from rota.core.policy import CatchUp
from rota.errors import BadSchedule, NoEqual
from rota.importers.found import PERIOD, Finding, apart, canonical, period
from rota.importers.python import literal, source, written
from rota.importers.rows import rows

COMMANDS = ("cmd", "command")
ARGUMENTS = ("cmd_args", "args")
FREQUENCY = "1d"
BACKFILL = "run_time was passed for each time that is made up; here the job asks ctx.slot"
LAST_SUCCESS = "last_success was passed as an argument; here the job asks ctx.last_success, or ctx.window for both ends"
PARSED = "the arguments were a command's, which parsed them; here they are passed to the function as they are"
RETRIED = "what failed was tried again each minute until it was done; here the job's retry decides"
COUNTED = "there the days count from the first run; here from 1970-01-01, a Thursday: see the next slots with rota next"

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
_LENGTH = re.compile(r"([0-9]{1,9})([dhm])")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_KNOWN = {*COMMANDS, *ARGUMENTS, "kwargs", "name", "frequency", "time", "backfill", "last_success"}


def read(text: str, *, zone: str | None = None) -> list[Finding]:  # noqa: ARG001  its times are UTC, wherever it runs
    """Return the jobs of the list: as JSON, or in a Python file the lists whose items name a command.

    Raises:
        SourceUnreadable: it is neither.
    """
    if text.lstrip()[:1] == "[":
        return apart(_finding(line, item) for line, item in rows(text))
    return apart(_listed(text))


def _listed(text: str) -> Iterator[Finding]:
    for _, value in source(text).assigned():
        if not isinstance(value, ast.List | ast.Tuple) or not any(_names_a_command(item) for item in value.elts):
            continue
        for item in value.elts:
            try:
                yield _finding(item.lineno, literal(item, "the job"))
            except NoEqual as error:
                name = _command_of(item)
                yield Finding(line=item.lineno, name=name or written(item), job=name, problem=str(error))


def _names_a_command(item: ast.expr) -> bool:
    keys = item.keys if isinstance(item, ast.Dict) else []
    return any(isinstance(key, ast.Constant) and key.value in COMMANDS for key in keys)


def _command_of(item: ast.expr) -> str:
    pairs = zip(item.keys, item.values, strict=True) if isinstance(item, ast.Dict) else ()
    found = [value for key, value in pairs if isinstance(key, ast.Constant) and key.value in COMMANDS]
    return str(found[0].value) if found and isinstance(found[0], ast.Constant) else ""


def _finding(line: int, item: object) -> Finding:
    if not isinstance(item, dict):
        return Finding(line=line, name="?", job="", problem=f"it is no object with a command: {str(item)[:40]}")
    job = str(next((item[key] for key in COMMANDS if item.get(key)), ""))
    unread = Finding(line=line, name=str(item.get("name") or job or "?"), job=job)
    try:
        if not job:
            raise NoEqual("it names no command: cmd, or command")
        timing, differences = timing_of(item)
        args, kwargs = _arguments(item)
    except (NoEqual, BadSchedule) as error:
        return replace(unread, problem=str(error))
    if args:
        differences.append(PARSED)
    if item.get("backfill"):
        differences.append(BACKFILL)
    if item.get("last_success"):
        differences.append(LAST_SUCCESS)
    differences += [f"{name} has no equal here" for name in sorted(map(str, set(item) - _KNOWN))]
    return replace(
        unread,
        timing=timing,
        zone="UTC",
        args=args,
        kwargs=kwargs,
        # Without backfill an overdue job runs once, however many times have passed.
        catch_up=CatchUp.all() if item.get("backfill") else CatchUp.latest(),
        differences=(*differences, RETRIED),
    )


def timing_of(item: Mapping[str, object]) -> tuple[str, list[str]]:
    """Return when an item of the list is due, and what of that is not the same here.

    Raises:
        NoEqual: its frequency or time cannot be read, or they do not go together.
        BadSchedule: it never comes.
    """
    frequency, at = item.get("frequency", FREQUENCY), item.get("time")
    found = _LENGTH.fullmatch(frequency) if isinstance(frequency, str) else None
    if found is None:
        raise NoEqual(f"frequency {str(frequency)[:40]!r}: a number and one of d, h, m is read")
    try:
        length = timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError as error:
        raise NoEqual(f"frequency {frequency!r} is too long") from error
    if at in (None, ""):
        return period(length), [PERIOD]
    if not isinstance(at, str) or not _CLOCK.fullmatch(at):
        raise NoEqual(f"time {str(at)[:40]!r}: 03:00 is read")
    days = length // timedelta(days=1)
    if not days or length % timedelta(days=1):
        raise NoEqual(f"a time of day goes with whole days, and frequency is {frequency}")
    if days == 1:
        return canonical(f"daily at {at}", zone="UTC"), []
    return canonical(f"every {days} days at {at}", zone="UTC"), [COUNTED]


def _arguments(item: Mapping[str, object]) -> tuple[tuple[object, ...], Mapping[str, object]]:
    given = next((item[key] for key in ARGUMENTS if item.get(key)), ())
    args = given.split() if isinstance(given, str) else given
    kwargs = item.get("kwargs") or {}
    if isinstance(args, dict) and not kwargs:
        args, kwargs = (), args
    if not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
        raise NoEqual("args is a list, kwargs an object: they are otherwise here")
    return tuple(args), kwargs
