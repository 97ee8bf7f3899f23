"""Who is told of what went wrong, as it is written: `[alerts]`, `[[alerts.channel]]`, `[[alerts.rule]]`."""

from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from rota.core.alert import IncidentKind
from rota.core.duration import duration_text
from rota.core.incident import Policy
from rota.core.routing import MEANS, RECOVERED, Channel, Quiet, Rule
from rota.errors import ConfigurationError, close_names
from rota.settings.tables import listed, table

LOG = "log"
"""The channel that is told where no other one is named."""


class ChannelSettings(Struct, frozen=True, kw_only=True):
    """One `[[alerts.channel]]`: a place where alerts go. What it needs besides depends on its kind."""

    kind: str
    """`log`, `email`, `webhook`, `slack`, `teams`, `sentry` or `apprise`."""
    name: str = ""
    """What rules and `rota alerts` call it. Empty: its kind."""
    on: tuple[str, ...] = ()
    """What it is told of: kinds of incidents, and `recovered` for their ends. Empty: everything."""
    options: Mapping[str, object] = MappingProxyType({})
    """All other keys: `to`, `url`, `key_file`."""

    @property
    def called(self) -> str:
        """Return its name."""
        return self.name or self.kind

    def __repr__(self) -> str:
        # Settings end up in logs and tracebacks; what a channel is reached by does not (R65).
        return f"{self.called}({', '.join(['kind', *self.options])})"

    __str__ = __repr__


class RuleSettings(Struct, frozen=True, kw_only=True):
    """One `[[alerts.rule]]`: the first that an incident fits says who is told. What is empty narrows nothing."""

    jobs: tuple[str, ...] = ()
    """Names of jobs, with `*`."""
    tenants: tuple[str, ...] = ()
    """Names of tenants, with `*`: one that the incident meets is enough."""
    tags: tuple[str, ...] = ()
    """Tags of the job, or of a tenant that the incident meets."""
    on: tuple[str, ...] = ()
    """Kinds of incidents."""
    channels: tuple[str, ...] | None = None
    """Names of channels that are told; an empty list is nobody, no list is all."""
    quiet: str = ""
    """Hours in which nobody is told, as `22:00-07:00`: what comes then waits for their end."""
    zone: str = "UTC"
    """The zone of those hours."""
    urgent: tuple[str, ...] = ()
    """Kinds of incidents that are told at any hour."""

    def __str__(self) -> str:
        said = {name: getattr(self, name) for name in self.__struct_fields__}
        return " ".join(f"{name}={value}" for name, value in said.items() if value)


class AlertSettings(Struct, frozen=True, kw_only=True):
    """Incidents, and who is told of them."""

    cool_down: timedelta = timedelta(hours=1)
    """How long after a message it is repeated while an incident is open; twice as long each time, up to a day. For as
    long after its end what fails in the same way opens it again."""
    settle: timedelta = timedelta(seconds=10)
    """How long after the first failure others are waited for before anybody is told: tenants that fail together are one
    message."""
    give_up: timedelta = timedelta(days=1)
    """How long a channel that does not accept an alert is tried."""
    keep: timedelta = timedelta(days=90)
    """How long incidents are kept after their end, and deliveries after theirs."""
    url: str = ""
    """Where the pages of incidents are; each alert links to its own below it. Empty: no links."""
    channel: tuple[ChannelSettings, ...] = ()
    """Channels, as `[[alerts.channel]]` tables. Empty: the log alone."""
    rule: tuple[RuleSettings, ...] = ()
    """Rules, as `[[alerts.rule]]` tables, the first that fits first. Empty: every channel is told everything."""

    @property
    def policy(self) -> Policy:
        """Return when is told what."""
        return Policy(cool_down=self.cool_down, settle=self.settle)

    @property
    def named(self) -> tuple[ChannelSettings, ...]:
        """Return the channels that there are: the log where none is named."""
        return self.channel or (ChannelSettings(kind=LOG),)

    def channels(self) -> tuple[Channel, ...]:
        """Return the channels as rules know them.

        Raises:
            ConfigurationError: two have one name, or `on` says something else than a kind.
        """
        names = [one.called for one in self.named]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigurationError(f"alerts.channel: two are called {twice[0]!r}: give one of them another name")
        return tuple(_channel(one) for one in self.named)

    def rules(self) -> tuple[Rule, ...]:
        """Return the rules.

        Raises:
            ConfigurationError: names what is not understood.
        """
        names = [one.called for one in self.named]
        return tuple(_rule(one, f"alerts.rule {number}", names) for number, one in enumerate(self.rule, start=1))

    def check(self) -> None:
        """Refuse what does not fit together.

        Raises:
            ConfigurationError: names the key and what would do.
        """
        for name in ("cool_down", "give_up", "keep"):
            if getattr(self, name) <= timedelta(0):
                raise ConfigurationError(f"alerts.{name} is {duration_text(getattr(self, name))}: it must be longer")
        if self.settle < timedelta(0):
            raise ConfigurationError(f"alerts.settle is {duration_text(self.settle)}: it must be 0s or more")
        self.channels()
        self.rules()


def tables(key: str, value: object, *, env: Mapping[str, str]) -> object:
    """Return `alerts.channel` or `alerts.rule` as they are written. What a channel has as `env:NAME` is what the
    environment says there.

    Raises:
        ValueError: it is something else; no value of a channel is in the message.
    """
    if key == "alerts.channel":
        return tuple(_channel_table(one, where, env) for where, one in listed(key, value))
    return tuple(table(RuleSettings, one, where) for where, one in listed(key, value))


def _channel_table(given: Mapping[str, Any], where: str, env: Mapping[str, str]) -> ChannelSettings:
    own = {name: value for name, value in given.items() if name in ("kind", "name", "on")}
    options = {name: _option(name, value, where, env) for name, value in given.items() if name not in own}
    if "kind" not in own:
        raise ValueError(f'{where} needs a kind: kind = "email"')
    # What else there may be depends on the kind, and is checked where the channel is made.
    return table(ChannelSettings, own | {"options": MappingProxyType(options)}, where)


def _option(name: str, value: object, where: str, env: Mapping[str, str]) -> object:
    if not isinstance(value, str) or not value.startswith("env:"):
        return value
    variable = value.removeprefix("env:")
    if not env.get(variable):
        raise ValueError(f"{name} of {where} is {value}, and {variable} is not set in the environment")
    return env[variable]


def _channel(said: ChannelSettings) -> Channel:
    where = f"alerts.channel {said.called!r}"
    kinds = _kinds([word for word in said.on if word != RECOVERED], where, also=(RECOVERED,))
    return Channel(name=said.called, kinds=kinds, recoveries=not said.on or RECOVERED in said.on)


def _rule(said: RuleSettings, where: str, channels: Sequence[str]) -> Rule:
    for name in said.channels or ():
        if name not in channels:
            close = close_names(name, channels)
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(channels)}"
            raise ConfigurationError(f"{where}: there is no channel {name!r}; {hint}")
    return Rule(
        jobs=said.jobs,
        tenants=said.tenants,
        tags=said.tags,
        kinds=_kinds(said.on, where),
        channels=said.channels,
        quiet=_quiet(said.quiet, said.zone, where) if said.quiet else None,
        urgent=_kinds(said.urgent, where) if said.urgent else frozenset(),
    )


def _kinds(words: Sequence[str], where: str, *, also: Sequence[str] = ()) -> frozenset[IncidentKind]:
    found: set[IncidentKind] = set()
    for word in words:
        if word not in MEANS:
            close = close_names(word, [*MEANS, *also])
            hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join([*MEANS, *also])}"
            raise ConfigurationError(f"{where}: {word!r} is no kind of incident; {hint}")
        found |= MEANS[word]
    return frozenset(found) if words else frozenset(IncidentKind)


def _quiet(text: str, zone: str, where: str) -> Quiet:
    first, _, last = text.partition("-")
    try:
        start, end = time.fromisoformat(first.strip()), time.fromisoformat(last.strip())
    except ValueError as error:
        raise ConfigurationError(f"{where}: quiet is {text!r}: write it as 22:00-07:00") from error
    if start == end or start.tzinfo or end.tzinfo:
        raise ConfigurationError(f"{where}: quiet is {text!r}: write it as 22:00-07:00, with its zone apart")
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, LookupError) as error:
        raise ConfigurationError(f"{where}: {zone!r} is no time zone, such as Europe/Paris") from error
    return Quiet(start=start, end=end, zone=zone)
