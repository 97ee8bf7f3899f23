"""The OpenAPI document of the API, made from the list of operations: nothing in it is written twice."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from inspect import cleandoc
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Struct

from rota.core.keyed import LONGEST_KEY
from rota.operations.addresses import ADDRESSES, Address, Said
from rota.operations.examples import example_of
from rota.operations.operation import Method, Operation
from rota.operations.texts import field_texts
from rota.operations.wire import NAMED
from rota.version import __version__

TEMPLATE = "#/components/schemas/{name}"
WENT_WRONG: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "The request is no HTTP or no JSON that can be read.",
    HTTPStatus.UNAUTHORIZED: "There is no token, or none that is believed; why is never said.",
    HTTPStatus.FORBIDDEN: "The token lacks the capability, or sees only some jobs or tenants.",
    HTTPStatus.NOT_FOUND: "There is no such thing, or not for this token.",
    HTTPStatus.CONFLICT: "It is in a state that does not allow this.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too big.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is no JSON.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A field cannot be taken; `field` says which one.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too much at once; `Retry-After` says when to ask again.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The store is away; `Retry-After` says when to ask again.",
}
"""What every operation may answer besides what it is there for."""

ONLY_CHANGES = (HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)

UNDER_A_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[!-~]+$"},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
    "description": "Asked again under the same key within a day, what was asked the first time is not done again.",
}

DESCRIPTION = """Jobs, runs and schedules of an application with many tenants.

A token carries capabilities (`read`, `trigger`, `manage`, `admin`), patterns of jobs and a set of tenants; what is not
among them is to it as what does not exist. Lists are read page by page: `page.next` is the `cursor` of the next one.
Errors are `application/problem+json` with a `code` to match on, and a `detail` for people.
"""


class Problem(Struct, frozen=True, kw_only=True):
    """What went wrong, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    code: str
    """The class of the error: what a program matches on."""
    detail: str
    hint: str | None = None
    """What to try next."""
    field: str | None = None
    """Which field of the question is meant."""
    exit: int | None = None
    """What the command `rota` ends with that is told so."""
    id: str | None = None
    """Of a bug in Rota: what the log of the server has it under."""


def document(operations: Iterable[Operation[Any, Any]], *, prefix: str = "") -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of these operations; `prefix` is where they are mounted."""
    operations = list(operations)
    others = list(dict.fromkeys(kind for one in ADDRESSES for kind in _kinds(one)))
    kinds = [Problem, *(kind for one in operations for kind in (one.asks, one.answers)), *others]
    references, components = _renamed(*msgspec.json.schema_components(kinds, ref_template=TEMPLATE))
    _describe(components)
    paths: dict[str, dict[str, Any]] = {}
    for number, one in enumerate(operations):
        asks, answers = references[1 + 2 * number], references[2 + 2 * number]
        said = _operation(one, asks, answers, components)
        paths.setdefault(one.path, {})[str(one.method).lower()] = said
    schemas = dict(zip(others, references[-len(others) :], strict=True))
    for address in ADDRESSES:
        paths.setdefault(address.path, {})[str(address.method).lower()] = _address(address, schemas, paths, components)
    # Questions stand in the operations, field by field, where they have no body.
    used = _used(paths, components) | {Problem.__name__}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Rota", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": prefix or "/"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name in used},
            "responses": {_named(status): _went_wrong(status, text) for status, text in WENT_WRONG.items()},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(
    one: Operation[Any, Any], asks: Mapping[str, Any], answers: Mapping[str, Any], components: Mapping[str, Any]
) -> dict[str, Any]:
    summary, _, rest = one.text.partition("\n")
    whole = " It is refused to a token of only some jobs or tenants." if one.is_whole else ""
    said: dict[str, Any] = {
        "operationId": one.name,
        "summary": summary.rstrip("."),
        "description": f"{rest.strip()}\n\nNeeds `{one.needs}`.{whole}".strip(),
        "tags": [one.noun],
        "responses": {
            str(int(one.status)): _answer(one, answers, components),
            **_wrong(one.method),
        },
        "x-needs": str(one.needs),
    }
    question = components[asks["$ref"].rpartition("/")[2]]
    in_path = NAMED.findall(one.path)
    parameters = [
        _parameter(name, schema, question, components, is_path=name in in_path)
        for name, schema in question.get("properties", {}).items()
        if name in in_path or not one.method.has_body
    ]
    if one.takes_key:
        parameters.append(UNDER_A_KEY)
    if parameters:
        said["parameters"] = parameters
    body = _without(question, in_path)
    if one.method.has_body and body["properties"]:
        said["requestBody"] = {
            "required": bool(body["required"]),
            "content": {"application/json": {"schema": body, "example": example_of(body, components)}},
        }
    return said


def _wrong(method: Method) -> dict[str, Any]:
    return {
        str(int(status)): {"$ref": f"#/components/responses/{_named(status)}"}
        for status in WENT_WRONG
        if method is not Method.GET or status not in ONLY_CHANGES
    }


def _kinds(one: Address) -> list[type[Struct]]:
    said = [form.kind for forms in one.answers.values() for form in forms if form.kind is not None]
    return [*said, *one.events.values()]


def _address(
    one: Address, schemas: Mapping[type, Any], paths: Mapping[str, Any], components: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what an address is that is no operation; `paths` are those of the operations."""
    summary, _, rest = cleandoc(one.text).partition("\n")
    who = "everybody" if one.is_open else "whoever has a token"
    needs = f"For {who}." if one.needs is None else f"Needs `{one.needs}`."
    said: dict[str, Any] = {
        "operationId": one.name,
        "summary": summary.rstrip("."),
        "description": f"{rest.strip()}\n\n{needs}".strip(),
        "tags": [one.noun],
        "responses": {} if one.is_open else _wrong(one.method),
        "x-needs": None if one.needs is None else str(one.needs),
    }
    for status, forms in one.answers.items():
        content = {form.media: _form(form, schemas, components) for form in forms}
        said["responses"][str(int(status))] = {
            "description": status.phrase,
            **({"content": content} if content else {}),
        }
    asked = paths.get(one.asks_as.path, {}).get("get", {}) if one.asks_as is not None else {}
    parameters = [*asked.get("parameters", ()), *([] if one.header is None else [one.header])]
    if parameters:
        said["parameters"] = parameters
    if one.is_open:
        said["security"] = []
    if one.events:
        # OpenAPI has no words for what is in a stream.
        said["x-events"] = {name: schemas[kind] for name, kind in one.events.items()}
    return said


def _form(form: Said, schemas: Mapping[type, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    if form.kind is None:
        return {"schema": {"type": "string"}, "example": form.example}
    return {"schema": schemas[form.kind], "example": example_of(schemas[form.kind], components)}


def _answer(one: Operation[Any, Any], answers: Mapping[str, Any], components: Mapping[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": answers, "example": example_of(answers, components)}}
    return {"description": one.status.phrase, "content": content}


def _parameter(
    name: str, schema: Mapping[str, Any], question: Mapping[str, Any], components: Mapping[str, Any], *, is_path: bool
) -> dict[str, Any]:
    described = {key: value for key, value in schema.items() if key != "description"}
    said = {
        "name": name,
        "in": "path" if is_path else "query",
        "required": is_path or name in question.get("required", ()),
        "schema": described,
        "example": example_of(schema, components, name=name),
    }
    return said | ({"description": schema["description"]} if "description" in schema else {})


def _without(question: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """Return the schema of a body: the question without what stands in the path."""
    properties = {name: one for name, one in question.get("properties", {}).items() if name not in names}
    required = [name for name in question.get("required", ()) if name not in names]
    return {**question, "properties": properties, "required": required}


def _named(status: HTTPStatus) -> str:
    # The names of Python's own change from version to version.
    return f"Error{int(status)}"


def _went_wrong(status: HTTPStatus, text: str) -> dict[str, Any]:
    schema = {"$ref": TEMPLATE.format(name=Problem.__name__)}
    example = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "code": "the_class_of_the_error",
        "detail": text,
    }
    return {"description": text, "content": {"application/problem+json": {"schema": schema, "example": example}}}


def _describe(components: Mapping[str, Any]) -> None:
    """Put to each field what its schema does not say: the text under it in the code, and that a text is an instant."""
    ours = [kind for kind in _structs(Struct) if kind.__module__.startswith("rota.")]
    by_name = {name: kind for kind in ours for name in (kind.__name__, _short(f"{kind.__module__}.{kind.__name__}"))}
    for name, schema in components.items():
        # A page of rows has the name of both.
        kind = by_name.get(name.partition("_")[0])
        if kind is None:
            continue
        texts, hints = field_texts(kind), get_type_hints(kind)
        for field, one in schema.get("properties", {}).items():
            if "default" in one:
                one["default"] = msgspec.json.decode(msgspec.json.encode(one["default"]))
            if field in texts:
                one["description"] = texts[field]
            if datetime in (hints.get(field), *get_args(hints.get(field))):
                for text in (part for part in one.get("anyOf", [one]) if part.get("type") == "string"):
                    text["format"] = "date-time"


def _renamed(references: Any, components: Any) -> tuple[Any, Any]:
    """Return both without the dots in the names of schemas whose classes have one name: `FailuresBy`, `StatsBy`."""

    def renamed(said: Any, *, is_name: bool = False) -> Any:
        match said:
            case str() if is_name:
                place, slash, name = said.rpartition("/")
                return place + slash + _short(name)
            case dict():
                return {key: renamed(value, is_name=key == "$ref") for key, value in said.items()}
            case list() | tuple():
                return [renamed(one) for one in said]
            case _:
                return said

    named = {renamed(name, is_name=True): renamed(schema) for name, schema in components.items()}
    return renamed(references), named


def _short(name: str) -> str:
    """Return the last two words of a name with dots as one: `rota.views.failures.By` is `FailuresBy`."""
    words = name.split(".")[-2:]
    return name if len(words) == 1 else words[0].title().replace("_", "") + words[1]


def _structs(kind: type[Struct]) -> Iterator[type[Struct]]:
    for one in kind.__subclasses__():
        yield one
        yield from _structs(one)


def _used(said: object, components: Mapping[str, Any]) -> set[str]:
    """Return the names of the schemas that are named in this, and in those."""
    found: set[str] = set()
    waiting = [said]
    while waiting:
        match waiting.pop():
            case {"$ref": str(reference), **rest}:
                name = reference.rpartition("/")[2]
                waiting += list(rest.values())
                if name in components and name not in found:
                    found.add(name)
                    waiting.append(components[name])
            case dict() as members:
                waiting += list(members.values())
            case list() as members:
                waiting += members
    return found
