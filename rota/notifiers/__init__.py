"""Where alerts go: one file for each kind of channel, all made here from plain options."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec import Struct

from rota.clock import Clock
from rota.errors import ConfigurationError, close_names
from rota.notifiers.options import read, secrets_of
from rota.ports import Notifier
from rota.redaction import SECRETS

KINDS = ("log", "email", "webhook", "slack", "teams", "sentry", "apprise")

LEAST_PATH = 16
"""Characters of a path that are taken for a secret."""

Make = Callable[[Any, Clock], Notifier]


def make(
    kind: str,
    options: Mapping[str, object],
    *,
    clock: Clock,
    where: str = "",
    directory: Path = Path(),
    env: Mapping[str, str] = MappingProxyType({}),
) -> Notifier:
    """Return a channel, everything about it checked and nothing opened.

    `where` names the place of the options in messages. A secret may be written as itself, as `env:NAME`, or as
    `<option>_file`, a path from `directory`.

    Raises:
        ConfigurationError: no such kind, an option that it does not have, lacks or cannot use; no secret is shown.
        MissingExtra: the library of an optional channel is not installed.
    """
    where = where or f"the channel {kind!r}"
    if kind not in KINDS:
        close = close_names(kind, KINDS)
        hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(KINDS)}"
        raise ConfigurationError(f"{where}: there is no channel of kind {kind!r}; {hint}")
    structure, channel = parts_of(kind)
    read_options = read(structure, options, where=where, directory=directory, env=env)
    for name in secrets_of(structure):
        _keep(getattr(read_options, name))
    return channel(read_options, clock)


def parts_of(kind: str) -> tuple[type[Struct], Make]:
    """Return the options of a kind of channel, and what makes one of them; loads nothing of the other kinds."""
    match kind:
        case "log":
            from rota.notifiers.log import LogChannel, LogOptions

            return LogOptions, LogChannel
        case "email":
            from rota.notifiers.email import EmailChannel, EmailOptions

            return EmailOptions, EmailChannel
        case "webhook":
            from rota.notifiers.webhook import WebhookChannel, WebhookOptions

            return WebhookOptions, WebhookChannel
        case "slack":
            from rota.notifiers.slack import SlackChannel, SlackOptions

            return SlackOptions, SlackChannel
        case "teams":
            from rota.notifiers.teams import TeamsChannel, TeamsOptions

            return TeamsOptions, TeamsChannel
        case "sentry":
            from rota.notifiers.sentry import SentryChannel, SentryOptions

            return SentryOptions, SentryChannel
        case "apprise":
            from rota.notifiers.apprise import AppriseChannel, AppriseOptions

            return AppriseOptions, AppriseChannel
        case _:
            raise LookupError(kind)


def _keep(secret: str) -> None:
    """Let no sink show a secret of a channel from now on; of an address also not its path, if that is long enough to
    be one, as those of Slack are."""
    SECRETS.keep(secret)
    SECRETS.keep_url(secret)
    if secret.startswith(("https://", "http://")):
        path = secret.split("/", 3)[-1].partition("?")[0]
        SECRETS.keep(path if len(path) >= LEAST_PATH else None)
