"""Whether what one job returns can be what the next one takes, as far as their annotations say (R32).

It goes by the kinds that the codec's JSON has. What cannot be told is taken to fit: the value itself decides then.
"""

from collections.abc import Collection, Mapping
from dataclasses import is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin, is_typeddict
from uuid import UUID

import msgspec

from rota.core.returns import Cancel, Fail, Snooze


class Kind(StrEnum):
    """What a JSON value is."""

    NULL = "null"
    TRUTH = "true or false"
    NUMBER = "a number"
    TEXT = "text"
    ARRAY = "a list"
    OBJECT = "an object"
    TAGGED = "a date, a UUID or the like"


Kinds = frozenset[Kind]

UNKNOWN: Kinds = frozenset(Kind)
SCALARS: Mapping[object, Kind] = {
    NoneType: Kind.NULL, None: Kind.NULL, bool: Kind.TRUTH, int: Kind.NUMBER, float: Kind.NUMBER, str: Kind.TEXT
}  # fmt: skip
WITH_A_TAG = (datetime, date, time, timedelta, UUID, Decimal, bytes)
NO_RESULT = (Snooze, Cancel, Fail)
"""What a job may return without having come to a result."""


def can_take(returned: Any, accepted: Any) -> bool:
    """Return whether a value of the annotation `returned` may fit the annotation `accepted`, once it went through
    JSON."""
    return bool(_kinds(returned, is_returned=True) & _kinds(accepted, is_returned=False))


def _kinds(annotation: Any, *, is_returned: bool) -> Kinds:
    if annotation in SCALARS:
        return frozenset({SCALARS[annotation]})
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kinds(arguments[0], is_returned=is_returned)
    if origin is Literal:
        return frozenset().union(*(_kinds(type(value), is_returned=is_returned) for value in arguments))
    if origin in (Union, UnionType):
        parts = [part for part in arguments if not (is_returned and part in NO_RESULT)]
        return frozenset().union(*(_kinds(part, is_returned=is_returned) for part in parts)) or UNKNOWN
    if isinstance(annotation, NewType):
        return _kinds(annotation.__supertype__, is_returned=is_returned)
    plain = origin or annotation
    return _of_class(plain, is_returned=is_returned) if isinstance(plain, type) else UNKNOWN


def _of_class(kind: type, *, is_returned: bool) -> Kinds:
    if issubclass(kind, WITH_A_TAG):
        # Plain JSON is accepted for each of them: text, and seconds for a duration.
        return frozenset({Kind.TAGGED}) if is_returned else frozenset({Kind.TAGGED, Kind.TEXT, Kind.NUMBER})
    if issubclass(kind, Enum):
        return frozenset({Kind.TEXT, Kind.NUMBER})
    if is_typeddict(kind) or is_dataclass(kind) or issubclass(kind, Mapping):
        return frozenset({Kind.OBJECT})
    if issubclass(kind, msgspec.Struct):
        # One with a result of its own is read for it; `array_like` ones are lists.
        return frozenset({Kind.OBJECT, Kind.ARRAY}) if kind.__module__ != "rota.core.returns" else UNKNOWN
    if issubclass(kind, Collection) and not issubclass(kind, str):
        return frozenset({Kind.ARRAY})
    return UNKNOWN
