"""A question as HTTP carries it: path, query and body; and back."""

import re
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from rota.errors import BadRequest
from rota.operations.bounds import check
from rota.operations.operation import Asked, Operation

NAMED = re.compile(r"\{(\w+)\}")


class Carried(Struct, frozen=True, kw_only=True):
    """A question, ready to be sent."""

    target: str
    """Path and query, encoded."""
    body: bytes | None


def carried(operation: Operation[Asked, Any], asked: Asked) -> Carried:
    """Return how a question is sent. What has its default is left out."""
    in_path = NAMED.findall(operation.path)
    fields = msgspec.to_builtins(asked, str_keys=True)
    path = NAMED.sub(lambda found: quote(str(fields[found[1]]), safe=""), operation.path)
    defaults = {field.name: field.default for field in msgspec.structs.fields(asked)}
    rest = {
        name: value for name, value in fields.items() if name not in in_path and getattr(asked, name) != defaults[name]
    }
    if operation.method.has_body:
        return Carried(target=path, body=msgspec.json.encode(rest))
    query = urlencode({name: _in_query(value) for name, value in rest.items()}, doseq=True)
    return Carried(target=f"{path}?{query}" if query else path, body=None)


def _in_query(value: object) -> object:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return [str(one) for one in value]
        case _:
            return value


def question(
    operation: Operation[Asked, Any], *, path: Mapping[str, str], query: Sequence[tuple[str, str]], body: object
) -> Asked:
    """Return the question that a request asks: `body` is what its JSON says, None where it has none.

    Raises:
        BadRequest: with the field and the reason.
    """
    fields: dict[str, Any] = dict(path)
    if operation.method.has_body:
        if query:
            raise BadRequest(query[0][0], f"{operation.method} {operation.path} takes it in the body")
        if body is not None and not isinstance(body, dict):
            raise BadRequest("", "the body is to be a JSON object")
        fields = {**(body or {}), **path}
    else:
        fields |= _from_query(operation, query)
    # In a query everything is text; a body says what is a number and what is not.
    asked = _converted(fields, operation.asks, strict=operation.method.has_body)
    check(asked)
    return asked


def _from_query(operation: Operation[Any, Any], query: Sequence[tuple[str, str]]) -> dict[str, object]:
    many = {field.name for field in msgspec.structs.fields(operation.asks) if _is_many(field.type)}
    fields: dict[str, Any] = {}
    for name, text in query:
        if name in many:
            fields.setdefault(name, []).append(text)
        elif name in fields:
            raise BadRequest(name, "it stands there twice")
        else:
            fields[name] = text
    return fields


def _is_many(kind: Any) -> bool:
    """Whether a field of this type may stand in a query more than once."""
    if get_origin(kind) in (Annotated, Union, UnionType):
        return any(_is_many(part) for part in get_args(kind))
    return get_origin(kind) in (tuple, list)


def _converted(fields: Mapping[str, object], wanted: type[Asked], *, strict: bool) -> Asked:
    try:
        return msgspec.convert(fields, wanted, strict=strict)
    except UnicodeEncodeError:
        raise BadRequest("", "it has characters that are none: half of a pair of surrogates") from None
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `")
        raise BadRequest(place.removeprefix("$").removeprefix(".").rstrip("`"), text) from None
