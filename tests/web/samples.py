"""Questions to ask of any operation: each field gets values by its name and type, from the world of `world`.

An operation that comes new is asked by itself. One whose field is not understood fails its test, which says so: give
the field a value here.
"""

import enum
import re
import types
import typing
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from rota.core.model import State
from rota.operations.operation import Operation, Question
from tests.web.world import DAY, HOUR, NOON, OURS, THEIRS, bug_of, id_of

Names = tuple[tuple[Any, ...], tuple[Any, ...]]
"""Values that stand for something of globex, and for something of acme."""


def _both(*labels: str) -> Names:
    return tuple(id_of(f"{one}-{OURS}") for one in labels), tuple(id_of(f"{one}-{THEIRS}") for one in labels)


def _alike(*labels: str) -> Names:
    return tuple(id_of(f"{one}-ours") for one in labels), tuple(id_of(f"{one}-theirs") for one in labels)


RUNS = _both("failed", "parent", "child", "queued", "running", "held", "second", "step2", "backfilled", "gives-up")
KINDS: dict[str, Names] = {
    "run": RUNS,
    "round": ((id_of("round-ours"), id_of("round-shared"), id_of("round-open")), (id_of("round-theirs"),)),
    "job": (("report", "mail"), ()),
    "tenant": ((OURS,), (THEIRS,)),
    "schedule": ((f"own@{OURS}", "report", "some"), (f"own@{THEIRS}",)),
    "flow": _both("flow"),
    "incident": ((id_of("incident-ours"), id_of("incident-shared")), (id_of("incident-theirs"),)),
    "campaign": _alike("campaign"),
    "queue": (("default", "mail"), ()),
    "channel": (("ops",), ()),
    "watch": (("dump",), ()),
    "fingerprint": ((bug_of(OURS).fingerprint,), (bug_of(THEIRS).fingerprint,)),
}
"""What there is of each kind of thing, of globex and of acme. Jobs and queues are of the application."""

CALLED = {
    "runs": "run", "rounds": "round", "jobs": "job", "tenants": "tenant", "schedules": "schedule", "flows": "flow",
    "incidents": "incident", "alerts": "incident", "backfills": "campaign", "campaigns": "campaign",
    "queues": "queue", "channels": "channel", "pings": "watch", "ping": "watch", "backfill": "campaign",
    "canary": "tenant", "exclude": "tenant", "parent": "run", "batch": "flow", "slots": "job", "progress": "schedule",
    "find": "run", "standing": "run", "what": "run",
}  # fmt: skip
"""By what else a field, or the segment of a path before it, says which kind of thing it means."""

OWN = {
    "put_schedule": f"own@{OURS}",
    "override_schedule": f"own@{OURS}",
    "restore_schedule": f"edited@{OURS}",
    "resume_schedule": f"held@{OURS}",
    "resume_backfill": id_of("campaign-held"),
}
"""What the operations are asked about first that do not make sense with anything: by their names."""

SAID: dict[tuple[str, str], Any] = {
    ("import_schedules", "source"): "30 2 * * * report\n",
    ("import_schedules", "jobs"): {},
    ("set_limit", "rate"): "100/1m",
    ("set_limit", "lift"): False,
    ("set_tenant", "schedules"): {"report": "daily at 03:00 UTC"},
}
"""Values of fields that mean something of their own in one operation."""

PLAIN: dict[str, Any] = {
    "where": "state:failed",
    "zone": "UTC",
    "tz": "Europe/Paris",
    "reason": "because",
    "note": "because",
    "text": "because",
    "since": NOON - DAY,
    "until": NOON,
    "cursor": id_of("cursor"),
    "limit": 5,
    "timing": "daily at 03:00 UTC",
    "when": "daily at 03:00 UTC",
    "action": "schedule.",
    "actor": "ana",
    "rate": 5.0,
    "span": "24h",
    "calls": [[]],
    "args": [],
    "delay": "10m",
    "expires": "1h",
    "unique": "args",
    "unique_for": "1d",
    "catch_up": {"mode": "all", "limit": 3},
}
"""Values of fields that name nothing, by name; of the others by type."""


def ours(operation: Operation[Any, Any]) -> Iterator[Question]:
    """Yield questions about what is of globex, or of nobody: the shortest, and one with each field that may be left
    out; whichever of them make sense."""
    for value in _first_values(operation, OURS):
        base = _least(operation) | value
        yield from _made(operation, base)
        for field in _optional(operation):
            for said in _values(operation, field, OURS):
                yield from _made(operation, base | {field.name: said})


def theirs(operation: Operation[Any, Any]) -> Iterator[Question]:
    """Yield questions that name something of acme, each in one field."""
    for field in msgspec.structs.fields(operation.asks):
        kind = _kind(operation, field.name)
        for value in KINDS[kind][1] if kind else ():
            yield from _made(operation, _least(operation) | {field.name: _shaped(field, value)})


def _first_values(operation: Operation[Any, Any], whose: str) -> list[dict[str, Any]]:
    """Return what the first required field that names something may say."""
    for field in msgspec.structs.fields(operation.asks):
        if field.required and _kind(operation, field.name):
            if operation.name in OWN:
                return [{field.name: OWN[operation.name]}]
            return [{field.name: value} for value in _values(operation, field, whose)]
    return [{}]


def _least(operation: Operation[Any, Any]) -> dict[str, Any]:
    required = (field for field in msgspec.structs.fields(operation.asks) if field.required)
    return {field.name: _values(operation, field, OURS)[0] for field in required}


def _optional(operation: Operation[Any, Any]) -> list[msgspec.structs.FieldInfo]:
    return [field for field in msgspec.structs.fields(operation.asks) if not field.required]


def _made(operation: Operation[Any, Any], fields: dict[str, Any]) -> Iterator[Question]:
    """Yield the question with these fields, if its types allow it."""
    yield msgspec.convert(fields, operation.asks, strict=False)


def _kind(operation: Operation[Any, Any], name: str) -> str | None:
    """Return what kind of thing a field names; None where it names none."""
    if (operation.name, name) in SAID:
        return None
    bare = name.removesuffix("_name").removesuffix("_id")
    if bare in KINDS:
        return bare
    before = re.search(rf"/(\w+)/\{{{name}\}}", operation.path)
    if before:
        return CALLED.get(before[1], before[1] if before[1] in KINDS else None)
    if name in ("id", "ids", "name", "names"):
        # Of the thing that the path is about.
        about = operation.path.removeprefix("/api/v1/").split("/")[0]
        return CALLED.get(about)
    return CALLED.get(name)


def _values(operation: Operation[Any, Any], field: msgspec.structs.FieldInfo, whose: str) -> list[Any]:
    kind = _kind(operation, field.name)
    if kind is not None:
        return [_shaped(field, value) for value in KINDS[kind][whose == THEIRS]]
    if (operation.name, field.name) in SAID:
        return [SAID[operation.name, field.name]]
    if field.name in PLAIN:
        return [_shaped(field, PLAIN[field.name])]
    return [_shaped(field, _of_type(_bare(field.type), f"{operation.name}.{field.name}"))]


def _shaped(field: msgspec.structs.FieldInfo, value: Any) -> Any:
    """Return a value as a field takes it: alone, or as the one of a list."""
    bare = _bare(field.type)
    return [value] if typing.get_origin(bare) in (tuple, list) and not isinstance(value, list) else value


def _bare(kind: Any) -> Any:
    """Return a type without `| None`, and without what is annotated."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        [kind] = [one for one in typing.get_args(kind) if one not in (type(None), msgspec.UnsetType)][:1]
        return _bare(kind)
    return _bare(typing.get_args(kind)[0]) if typing.get_origin(kind) is typing.Annotated else kind


def _of_type(kind: Any, place: str) -> Any:
    origin = typing.get_origin(kind)
    if origin in (tuple, list):
        return [_of_type(_bare(typing.get_args(kind)[0]), place)]
    if origin is not None and issubclass(origin, typing.Mapping):
        return {}
    if kind is State:
        return "failed"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind)).value
    plain = {str: "something", int: 1, float: 1.0, bool: True, datetime: NOON, timedelta: HOUR, Any: {}, object: {}}
    assert kind in plain, f"{place} is {kind}: say in tests/web/samples.py what it is asked"
    return plain[kind]
