"""Examples of questions and answers, made from their schemas: what a reader sees first."""

from collections.abc import Mapping
from typing import Any

RUN, ROUND = "01a227c8a31c7000a1da648b976b6128", "01a227c8a31c7000b4e0517c2f8d9a33"

# By the name of a field; taken where the schema allows a text or a number there.
KNOWN: Mapping[str, object] = {
    "id": RUN,
    "run": RUN,
    "run_id": RUN,
    "parent": RUN,
    "round": ROUND,
    "round_id": ROUND,
    "cursor": RUN,
    "next": RUN,
    "name": "nightly_report",
    "job": "nightly_report",
    "jobs": "nightly_report",
    "schedule": "nightly_report",
    "tenant": "acme",
    "tenants": "acme",
    "queue": "default",
    "queues": "default",
    "worker": "web-1/4711/1",
    "actor": "ana",
    "reason": "the mail server was down",
    "where": "error:timeout -tenant:acme since:2d",
    "zone": "Europe/Paris",
    "error": "TimeoutError: timed out",
    "fingerprint": "9f2c61b07a4d",
    "limit": 50,
    "attempt": 1,
    "max_attempts": 3,
    "duration_s": 1.25,
    "args": '{"kwargs":{"user_id":42}}',
    "result": '{"rows":500}',
}
INSTANT = "2026-11-20T02:00:00Z"
DEEPEST = 6
"""Objects within objects, of an example."""


def example_of(schema: Mapping[str, Any], components: Mapping[str, Any], *, name: str = "", depth: int = 0) -> Any:
    """Return a value that the schema allows; `name` is that of the field it is for."""
    schema = _resolved(schema, components)
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example_of(_first(schema["anyOf"]), components, name=name, depth=depth)
    match schema.get("type"):
        case "object":
            return _object(schema, components, depth=depth)
        case "array" if "prefixItems" in schema:
            return [example_of(one, components, name=name, depth=depth) for one in schema["prefixItems"]]
        case "array":
            return [example_of(schema["items"], components, name=name, depth=depth)] if "items" in schema else []
        case "string":
            return _text(schema, name)
        case "integer" | "number":
            return _number(schema, name)
        case "boolean":
            return bool(schema.get("default", False))
        case _:
            return schema.get("default")


def _object(schema: Mapping[str, Any], components: Mapping[str, Any], *, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    required = set(schema.get("required", ()))
    # Deep down only what has to be there: a tree of runs has no end of its own.
    return {
        name: example_of(one, components, name=name, depth=depth + 1)
        for name, one in properties.items()
        if depth < DEEPEST or name in required
    }


def _text(schema: Mapping[str, Any], name: str) -> str:
    if schema.get("format") == "date-time":
        return INSTANT
    known = KNOWN.get(name)
    return known if isinstance(known, str) else str(schema.get("default", "")) or "text"[: schema.get("maxLength", 4)]


def _number(schema: Mapping[str, Any], name: str) -> float:
    known = KNOWN.get(name)
    if isinstance(known, int | float) and (schema["type"] == "number" or isinstance(known, int)):
        return known
    default = schema.get("default")
    return default if isinstance(default, int | float) else schema.get("minimum", 1)


def _first(choices: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next((one for one in choices if one.get("type") != "null"), choices[0])


def _resolved(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    return schema
