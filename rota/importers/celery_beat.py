"""Celery's periodic tasks: `beat_schedule` and `add_periodic_task` in Python, and rows of django-celery-beat as JSON.

Sources:
    Celery 5.6, "Periodic Tasks": entries, available fields, time zones. What `schedule` may be: `celery_times`.
"""

import ast
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from rota.errors import BadSchedule, NoEqual
from rota.importers import celery_rows
from rota.importers.celery_rows import HOUSEKEEPING, TENANT_HEADER
from rota.importers.celery_times import timing_in
from rota.importers.found import Finding, apart
from rota.importers.python import Source, arguments, literal, source, text_in, written, zone_in

SCHEDULES = {"beat_schedule", "CELERY_BEAT_SCHEDULE", "CELERYBEAT_SCHEDULE"}
ZONES = {"timezone", "CELERY_TIMEZONE"}
NO_ZONE = "no timezone is said in this file, and Celery's own is UTC; if another file says one, name it with --tz"
NOT_UTC = "enable_utc is off: times without a zone are the machine's there"

_FIELDS = {"task", "schedule", "args", "kwargs", "options", "relative"}


def read(text: str, *, zone: str | None = None) -> list[Finding]:
    """Return the entries of a Python file, or of `manage.py dumpdata django_celery_beat`.

    `zone` is Celery's timezone where the file does not say it.

    Raises:
        SourceUnreadable: it is neither.
    """
    if text.lstrip()[:1] in ("[", "{"):
        return celery_rows.read(text, zone=zone)
    code = source(text)
    try:
        said, unsaid = _zone(code, zone)
    except NoEqual as error:
        # Where the zone is not known, no entry is.
        return apart(replace(one, timing="", problem=str(error)) for one in _entries(code, "UTC", []))
    return apart(_entries(code, said, unsaid))


def _zone(code: Source, given: str | None) -> tuple[str | None, list[str]]:
    is_utc = True
    for name, value in _settings(code):
        if name in ZONES and not (isinstance(value, ast.Constant) and value.value is None):
            try:
                return zone_in(value, code), []
            except NoEqual:
                if given is None:
                    raise
        if name in ("enable_utc", "CELERY_ENABLE_UTC") and isinstance(value, ast.Constant):
            is_utc = bool(value.value)
    if given is not None:
        return given, []
    return ("UTC", [NO_ZONE]) if is_utc else (None, [NOT_UTC])


def _settings(code: Source) -> Iterator[tuple[str, ast.expr]]:
    """Yield what is set: by assignment, by `conf.update(...)` in both of its forms, and entry by entry."""
    yield from code.assigned()
    for node in code.nodes:
        if isinstance(node, ast.Call) and code.called(node) == "update":
            yield from ((keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg)
            if len(node.args) == 1 and isinstance(node.args[0], ast.Dict):
                # Of `conf.beat_schedule.update({...})` they are entries, of `conf.update({...})` settings.
                owner = code.named(node.func).split(".")[-2:][0]
                yield from [(owner, node.args[0])] if owner in SCHEDULES else _pairs(node.args[0])
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            target = node.targets[0]
            if code.named(target.value).rpartition(".")[2] in SCHEDULES:
                yield "beat_schedule", ast.copy_location(ast.Dict(keys=[target.slice], values=[node.value]), node)


def _pairs(node: ast.Dict) -> Iterator[tuple[str, ast.expr]]:
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value, value


def _entries(code: Source, zone: str | None, unsaid: list[str]) -> Iterator[Finding]:
    for name, value in _settings(code):
        if name not in SCHEDULES:
            continue
        if not isinstance(value, ast.Dict):
            problem = f"the schedule is not written out (line {value.lineno}): {written(value)}"
            yield Finding(line=value.lineno, name=name, job="", problem=problem)
            continue
        later = {key.value: key.lineno for key in value.keys if isinstance(key, ast.Constant)}
        for key, entry in zip(value.keys, value.values, strict=True):
            found = _entry(key, entry, code, zone, unsaid)
            if isinstance(key, ast.Constant) and later[key.value] != key.lineno:
                found = replace(
                    found, left_out=f"the key stands again in line {later[key.value]}, and Python takes that"
                )
            yield found
    for node in code.nodes:
        if isinstance(node, ast.Call) and code.called(node) == "add_periodic_task":
            yield _added(node, code, zone, unsaid)


def _entry(key: ast.expr | None, entry: ast.expr, code: Source, zone: str | None, unsaid: list[str]) -> Finding:
    unread = Finding(line=entry.lineno, name="?", job="")
    try:
        if key is None or not isinstance(entry, ast.Dict):
            raise NoEqual(f"the entry is not written out (line {entry.lineno}): {written(entry)}")
        unread = replace(unread, line=key.lineno, name=text_in(key, "the key"))
        fields = dict(_pairs(entry))
        if len(fields) != len(entry.keys) or not {"task", "schedule"} <= set(fields):
            raise NoEqual(f"the entry is not written out: it takes {', '.join(sorted(_FIELDS))}")
        unread = replace(unread, job=text_in(fields["task"], "task").rpartition(".")[2])
        timing, differences = timing_in(fields["schedule"], code, zone)
        given = {name: literal(fields[name], name) for name in sorted(_FIELDS - {"task", "schedule"}) if name in fields}
        differences += [f"{name} has no equal here" for name in sorted(set(fields) - _FIELDS)]
        return called(replace(unread, timing=timing, zone=zone, differences=(*unsaid, *differences)), given)
    except (NoEqual, BadSchedule) as error:
        return replace(unread, problem=str(error))


def _added(node: ast.Call, code: Source, zone: str | None, unsaid: list[str]) -> Finding:
    unread = Finding(line=node.lineno, name="?", job="")
    try:
        given = arguments(node, ("schedule", "sig", "args", "kwargs", "name"), "add_periodic_task")
        if "schedule" not in given or "sig" not in given:
            raise NoEqual("add_periodic_task needs a schedule and a task")
        job, inner = _signature(given.pop("sig"), code)
        name = given.pop("name", None)
        unread = replace(unread, job=job, name=text_in(name, "name") if name else job)
        timing, differences = timing_in(given.pop("schedule"), code, zone)
        passed = {name: literal(part, name) for name, part in given.items()}
        options = {name: passed.pop(name) for name in list(passed) if name not in ("args", "kwargs")}
        read = replace(unread, timing=timing, zone=zone, differences=(*unsaid, *differences))
        return called(read, inner | passed | {"options": options})
    except (NoEqual, BadSchedule) as error:
        return replace(unread, problem=str(error))


def _signature(node: ast.expr, code: Source) -> tuple[str, dict[str, object]]:
    """Return the task and the arguments of `task.s(...)` or `task.si(...)`."""
    owner, _, verb = code.named(node.func if isinstance(node, ast.Call) else node).rpartition(".")
    if not isinstance(node, ast.Call) or verb not in ("s", "si") or not owner:
        raise NoEqual(f"the task is not written out as task.s(...) (line {node.lineno}): {written(node)}")
    named = arguments(ast.Call(func=node.func, args=[], keywords=node.keywords), (), verb)
    args = [literal(part, "args") for part in node.args]
    return owner.rpartition(".")[2], {
        "args": args,
        "kwargs": {name: literal(part, name) for name, part in named.items()},
    }


def called(finding: Finding, given: Mapping[str, object]) -> Finding:
    """Return the finding with what its task is called with: `args`, `kwargs`, `options`.

    Raises:
        NoEqual: one of them is of no form that Celery takes.
    """
    args, kwargs, options = given.get("args") or (), given.get("kwargs") or {}, given.get("options") or {}
    if not isinstance(args, list | tuple) or not isinstance(kwargs, dict) or not isinstance(options, dict):
        raise NoEqual("args is a list, kwargs and options are of names: this entry has them otherwise")
    headers = options.get("headers")
    tenant = headers.get(TENANT_HEADER) if isinstance(headers, dict) else None
    differences = list(finding.differences)
    for name in sorted(set(options) - ({"headers"} if tenant and len(headers or ()) == 1 else set())):
        place = "the job's own setting here" if name in ("queue", "priority") else "without an equal here"
        differences.append(f"option {name} is {place}")
    if given.get("relative"):
        differences.append("relative rounds each time to the period; here they always are")
    return replace(
        finding,
        args=tuple(args),
        kwargs=kwargs,
        tenant=str(tenant) if tenant else None,
        left_out=HOUSEKEEPING if finding.job == "backend_cleanup" else finding.left_out,
        differences=tuple(differences),
    )
