"""JSON of which there is one reading (T30): no name twice, no number that is none, nothing nested without end."""

import json
from collections.abc import Iterable
from math import isfinite
from typing import Any, NoReturn

import msgspec

from rota.errors import BadRequest

DEEPEST = 32


def parsed(content: bytes) -> Any:
    """Return what a body says.

    Raises:
        BadRequest: it is no JSON, or can be read in two ways.
    """
    try:
        # First as strictly as can be: encoding, half characters, numbers out of range. But it lets a name come twice.
        msgspec.json.decode(content)
        value = json.loads(
            content.decode("utf-8"), object_pairs_hook=_once_each, parse_constant=_none, parse_float=_finite
        )
    except RecursionError:
        raise BadRequest("", f"the body is nested more than {DEEPEST} deep") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise BadRequest("", f"the body is no JSON: {error}") from None
    if _is_deeper(value):
        raise BadRequest("", f"the body is nested more than {DEEPEST} deep")
    return value


def _once_each(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:40]!r} stands there twice")
        found[name] = value
    return found


def _none(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:40]} is no number that can be kept")
    return number


def _is_deeper(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
