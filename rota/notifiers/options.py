"""The options of a channel, read from plain values and checked: unknown names, missing ones, wrong types."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TypeVar, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import fields

from rota.core.duration import duration_text
from rota.core.masking import HIDDEN, is_secret
from rota.core.typed import typed
from rota.errors import ConfigurationError, UnknownSetting, close_names

MOST_WAIT = timedelta(minutes=1)
"""The longest time-out: whoever delivers an alert has it for two minutes, and then another process may."""

Options = TypeVar("Options", bound=Struct)


def read(
    kind: type[Options], given: Mapping[str, object], *, where: str, directory: Path, env: Mapping[str, str]
) -> Options:
    """Return the options of a channel. What `kind` checks when it is made is said with `where` before it.

    Raises:
        ConfigurationError: names the option, the place and the reason; never a secret.
    """
    hints, secret = get_type_hints(kind), secrets_of(kind)
    values: dict[str, object] = {}
    # Files first: what holds the value itself is nearer than what names a file.
    for name in sorted(given, key=lambda name: (name in hints, name)):
        plain = name if name in hints else name.removesuffix("_file")
        if plain not in hints or (plain != name and plain not in secret):
            raise UnknownSetting(name, where=where, close=close_names(name, hints))
        try:
            if plain != name:
                values[plain] = _from_file(directory / str(given[name]))
            else:
                values[name] = _secret(given[name], env) if name in secret else typed(hints[name], given[name])
        except ValueError as error:
            raise ConfigurationError(f"{name} of {where}: {error}") from error
    missing = [field.name for field in fields(kind) if field.required and not values.get(field.name)]
    if missing:
        raise ConfigurationError(f"{where} needs {' and '.join(missing)}")
    try:
        return kind(**values)
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def secrets_of(kind: type[Struct]) -> frozenset[str]:
    """Return the names of the options that are never shown."""
    return frozenset(name for name, hint in get_type_hints(kind, include_extras=True).items() if is_secret(hint))


def _secret(given: object, env: Mapping[str, str]) -> str:
    if not isinstance(given, str):
        raise ValueError("it must be text")
    name = given.removeprefix("env:")
    if name == given:
        return given
    if not env.get(name):
        raise ValueError(f"it is env:{name}, and {name} is not set in the environment")
    return env[name]


def _from_file(file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ValueError(f"it names {file}, which cannot be read: {reason}") from error


def shown(options: Struct) -> str:
    """Return options as they may be shown, their secrets hidden: what their `repr` is (R65)."""
    secret = secrets_of(type(options))
    values = msgspec.structs.asdict(options).items()
    written = [f"{name}={HIDDEN if value and name in secret else repr(value)}" for name, value in values]
    return f"{type(options).__name__}({', '.join(written)})"


def insecure(given: Mapping[str, object]) -> list[str]:
    """Return the names of the options that take a guard away: what `rota doctor` shows (T68)."""
    return sorted(name for name, value in given.items() if name.startswith("insecure_") and typed(bool, value))


def check_timeout(timeout: timedelta) -> None:
    """Refuse a time-out that no delivery can have.

    Raises:
        ValueError: says which one can.
    """
    if not timedelta(0) < timeout <= MOST_WAIT:
        raise ValueError(f"timeout: it is {duration_text(timeout)}; it must be more than nothing, and a minute at most")
