"""One written value into one setting: text from flags and the environment, TOML's own types from a file."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, get_type_hints
from zoneinfo import ZoneInfo

from msgspec import Struct

from rota.core.duration import duration_text
from rota.core.size import Size, size_text
from rota.core.typed import typed
from rota.errors import ConfigurationError
from rota.redaction import keep_secret, keep_secrets_of
from rota.settings.alerts import tables
from rota.settings.values import Settings
from rota.settings.web import key_tables

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
SECRETS = frozenset({"auth.secret", "store.url", "freshness.dead_man_url"})
TABLES = frozenset({"alerts.channel", "alerts.rule", "auth.key"})
"""Lists of tables."""


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
        converted = _tables(key, value, env) if key in TABLES else typed(KINDS[key], value)
        if key == "timezone":
            _check_zone(converted)
    except ValueError as error:
        reason = "it must be text" if key in SECRETS else str(error)
        raise ConfigurationError(f"{key} ({origin}): {reason}") from error
    if key in SECRETS and isinstance(converted, str) and converted.startswith("env:"):
        name = converted.removeprefix("env:")
        if not env.get(name):
            raise ConfigurationError(f"{key} ({origin}) is env:{name}, and {name} is not set in the environment")
        converted = env[name]
    if key in SECRETS and isinstance(converted, str):
        # Before anything can go wrong with it: the message about that may quote it.
        keep_secrets_of(converted) if "://" in converted else keep_secret(converted)
    return converted


def _tables(key: str, value: object, env: Mapping[str, str]) -> object:
    return key_tables(key, value) if key == "auth.key" else tables(key, value, env=env)


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
            return ",".join(map(str, value))
        case Mapping():
            return ",".join(f"{name}:{count}" for name, count in value.items())
        case _:
            return str(value)
