"""One written value into one setting: text from flags and the environment, TOML's own types from a file."""

import json
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType, NoneType
from typing import Any, get_args, get_type_hints
from zoneinfo import ZoneInfo

from msgspec import Struct

from rota.core.duration import duration_text, parse_duration
from rota.core.size import Size, parse_size, size_text
from rota.errors import ConfigurationError, close_names
from rota.settings.values import Settings

SECTIONS: Mapping[str, type[Struct]] = MappingProxyType(
    {
        name: kind
        for name, kind in get_type_hints(Settings).items()
        if isinstance(kind, type) and issubclass(kind, Struct)
    }
)
KINDS: Mapping[str, Any] = MappingProxyType(
    {name: kind for name, kind in get_type_hints(Settings).items() if name not in SECTIONS and name != "origins"}
    | {
        f"{section}.{name}": kind
        for section, struct in SECTIONS.items()
        for name, kind in get_type_hints(struct).items()
    }
)
SECRETS = frozenset({"store.url"})
_TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def known_file_key(key: str) -> str | None:
    """Return the secret whose file `key` names (`store.url_file`), or None."""
    plain = key.removesuffix("_file")
    return plain if plain != key and plain in SECRETS else None


def build(values: Mapping[str, object], *, origins: Mapping[str, str]) -> Settings:
    """Return settings of converted values by key; what is not named has its default."""
    parts: dict[str, dict[str, object]] = {section: {} for section in SECTIONS}
    top: dict[str, object] = {}
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        (parts[section] if section else top)[name] = value
    sections = {section: SECTIONS[section](**fields) for section, fields in parts.items()}
    return Settings(**sections, **top, origins=MappingProxyType(dict(origins)))  # type: ignore[arg-type]  # by KINDS


def laid_over(code: Settings, given: Settings) -> Settings:
    """Return what the code says, with every key that `given` was told on top of it (not its defaults), checked.

    Raises:
        ConfigurationError: together they do not fit.
    """
    origins = dict(code.origins) | dict(given.origins)
    together = build({key: value_of(given if key in given.origins else code, key) for key in KINDS}, origins=origins)
    together.check()
    return together


def value_of(settings: Settings, key: str) -> object:
    """Return the value of `key`."""
    value: object = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value


def read(key: str, value: object, *, origin: str, env: Mapping[str, str]) -> object:
    """Return the value of `key` in the type that its setting has.

    Raises:
        ConfigurationError: names key, origin and reason; shows the value unless it is a secret.
    """
    try:
        converted = _convert(KINDS[key], value)
        if key == "timezone":
            _check_zone(converted)
    except ValueError as error:
        reason = "it must be text" if key in SECRETS else str(error)
        raise ConfigurationError(f"{key} ({origin}): {reason}") from error
    if key in SECRETS and isinstance(converted, str) and converted.startswith("env:"):
        name = converted.removeprefix("env:")
        if not env.get(name):
            raise ConfigurationError(f"{key} ({origin}) is env:{name}, and {name} is not set in the environment")
        return env[name]
    return converted


def _convert(kind: Any, value: object) -> object:
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


def _check_zone(name: object) -> None:
    try:
        ZoneInfo(str(name))
    except (OSError, ValueError, LookupError) as error:
        raise ValueError(f"{name!r} is no time zone of the tz database, such as Europe/Paris") from error


def written(value: object) -> str:
    """Return a setting as it would be written in the environment. Passwords are still in it."""
    match value:
        case None:
            return "none"
        case timedelta():
            return duration_text(value)
        case bool():
            return str(value).lower()
        case Size():
            return size_text(value)
        case tuple():
            return ",".join(value)
        case Mapping():
            return ",".join(f"{name}:{count}" for name, count in value.items())
        case _:
            return str(value)
