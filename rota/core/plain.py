"""Values in the kinds that JSON has, and back: the tags of the codec (R31).

A tag is an object with one key: `{"$date": "2026-11-21"}`. The tags are a closed list of built-in kinds; a tag can
never name a class or a module. An object with one unknown `$` key is left as it is.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any
from uuid import UUID

import msgspec

from rota.errors import NotDecodable, NotJson

MAX_DEPTH = 64
"""How deep containers may nest; a cycle is found before."""

MAX_INT_BITS = 14_000
"""Python writes an int of over 4,300 digits only after a switch that is the whole process's."""

PLAIN_SCALARS = frozenset({str, int, bool, type(None)})


def is_plain(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Tell whether JSON has all of `value` as it is. Quick, because almost every enqueue asks it."""
    kind = type(value)
    if kind in PLAIN_SCALARS:
        return True
    if kind is float:
        return isfinite(value)
    if kind is dict:
        if depth == 0:
            return False
        for key, item in value.items():
            if type(key) is not str or key[:1] == "$":
                return False
            if type(item) not in PLAIN_SCALARS and not is_plain(item, depth - 1):
                return False
        return True
    if kind is list or kind is tuple:
        if depth == 0:
            return False
        for item in value:  # noqa: SIM110 -- a generator would double the cost of the common case
            if type(item) not in PLAIN_SCALARS and not is_plain(item, depth - 1):
                return False
        return True
    return False


def tagged(value: object, *, at: str) -> Any:
    """Return `value` in str, int, float, bool, None, list and dict.

    `at` is the place of the value in the whole, for the message.

    Raises:
        NotJson: some part of it has no JSON form.
    """
    return _tagged(value, at, [])


def _tagged(value: Any, at: str, outer: list[object]) -> Any:
    # `outer` are the containers that this value is inside of.
    match value:
        case Enum():
            # The member's value, not its name: it is what an annotation with this Enum accepts from plain JSON.
            if type(value.value) not in (str, int):
                raise NotJson(at, f"{kind_of(value)} has values that are neither str nor int")
            return _tagged(value.value, at, outer)
        case None | bool():
            return value
        case str():
            return _str(value, at)
        case int():
            if value.bit_length() > MAX_INT_BITS:
                raise NotJson(at, "an int of over 4,000 digits")
            return int(value)
        case float():
            if not isfinite(value):
                raise NotJson(at, "NaN and infinity have no JSON form")
            return float(value)
    for kind, (tag, to_text) in _TAGS.items():
        if isinstance(value, kind):
            return {tag: _text(to_text, value, at)}
    if any(value is one for one in outer):
        raise NotJson(at, f"a {kind_of(value)} that contains itself")
    if len(outer) >= MAX_DEPTH:
        raise NotJson(at, f"nested more than {MAX_DEPTH} deep")
    inside = [*outer, value]
    if isinstance(value, list | tuple):
        return [_tagged(item, f"{at}[{i}]", inside) for i, item in enumerate(value)]
    named = {key: _tagged(item, f"{at}.{key}", inside) for key, item in _items(value, at)}
    # One key that starts with $ reads as a tag: say that this one is not.
    return {"$map": named} if len(named) == 1 and next(iter(named))[:1] == "$" else named


def _items(value: Any, at: str) -> list[tuple[str, object]]:
    """Return the named parts of a mapping, a dataclass, a Struct or a pydantic model."""
    kind = type(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise NotJson(at, f"a key is {kind_of(key)}; JSON knows str keys only")
        return [(_str(key, at), item) for key, item in value.items()]
    if isinstance(value, msgspec.Struct):
        if kind.__struct_config__.array_like:
            raise NotJson(at, f"{kind_of(value)} is a Struct with array_like=True")
        named = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        tag, field = kind.__struct_config__.tag, kind.__struct_config__.tag_field
        items = [(name, part) for name, own in named if (part := getattr(value, own)) is not msgspec.UNSET]
        return items if field is None else [(field, tag), *items]
    if is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in fields(value) if field.init]
    if callable(getattr(kind, "model_dump", None)):
        # A pydantic model, known by its shape: the core does not import pydantic.
        return list(value.model_dump(by_alias=True).items())
    raise NotJson(at, f"{kind_of(value)} has no JSON form{_HINTS.get(kind.__name__, '')}")


_HINTS = {
    "set": "; pass a sorted list",
    "frozenset": "; pass a sorted list",
    "bytearray": "; pass bytes",
    "memoryview": "; pass bytes",
    "generator": "; pass a list",
    "int64": "; pass int(...)",
    "float32": "; pass float(...)",
    "ndarray": "; pass .tolist()",
}


def _str(value: str, at: str) -> str:
    # Of a subclass, such as a template engine's marked text, the text is kept.
    text = str.__str__(value)
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise NotJson(at, "a str with a lone surrogate has no UTF-8 form")
    return text


def kind_of(value: object) -> str:
    """Return the name of the value's type: what a message may say of a value that is the tenant's."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _text(to_text: Callable[[Any], str], value: object, at: str) -> str:
    try:
        return to_text(value)
    except ValueError as error:
        raise NotJson(at, str(error)) from None


def _time_text(value: time) -> str:
    if value.tzinfo is not None and value.utcoffset() is None:
        raise ValueError("a time in a zone whose offset depends on the date; pass a datetime, or the zone's name")
    return value.isoformat()


def _decimal_text(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError("NaN and infinity have no JSON form")
    return str(value)


def _duration_text(value: timedelta) -> str:
    return str(msgspec.to_builtins(value))


def _duration(text: str) -> timedelta:
    return msgspec.convert(text, timedelta)


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError("not a finite number")
    return value


# datetime stands before date, whose subclass it is.
_TAGS: dict[type, tuple[str, Callable[[Any], str]]] = {
    datetime: ("$datetime", datetime.isoformat),
    date: ("$date", date.isoformat),
    time: ("$time", _time_text),
    timedelta: ("$timedelta", _duration_text),
    UUID: ("$uuid", str),
    Decimal: ("$decimal", _decimal_text),
    bytes: ("$bytes", lambda value: b64encode(value).decode()),
}

_KINDS: dict[str, Callable[[str], object]] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$timedelta": _duration,
    "$uuid": UUID,
    "$decimal": _decimal,
    "$bytes": lambda text: b64decode(text, validate=True),
}


def resolved(value: Any) -> Any:
    """Return a parsed JSON value with its tags turned back into what they stand for.

    Raises:
        NotDecodable: a known tag holds what it cannot, such as `{"$date": "soon"}`.
    """
    try:
        return _resolved(value)
    except RecursionError:
        raise NotDecodable("nested too deep") from None


def _resolved(value: Any) -> Any:
    if isinstance(value, list):
        return [_resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(key, item)] = value.items()
        if key == "$map" and isinstance(item, dict):
            return {inner: _resolved(part) for inner, part in item.items()}
        if key in _KINDS and isinstance(item, str):
            try:
                return _KINDS[key](item)
            except (ValueError, ArithmeticError):
                raise NotDecodable(f"a {key} that is none") from None
    return {key: _resolved(item) for key, item in value.items()}
