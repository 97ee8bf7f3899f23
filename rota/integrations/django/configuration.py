"""What a project says of Rota in `settings.ROTA`: the tables of `rota.toml`, and a few keys of Django's own."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from msgspec import Struct

from rota.errors import ConfigurationError
from rota.settings import Settings, from_tables, load
from rota.settings.reading import laid_over

WHERE = "settings.ROTA"
PLACE = "rota.integrations.django.project:rota"
"""Where the application of every Django project is."""


class Configuration(Struct, frozen=True, kw_only=True):
    """What a project says of Rota, read."""

    settings: Settings
    database: str = "default"
    """The alias of the database that the store is in, where no `store.url` is named."""
    cron: tuple[object, ...] = ()
    """Django commands that run at times, as they are written: see `entries`."""
    context: str = ""
    """`module:function` that makes a JobContext of a request; empty: the user, and the tenant of django-tenants."""
    context_attributes: tuple[str, ...] = ()
    """What that may say besides tenant and user."""
    resolve_user: str = ""
    """`module:function` that says what the sender of a request may do with Rota, a `User` or None; empty: tokens and
    keys of Rota's do. For the addresses in `urls`."""


OWN = ("database", "cron", "context", "context_attributes", "resolve_user")


def directory() -> Path:
    """Return the folder of the project, where its `rota.toml` is."""
    return Path(getattr(django_settings, "BASE_DIR", None) or Path.cwd())


def read() -> Configuration:
    """Return what the project says: the environment wins over `rota.toml`, which wins over `settings.ROTA`.

    Raises:
        UnknownSetting, ConfigurationError: a key or a value that cannot be used.
    """
    said = getattr(django_settings, "ROTA", {})
    if not isinstance(said, Mapping) or not all(isinstance(key, str) for key in said):
        raise ConfigurationError(f'{WHERE} is to be a dict with the tables of rota.toml: {{"worker": {{...}}}}')
    own = {key: said[key] for key in OWN if key in said}
    tables = {"timezone": django_settings.TIME_ZONE, "app": PLACE}
    tables |= {key: value for key, value in said.items() if key not in OWN}
    given = from_tables(tables, where=WHERE, directory=directory(), env=os.environ)
    settings = laid_over(given, load(env=os.environ, directory=directory()))
    return Configuration(settings=settings, **{key: _own(key, value) for key, value in own.items()})


def _own(key: str, value: object) -> Any:
    if key in ("cron", "context_attributes"):
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise ConfigurationError(f"{key} in {WHERE} is to be a list")
        return tuple(value)
    if not isinstance(value, str):
        raise ConfigurationError(f"{key} in {WHERE} is to be text")
    return value
