"""What an application says of Rota in `app.config`: `ROTA` has the tables of `rota.toml`, `ROTA_...` single keys."""

import os
from collections.abc import Mapping
from pathlib import Path

from flask import Flask
from msgspec import Struct

from rota.errors import ConfigurationError, UnknownSetting, close_names
from rota.settings import Settings, from_tables, load
from rota.settings.loading import environment_names
from rota.settings.reading import laid_over

NAME = "ROTA"
WHERE = 'app.config["ROTA"]'
BIND = "bind"
"""A key of ours and not of `rota.toml`: which bind of Flask-SQLAlchemy the store is in."""


class Configuration(Struct, frozen=True, kw_only=True):
    """What an application says of Rota, read."""

    settings: Settings
    bind: str | None = None
    """The bind key of the database that the store is in, where no `store.url` is named; None is the default one."""


def read(app: Flask) -> Configuration:
    """Return what the application says: the environment wins over `rota.toml`, which wins over `app.config`.

    Raises:
        UnknownSetting, ConfigurationError: a key or a value that cannot be used.
    """
    said = app.config.get(NAME, {})
    if not isinstance(said, Mapping) or not all(isinstance(key, str) for key in said):
        raise ConfigurationError(f'{WHERE} is to be a dict with the tables of rota.toml: {{"worker": {{...}}}}')
    bind = said.get(BIND)
    if bind is not None and not isinstance(bind, str):
        raise ConfigurationError(f"{BIND} in {WHERE} is to be a key of SQLALCHEMY_BINDS")
    tables = {key: value for key, value in said.items() if key != BIND}
    given = _laid_over(tables, _single(app))
    settings = from_tables(given, where=WHERE, directory=Path.cwd(), env=os.environ)
    return Configuration(settings=laid_over(settings, load(env=os.environ)), bind=bind)


def _single(app: Flask) -> dict[str, object]:
    """Return tables of the keys that stand alone, named as in the environment: `ROTA_WORKER__CONCURRENCY`."""
    keys = {name: key for key, name in environment_names().items()}
    tables: dict[str, object] = {}
    for name, value in app.config.items():
        if not name.startswith(f"{NAME}_"):
            continue
        if name not in keys:
            raise UnknownSetting(name, where="app.config", close=close_names(name, keys))
        section, _, field = keys[name].rpartition(".")
        inner = tables.setdefault(section, {}) if section else tables
        assert isinstance(inner, dict), "made so above"
        inner[field] = value
    return tables


def _laid_over(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """Return both, table by table."""
    together = dict(below)
    for name, value in above.items():
        known = together.get(name)
        together[name] = {**known, **value} if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return together
