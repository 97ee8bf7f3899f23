"""APScheduler 3: `add_job(...)` and `@scheduled_job(...)`.

Sources:
    APScheduler 3.11, "User guide": missed executions and coalescing (misfire_grace_time is one second where it is not
    said), max_instances (1 where it is not said). When a trigger is due: `apscheduler_times`.
"""

import ast
from collections.abc import Iterator
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from rota.core.policy import CatchUp, Overlap
from rota.errors import BadSchedule, NoEqual
from rota.importers.apscheduler_times import OWN_ZONE, timing_of, trigger_in
from rota.importers.found import Finding, apart
from rota.importers.python import Source, arguments, is_number, literal, source, text_in, written, zone_in

MISSED = "what is missed by more than a second is lost there; here the job's catch_up decides"
GRACE = "misfire_grace_time goes with coalesce=False only: here the newest missed time is made up, however late"
INSTANCES = "max_instances is a limit there; here what overlaps is allowed without one"
AT_ONCE = "next_run_time: it starts at another time first; here at the first time of its schedule"
PAUSED = "next_run_time=None: it was added as paused"

_PLACES = (
    "trigger",
    "args",
    "kwargs",
    "id",
    "name",
    "misfire_grace_time",
    "coalesce",
    "max_instances",
    "next_run_time",
    "jobstore",
    "executor",
)
_OWN = {*_PLACES, "func", "replace_existing"}
_QUIET = {"jobstore", "replace_existing"}


def read(text: str, *, zone: str | None = None) -> list[Finding]:
    """Return the jobs of a Python file; `zone` is the machine's, or the scheduler's where the file does not say it.

    Raises:
        SourceUnreadable: it is no Python.
    """
    code = source(text)
    return apart(_jobs(code, _zones(code, zone)))


class Zones(Struct, frozen=True, kw_only=True):
    """The zones of times that name none."""

    machine: str | None = None
    scheduler: str | None = None
    unread: str = ""
    """Why the scheduler's is not known: its code would have to be run."""


def _zones(code: Source, zone: str | None) -> Zones:
    for node in code.nodes:
        if isinstance(node, ast.Call) and code.called(node).endswith("Scheduler"):
            for keyword in node.keywords:
                if keyword.arg == "timezone":
                    try:
                        return Zones(machine=zone, scheduler=zone_in(keyword.value, code))
                    except NoEqual as error:
                        return Zones(machine=zone, scheduler=zone, unread="" if zone else str(error))
    return Zones(machine=zone)


def _jobs(code: Source, zones: Zones) -> Iterator[Finding]:
    under = set()
    for node in code.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and code.called(decorator) == "scheduled_job":
                    under.add(decorator)
                    yield _finding(decorator, node.name, code, zones)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node not in under:
            if node.func.attr == "add_job":
                yield _finding(node, "", code, zones)
            elif node.func.attr in ("add_schedule", "scheduled_job"):
                problem = f"{node.func.attr} is read as a decorator only, and APScheduler 4 is not: {written(node)}"
                yield Finding(line=node.lineno, name="?", job="", problem=problem)


def _finding(call: ast.Call, function: str, code: Source, zones: Zones) -> Finding:
    unread = Finding(line=call.lineno, name=function or "?", job=function)
    try:
        places = _PLACES if function else ("func", *_PLACES)
        given = arguments(call, places, "add_job")
        job = function or _function(given.pop("func", None), code)
        options = {name: literal(given.pop(name), name) for name in list(given) if name in _OWN - {"trigger"}}
        name = options.pop("id", None) or options.pop("name", None) or job
        unread = replace(unread, name=str(name), job=job)
        trigger = given.pop("trigger", None)
        timing, said, differences = _timing(trigger, given, code, zones)
        return _with_options(replace(unread, timing=timing, zone=said), options, differences)
    except (NoEqual, BadSchedule) as error:
        return replace(unread, problem=str(error))


def _timing(
    trigger: ast.expr | None, given: dict[str, ast.expr], code: Source, zones: Zones
) -> tuple[str, str | None, list[str]]:
    if trigger is None:
        raise NoEqual("a job without a trigger runs at once, and once: enqueue it where that is meant")
    if isinstance(trigger, ast.Call):
        kind, parts = trigger_in(trigger, code)
        timing, said, differences = timing_of(kind, parts, code, zones.machine)
        # Known from its code: a trigger that is made by hand never hears of the scheduler.
        return timing, said, [*differences, *([OWN_ZONE] if zones.scheduler and "timezone" not in parts else [])]
    if zones.unread and "timezone" not in given:
        raise NoEqual(zones.unread)
    return timing_of(text_in(trigger, "the trigger"), given, code, zones.scheduler or zones.machine)


def _function(node: ast.expr | None, code: Source) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value.rpartition(":")[2].rpartition(".")[2]
    name = code.named(node).rpartition(".")[2] if node else ""
    if not name:
        raise NoEqual(f"the function has no name: {written(node) if node else 'there is none'}")
    return name


def _with_options(finding: Finding, options: dict[str, object], differences: list[str]) -> Finding:
    args, kwargs = options.pop("args", None) or (), options.pop("kwargs", None) or {}
    if not isinstance(args, list | tuple) or not isinstance(kwargs, dict):
        raise NoEqual("args is a list, kwargs is of names: they are otherwise here")
    overlap = None
    if "max_instances" in options:
        overlap = Overlap.SKIP if options.pop("max_instances") == 1 else Overlap.ALLOW
        differences += [INSTANCES] if overlap is Overlap.ALLOW else []
    catch_up, more = _catch_up(options)
    left_out = None
    if "next_run_time" in options:
        left_out = PAUSED if options.pop("next_run_time") is None else None
        differences += [] if left_out else [AT_ONCE]
    for name in sorted(set(options) - _QUIET):
        differences.append("executor is the job's own setting here" if name == "executor" else f"{name} is not kept")
    return replace(
        finding,
        args=tuple(args),
        kwargs=kwargs,
        catch_up=catch_up,
        overlap=overlap,
        left_out=left_out,
        differences=(*differences, *more),
    )


def _catch_up(options: dict[str, object]) -> tuple[CatchUp | None, list[str]]:
    """Return what `coalesce` and `misfire_grace_time` are here, and take them out of the options."""
    if "coalesce" not in options:
        return None, [MISSED] if options.pop("misfire_grace_time", 1) is not None else []
    coalesce, grace = options.pop("coalesce"), options.pop("misfire_grace_time", 1)
    if coalesce:
        return CatchUp.latest(), [GRACE] if grace is not None else []
    if grace is None:
        return CatchUp.all(), []
    if not is_number(grace) or not 0 < grace < 10**9:  # type: ignore[operator]  # it is a number
        raise NoEqual(f"misfire_grace_time is {str(grace)[:20]}: it is a number of seconds, or None")
    return CatchUp.all(within=timedelta(seconds=grace)), []  # type: ignore[arg-type]  # it is a number
