"""The page docs/reference/http.md, written from the OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any

from rota.operations.document import DESCRIPTION, document
from rota.operations.table import OPERATIONS

REFERENCE = "#/components/schemas/"


def http_page() -> str:
    """Return the page of the HTTP API."""
    said = document(OPERATIONS)
    schemas = said["components"]["schemas"]
    parts = ["# HTTP API\n", "Written by `make docs` from the code; do not edit.\n", DESCRIPTION]
    parts.append("`rota generate openapi` prints the OpenAPI 3.1 document of all this.\n")
    parts += _errors(said)
    noun = ""
    for one, method, path in sorted(_operations(said), key=lambda each: each[0]["tags"]):
        if one["tags"][0] != noun:
            noun = one["tags"][0]
            parts.append(f"## {noun}\n")
        parts += _operation(one, method, path)
    parts.append("## What is answered\n")
    for name in sorted(schemas):
        parts += _schema(name, schemas[name])
    return "\n".join(parts)


def _operations(said: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str, str]]:
    for path, methods in said["paths"].items():
        for method, one in methods.items():
            yield one, method.upper(), path


def _errors(said: Mapping[str, Any]) -> Iterator[str]:
    yield "## Errors\n"
    rows = (f"| {name.removeprefix('Error')} | {one['description']} |\n" for name, one in _responses(said).items())
    yield "| status | when |\n|---|---|\n" + "".join(rows)


def _responses(said: Mapping[str, Any]) -> Mapping[str, Any]:
    responses: Mapping[str, Any] = said["components"]["responses"]
    return responses


def _operation(one: Mapping[str, Any], method: str, path: str) -> Iterator[str]:
    yield f"### {method} {path}\n"
    yield f"{one['summary']}.\n\n{one['description']}\n"
    rows = [
        _row(parameter["name"], parameter["schema"], parameter["in"], parameter.get("description", ""))
        for parameter in one.get("parameters", ())
    ]
    if "requestBody" in one:
        body = one["requestBody"]["content"]["application/json"]["schema"]
        rows += [_row(name, field, "body", _text(field)) for name, field in body["properties"].items()]
    if rows:
        yield "| field | in | type | meaning |\n|---|---|---|---|\n" + "".join(rows)
    for status, answer in one["responses"].items():
        if "$ref" not in answer:
            yield f"Answers {status}{_forms(answer.get('content', {}))}.\n"
    if "x-events" in one:
        rows = [f"| `{name}` | {_type(schema)} |\n" for name, schema in one["x-events"].items()]
        yield "| event | its data |\n|---|---|\n" + "".join(rows)
        yield f"```text\n{one['responses']['200']['content']['text/event-stream']['example'].strip()}\n```\n"


def _forms(content: Mapping[str, Any]) -> str:
    """Return what an answer holds: JSON, or a text of some kind."""
    forms = [
        _type(form["schema"]) if media == "application/json" else f"text (`{media}`)" for media, form in content.items()
    ]
    return ": " + ", or ".join(forms) if forms else ""


def _schema(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    if "description" in schema:
        yield schema["description"] + "\n"
    if "enum" in schema:
        yield ", ".join(f"`{value}`" for value in schema["enum"]) + "\n"
    fields = schema.get("properties", {})
    if fields:
        rows = (f"| `{name}` | {_type(field)} | {_cell(_text(field))} |\n" for name, field in fields.items())
        yield "| field | type | meaning |\n|---|---|---|\n" + "".join(rows)


def _row(name: str, schema: Mapping[str, Any], where: str, text: str) -> str:
    return f"| `{name}` | {where} | {_type(schema)} | {_cell(text)} |\n"


def _text(schema: Mapping[str, Any]) -> str:
    return str(schema.get("description", ""))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _type(schema: Mapping[str, Any]) -> str:
    """Return a type in words, with a link where it has fields of its own."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REFERENCE)
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    match schema.get("type"):
        case "array":
            return f"list of {_type(schema['items'])}" if schema.get("items") else "list"
        case "string" if schema.get("format") == "date-time":
            return "instant"
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            return f"object of {_type(schema['additionalProperties'])}"
        case str(kind):
            return kind
        case _:
            return "anything"
