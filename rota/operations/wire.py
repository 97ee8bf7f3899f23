"""A question as HTTP carries it: path, query and body; and back."""

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from rota.errors import BadRequest
from rota.operations.bounds import check
from rota.operations.operation import Asked, Operation
from rota.views.chosen import NOBODY

TRUTHS = {"true": True, "false": False}
WHOLE = re.compile(r"-?[0-9]{1,18}")
NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?(e[+-]?[0-9]{1,3})?")
HALF_A_PAIR = "it has characters that are none: half of a pair of surrogates"
NAMED = re.compile(r"\{(\w+)\}")


class Carried(Struct, frozen=True, kw_only=True):
    """A question, ready to be sent."""

    target: str
    """Path and query, encoded."""
    body: bytes | None


def carried(operation: Operation[Asked, Any], asked: Asked) -> Carried:
    """Return how a question is sent. What has its default is left out.

    Raises:
        BadRequest: it has what nothing can be sent as: half of a pair of surrogates, or a number that is none.
    """
    try:
        return _carried(operation, asked)
    except UnicodeEncodeError:
        raise BadRequest("", HALF_A_PAIR) from None
    except ValueError:
        raise BadRequest("args", "NaN and infinity have no JSON form") from None


def _carried(operation: Operation[Asked, Any], asked: Asked) -> Carried:
    in_path = _in_path(operation.path)
    fields = msgspec.to_builtins(asked, str_keys=True)
    path = NAMED.sub(lambda found: quote(str(fields[found[1]]), safe=""), operation.path)
    defaults = {field.name: field.default for field in msgspec.structs.fields(asked)}
    rest = {
        name: value for name, value in fields.items() if name not in in_path and getattr(asked, name) != defaults[name]
    }
    if operation.method.has_body:
        # Not by msgspec, which makes null of a number that is none.
        body = json.dumps(rest, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        return Carried(target=path, body=body.encode())
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
    """Return the question that a request asks: `body` is what its JSON says.

    Raises:
        BadRequest: with the field and the reason.
    """
    # Where the door is mounted under a path with names in it, those are the application's.
    fields: dict[str, Any] = {name: path[name] for name in _in_path(operation.path)}
    if operation.method.has_body:
        if query:
            raise BadRequest(query[0][0], f"{operation.method} {operation.path} takes it in the body")
        if not isinstance(body, dict):
            raise BadRequest("", "the body is to be a JSON object")
        fields = {**body, **fields}
        if fields.get("tenants") == []:
            # Left out it is everybody: a list that came out empty must not be.
            raise BadRequest("tenants", NOBODY)
    else:
        fields |= _from_query(operation, query)
    asked = _converted(fields, operation.asks)
    check(asked)
    return asked


def _from_query(operation: Operation[Any, Any], query: Sequence[tuple[str, str]]) -> dict[str, object]:
    """Return the fields of a query, where everything is text, as what their types say."""
    hints = _hints(cast(Hashable, operation.asks))
    fields: dict[str, Any] = {}
    for name, text in query:
        kinds = hints.get(name, ())
        if tuple in kinds or list in kinds:
            fields.setdefault(name, []).append(text)
        elif name in fields:
            raise BadRequest(name, "it stands there twice")
        else:
            fields[name] = _typed(text, kinds)
    return fields


def _converted(fields: Mapping[str, object], wanted: type[Asked]) -> Asked:
    try:
        return msgspec.convert(fields, wanted)
    except UnicodeEncodeError:
        raise BadRequest("", HALF_A_PAIR) from None
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `")
        raise BadRequest(place.removeprefix("$").removeprefix(".").rstrip("`"), text) from None


def _typed(text: str, kinds: tuple[Any, ...]) -> object:
    """Return a number or a yes or no that is written so, where one is wanted; else the text, to be refused as such."""
    if bool in kinds and text in TRUTHS:
        return TRUTHS[text]
    if int in kinds and WHOLE.fullmatch(text):
        return int(text)
    if float in kinds and NUMBER.fullmatch(text):
        return float(text)
    return text


@cache
def _in_path(path: str) -> tuple[str, ...]:
    return tuple(NAMED.findall(path))


@cache
def _hints(kind: Any) -> Mapping[str, tuple[Any, ...]]:
    """Return which types each field may have: `int | None` has two, a list that of lists."""
    return {name: _kinds(hint) for name, hint in get_type_hints(kind).items()}


def _kinds(hint: Any) -> tuple[Any, ...]:
    origin = get_origin(hint)
    if origin not in (Union, UnionType):
        return (origin or hint,)
    return tuple(get_origin(one) or one for one in get_args(hint))
