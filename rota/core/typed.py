"""One written value into one typed value: text from flags and the environment, TOML's own types from a file."""

import json
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType, NoneType
from typing import Any, get_args

from rota.core.duration import parse_duration
from rota.core.size import Size, parse_size
from rota.errors import close_names

_TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def typed(kind: Any, value: object) -> object:
    """Return a written value as the type that is asked for.

    Raises:
        ValueError: it is none; the message shows the value and says what is expected.
    """
    if NoneType in get_args(kind):
        kind = next(option for option in get_args(kind) if option is not NoneType)
        if kind is timedelta and isinstance(value, str) and value.strip().lower() == "none":
            return None
    if isinstance(kind, type) and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    if kind is str:
        raise ValueError(f"{value!r} must be text")
    if kind is bool:
        return _truth(value)
    if kind is int or kind is float:
        return _number(kind, value)
    if kind is timedelta:
        return _duration(value)
    if kind is Size:
        return _size(value)
    if kind == tuple[str, ...]:
        return _names(value)
    if kind == tuple[int, ...]:
        return tuple(int(_number(int, one)) for one in (value if isinstance(value, list) else _names(value)))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _choice(kind, value)
    if kind == Mapping[str, str]:
        return _texts(value)
    return _places(value)


def _truth(value: object) -> bool:
    if isinstance(value, str) and value.strip().lower() in _TRUTH:
        return _TRUTH[value.strip().lower()]
    raise ValueError(f"{value!r} must be true or false")


def _number(kind: type[int] | type[float], value: object) -> int | float:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        try:
            return kind(value)
        except ValueError:
            pass
    raise ValueError(f"{value!r} must be a {'whole ' if kind is int else ''}number")


def _duration(value: object) -> timedelta:
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError(f'{value!r} must be a duration with its unit, in quotes: "{value}s"')


def _size(value: object) -> Size:
    if isinstance(value, str):
        return parse_size(value)
    raise ValueError(f'{value!r} must be a size with its unit, in quotes: "{value}MB"')


def _names(value: object) -> tuple[str, ...]:
    """Read `["a", "b"]` or `a,b`."""
    parsed = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if isinstance(parsed, list) and all(isinstance(name, str) for name in parsed):
        return tuple(name for name in parsed if name)
    raise ValueError(f"{value!r} must be names: a,b,c")


def _choice(kind: type[StrEnum], value: object) -> StrEnum:
    options = {str(option).lower(): option for option in kind}
    written = str(value).strip().lower()
    if written in options:
        return options[written]
    close = close_names(written, options)
    hint = f"; did you mean {str(options[close[0]])!r}?" if close else ""
    raise ValueError(f"{value!r} must be one of {', '.join(map(str, kind))}{hint}")


def _places(value: object) -> Mapping[str, int]:
    """Read `{ mail = 4 }`, `mail:4,default:8` or `{"mail": 4}`."""
    parsed = value
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        pairs = [item.rpartition(":") for item in value.split(",") if item.strip()]
        names = [name.strip() for name, _, _ in pairs]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"{value!r} names the queue {twice[0]!r} twice")
        parsed = {name.strip(): _count(number) for name, _, number in pairs}
    elif isinstance(value, str):
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = None
    if isinstance(parsed, dict) and all(name and type(count) is int for name, count in parsed.items()):
        return MappingProxyType(dict(parsed))
    raise ValueError(f"{value!r} must name queues with their places: mail:4,default:8")


def _texts(value: object) -> Mapping[str, str]:
    """Read `{ mail = "5" }`, `mail:5,report:10/1s` or `{"mail": "5"}`; a number may be without quotes."""
    parsed = value
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        pairs = [item.rpartition(":") for item in value.split(",") if item.strip()]
        parsed = {name.strip(): text.strip() for name, _, text in pairs}
    elif isinstance(value, str):
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = None
    if isinstance(parsed, dict) and all(name and type(text) in (int, str) for name, text in parsed.items()):
        return MappingProxyType({name: str(text) for name, text in parsed.items()})
    raise ValueError(f"{value!r} must name what is limited, each with its limit: mail:5,report:10/1s")


def _count(number: str) -> int | None:
    try:
        return int(number)
    except ValueError:
        return None
