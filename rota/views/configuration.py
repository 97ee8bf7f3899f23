"""The settings as a list: key, value, where it was set, and how it is set."""

from msgspec import Struct

from rota.core.masking import HIDDEN
from rota.redaction import redacted
from rota.settings import Settings
from rota.settings.loading import environment_names
from rota.settings.reading import KINDS, value_of, written

SECRET = frozenset({"auth.secret"})
"""Keys that hold nothing but a secret: it is hidden also where nobody has had it kept, in settings made by code."""


class Setting(Struct, frozen=True, kw_only=True):
    """One key as it stands. Passwords are masked."""

    key: str
    value: str
    default: str
    origin: str
    variable: str
    """The environment variable that sets it."""


def configuration(settings: Settings) -> list[Setting]:
    """Return every key, in the order of the reference page."""
    variables, defaults = environment_names(), Settings()
    return [
        Setting(
            key=key,
            value=_shown(key, written(value_of(settings, key))),
            default=written(value_of(defaults, key)),
            origin=settings.origin(key),
            variable=variables[key],
        )
        for key in KINDS
    ]


def _shown(key: str, text: str) -> str:
    return HIDDEN if text and key in SECRET else redacted(text)
