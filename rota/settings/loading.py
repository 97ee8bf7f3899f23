"""Settings from flags, environment and file; the first that names a key wins, and every key remembers who it was."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rota.errors import ConfigurationError, UnknownSetting, close_names
from rota.settings.reading import KINDS, SECRETS, SECTIONS, TABLES, build, known_file_key, read
from rota.settings.tables import from_directory
from rota.settings.values import Settings

ALIASES = {
    "ROTA_APP": "app",
    "ROTA_STORE": "store.url",
    "ROTA_LOG": "logging.level",
    "DISABLE_AUTH": "auth.disable",
}
NOT_SETTINGS = frozenset({"ROTA_CONFIG", "ROTA_PROFILE"})
FILES = ("rota.toml", "pyproject.toml")


class Given(NamedTuple):
    """A value as it was written, and where."""

    value: object
    origin: str


class SecretFile(NamedTuple):
    """A file that a secret is read from: only if nothing nearer takes its place, for it may be on another machine."""

    path: Path
    key: str
    """How it was named, for messages."""


def load(
    path: Path | None = None,
    *,
    env: Mapping[str, str],
    overrides: Mapping[str, object] | None = None,
    profile: str | None = None,
    directory: Path | None = None,
) -> Settings:
    """Return the settings, checked.

    `overrides` are flags, by key (`worker.drain`); they win over `env`, which wins over the profile in the file, which
    wins over the rest of the file. The file is `path`, or ROTA_CONFIG, or `rota.toml` in `directory`, or there
    `pyproject.toml` with a `[tool.rota]`; there may be none.

    Raises:
        UnknownSetting: a key nobody reads, with the one that was probably meant.
        ConfigurationError: a value that cannot be read, or does not fit the others. No secret is in the message.
    """
    given: dict[str, Given] = {}
    file = _file(path, env=env, directory=directory or Path())
    chosen = profile or env.get("ROTA_PROFILE") or None
    if file is not None:
        given.update(_from_file(file, profile=chosen))
    elif chosen:
        raise ConfigurationError(f"profile {chosen!r} is asked for, and there is no rota.toml that could have it")
    given.update(_from_environment(env))
    for key, value in (overrides or {}).items():
        given[_known(key, where="the flags")] = Given(value, "flag")
    settings = build(
        {key: read(key, _opened(item.value), origin=item.origin, env=env) for key, item in given.items()},
        origins={key: item.origin for key, item in given.items()},
    )
    settings.check()
    return settings


def from_tables(tables: Mapping[str, object], *, where: str, directory: Path, env: Mapping[str, str]) -> Settings:
    """Return the settings that a framework's own settings hold, in the tables of `rota.toml`; not checked yet.

    `where` is how messages call the place; `directory` is what the names of files in it start from.

    Raises:
        UnknownSetting, ConfigurationError: as from `load`.
    """
    given = dict(_flat(tables, file=directory / where, where=where))
    return build(
        {key: read(key, _opened(item.value), origin=item.origin, env=env) for key, item in given.items()},
        origins={key: item.origin for key, item in given.items()},
    )


def environment_names() -> dict[str, str]:
    """Return the environment variable of each key: its alias where there is one."""
    names = {key: "ROTA_" + key.upper().replace(".", "__") for key in KINDS}
    return names | {key: name for name, key in ALIASES.items()}


def unread_names(env: Mapping[str, str]) -> list[str]:
    """Return the variables in `env` that look like ours and that nothing reads."""
    return sorted(
        name for name in env if name.startswith("ROTA_") and name not in NOT_SETTINGS and _variable_key(name) is None
    )


def _file(path: Path | None, *, env: Mapping[str, str], directory: Path) -> Path | None:
    named = path or (Path(env["ROTA_CONFIG"]) if env.get("ROTA_CONFIG") else None)
    if named is not None:
        return named
    for name in FILES:
        candidate = directory / name
        if candidate.is_file() and (name == "rota.toml" or _ours(_parsed(candidate), file=candidate) is not None):
            return candidate
    return None


def _ours(tables: Mapping[str, Any], *, file: Path) -> dict[str, Any] | None:
    """Return the table `tool.rota` of a pyproject.toml, or None."""
    tools = tables.get("tool")
    ours: dict[str, Any] | None = tools.get("rota") if isinstance(tools, dict) else None
    if ours is not None and not isinstance(ours, dict):
        raise ConfigurationError(f"tool.rota in {file} must be a table: [tool.rota]")
    return ours


def _parsed(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror or type(error).__name__}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        # The parser names line and column, never the text that stands there, so no secret gets out.
        raise ConfigurationError(f"{file} is not TOML: {error}") from error


def _from_file(file: Path, *, profile: str | None) -> dict[str, Given]:
    tables = _parsed(file)
    if file.name == "pyproject.toml":
        tables = _ours(tables, file=file) or {}
    profiles = tables.pop("profile", {})
    if not isinstance(profiles, dict) or not all(isinstance(table, dict) for table in profiles.values()):
        raise ConfigurationError(f"profile in {file} must be tables: [profile.NAME]")
    given = dict(_flat(tables, file=file, where=file.name))
    # All profiles are read, so that a mistake in the one for the night shift is found in the day.
    overlays = {
        name: dict(_flat(table, file=file, where=f"{file.name} [profile.{name}]")) for name, table in profiles.items()
    }
    if profile is not None:
        if profile not in overlays:
            close = close_names(profile, overlays)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(sorted(overlays)) or 'none'}"
            raise ConfigurationError(f"no [profile.{profile}] in {file}; {hint}")
        given.update(overlays[profile])
    return given


def _flat(tables: Mapping[str, object], *, file: Path, where: str) -> Iterator[tuple[str, Given]]:
    for name, value in tables.items():
        if name not in SECTIONS:
            yield _item(name, value, file=file, where=where)
        elif isinstance(value, dict):
            for key, inner in value.items():
                yield _item(f"{name}.{key}", inner, file=file, where=where)
        else:
            raise ConfigurationError(f"{name} in {where} must be a table: [{name}]")


def _item(key: str, value: object, *, file: Path, where: str) -> tuple[str, Given]:
    secret = known_file_key(key)
    if key in TABLES:
        return key, Given(from_directory(value, file.parent), where)
    if secret is None:
        return _known(key, where=where), Given(value, where)
    if not isinstance(value, str):
        raise ConfigurationError(f"{key} in {where} must be the name of a file")
    return secret, Given(SecretFile(file.parent / value, key), f"{where} {key}")


def _from_environment(env: Mapping[str, str]) -> dict[str, Given]:
    given: dict[str, Given] = {}
    # Files first: a variable that holds the value itself is nearer than one that names a file.
    for name in sorted(env, key=lambda name: (not name.endswith("_FILE"), name)):
        if not (name.startswith("ROTA_") or name in ALIASES) or name in NOT_SETTINGS:
            continue
        key = _variable_key(name)
        if key is None:
            # Without a section it may be another program's, and a container is full of those.
            if "__" in name:
                spelled = name.removeprefix("ROTA_").lower().replace("__", ".")
                raise UnknownSetting(name, where="the environment", close=_variables(close_names(spelled, KINDS)))
            continue
        value: object = env[name]
        if name.endswith("_FILE"):
            value = SecretFile(Path(env[name]), name)
        given[key] = Given(value, f"environment {name}")
    return given


def _variable_key(name: str) -> str | None:
    if name in ALIASES:
        return ALIASES[name]
    plain = name.removesuffix("_FILE")
    if plain != name and ALIASES.get(plain) in SECRETS:
        return ALIASES[plain]
    key = name.removeprefix("ROTA_").lower().replace("__", ".")
    return known_file_key(key) or (key if key in KINDS else None)


def _variables(keys: list[str]) -> list[str]:
    return ["ROTA_" + key.upper().replace(".", "__") for key in keys]


def _opened(value: object) -> object:
    """Return a value as it is, or what stands in the file that it is in."""
    if not isinstance(value, SecretFile):
        return value
    try:
        return value.path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigurationError(f"{value.key} names {value.path}, which cannot be read: {reason}") from error


def _known(key: str, *, where: str) -> str:
    if key in KINDS:
        return key
    section, _, name = key.rpartition(".")
    # Within the right section the last part is compared alone, or "worker.x" would resemble every worker key.
    inside = [known.rpartition(".")[2] for known in KINDS if known.rpartition(".")[0] == section]
    close = [f"{section}.{match}" if section else match for match in close_names(name, inside)]
    raise UnknownSetting(key, where=where, close=close or close_names(key, [*KINDS, *SECTIONS]))
