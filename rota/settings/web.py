"""What can be configured of the HTTP door."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from ipaddress import ip_network
from typing import Any

from msgspec import Struct

from rota.core.duration import duration_text
from rota.core.size import Size
from rota.errors import ConfigurationError
from rota.settings.tables import listed, table

ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")


class AuthMode(StrEnum):
    """Who decides whom a request comes from."""

    JWT = "jwt"
    HOST = "host"
    NONE = "none"


class WebSettings(Struct, frozen=True, kw_only=True):
    """The HTTP server of `rota serve`, and the doors that are mounted in other applications."""

    host: str = "127.0.0.1"
    """The address that `rota serve` binds. Another one than loopback needs a key for tokens, and `allowed_hosts`."""
    port: int = 8765
    """The port there; 0 is a free one."""
    workers: int = 1
    """Processes that answer. A memory store is seen by one only."""
    root_path: str = ""
    """The prefix under which a proxy shows it, such as `/ops`."""
    read_only: bool = False
    """Whether everything that changes something is refused, whoever asks."""
    pass_limit: timedelta = timedelta(seconds=55)
    """After how long `POST /api/cron/run` answers at the latest; what has begun by then goes on. Below the time that
    whoever calls it waits."""
    sqsd: bool = False
    """Whether the daemon of an Elastic Beanstalk worker may start things without a token: requests from this machine
    that say they are its own. Only on instances whose port nobody else on them is to reach."""
    most_body: Size = Size(1 << 20)
    """How big the body of a request may be."""
    read_timeout: timedelta = timedelta(seconds=10)
    """How long the body of a request may take to come."""
    answer_timeout: timedelta = timedelta(seconds=30)
    """After how long a request is answered that it took too long. What was asked may still be done: ask again under
    the same Idempotency-Key. `POST /api/cron/run` has a limit of its own."""
    connections: int = 1000
    """How many connections `rota serve` has open at once; what comes on a further one is answered 503."""
    rate: int = 5000
    """How many requests a second one token may make, in each process that serves."""
    tenant_rate: int = 2000
    """How many runs a second may be started for one tenant by name, in each process that serves."""
    most_queued: int = 1_000_000
    """While so many runs wait, for a worker or for their time, no more are taken over HTTP (503): a backlog is not to
    grow without end. Each process that serves looks once a second at most."""
    fan_out: int = 10
    """For how many tenants at once the capability `trigger` may start a job; for more of them `manage` is needed."""
    allowed_hosts: tuple[str, ...] = ()
    """The names by which it may be asked for, as the `Host` header has them, without port: `jobs.example.org`,
    `*.example.org`. Empty: on loopback the names of loopback; in another application whatever that one lets through."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. Empty: nobody's.
    Forwarded host names are never believed: what counts is `Host`."""
    drain: timedelta = timedelta(seconds=20)
    """How long a stopping server lets requests end that it has begun to answer."""

    def check(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            ConfigurationError: names the key and what would do.
        """
        if not 0 <= self.port < 65536:
            raise ConfigurationError(f"web.port is {self.port}: ports are numbers from 0 to 65535")
        if self.workers < 1:
            raise ConfigurationError(f"web.workers is {self.workers}: it must be at least 1")
        if self.root_path and (not self.root_path.startswith("/") or self.root_path.endswith("/")):
            raise ConfigurationError(f"web.root_path is {self.root_path!r}: write it as /ops")
        for name in self.allowed_hosts:
            if not name.removeprefix("*.") or any(letter in name.removeprefix("*.") for letter in "*/: \t"):
                raise ConfigurationError(f"web.allowed_hosts: {name!r} is no name of a host, such as jobs.example.org")
        for network in self.trusted_proxies:
            try:
                ip_network(network)
            except ValueError as error:
                raise ConfigurationError(f"web.trusted_proxies: {error}") from error
        for name in ("drain", "pass_limit", "read_timeout", "answer_timeout"):
            duration: timedelta = getattr(self, name)
            if duration <= timedelta(0):
                raise ConfigurationError(f"web.{name} is {duration_text(duration)}: it must be longer than nothing")
        for name in ("most_body", "connections", "rate", "tenant_rate", "most_queued", "fan_out"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"web.{name} is {getattr(self, name)}: it must be at least 1")


class KeySettings(Struct, frozen=True, kw_only=True):
    """One `[[auth.key]]`: a key that tokens are believed by. Its file is read again when it changes; without the file
    there is no key."""

    id: str = ""
    """What tokens call it by in their header `kid`. Empty: the key of tokens that name none."""
    algorithm: str
    """`HS256`, `RS256`, `ES256` or `EdDSA`; a token that says another one is refused."""
    file: str
    """The file with the secret, or with the PEM of the public key; of a private one it can make tokens as well."""
    until: datetime | None = None
    """When it is over with this key: after that day, or from that instant on. None: never."""

    def __str__(self) -> str:
        return f"{self.id or '(no id)'} {self.algorithm} {self.file}"


class AuthSettings(Struct, frozen=True, kw_only=True):
    """How requests say whom they come from."""

    mode: AuthMode = AuthMode.JWT
    """`jwt`: tokens and keys of Rota's own. `host`: the application that it is mounted in says who it is. `none`:
    everybody may do everything; only in development, on loopback."""
    disable: str = ""
    """`true` is the same as the mode `none`; written `DISABLE_AUTH=true` in the environment. `false` or nothing leaves
    the mode as it is; everything else is refused, since it might have been meant either way."""
    algorithm: str = "HS256"
    """How tokens are signed: `HS256`, `RS256`, `ES256` or `EdDSA`."""
    secret: str = ""
    """The secret of HS256, 32 bytes or more; better in a file of its own, which `auth.secret_file` names. It is the key
    of tokens that name none; several keys, and keys that change while it runs, are `[[auth.key]]` tables."""
    key: tuple[KeySettings, ...] = ()
    """Keys, as `[[auth.key]]` tables."""
    jwks: str = ""
    """A key set (RFC 7517) of an identity provider: a file, or an `https` URL, which is asked in the background."""
    jwks_every: timedelta = timedelta(minutes=15)
    """How often the key set is asked for. Before that, at most once a minute, when a token names a key not in it."""
    jwks_networks: tuple[str, ...] = ()
    """Networks inside that the key set may come from, such as `10.1.0.0/16`. Empty: only public addresses."""
    jwks_ca_file: str = ""
    """Certificates of authorities that are believed for it, as PEM. Empty: those of the system."""
    issuer: str = ""
    """What `iss` has to say. Empty: anything."""
    audience: str = "rota"
    """What `aud` has to name."""
    longest_life: timedelta = timedelta(hours=1)
    """How long a token may live from its `iat` to its `exp`."""
    sessions: bool = True
    """Whether browsers may sign in with a token and go on with a cookie."""
    session_life: timedelta = timedelta(hours=12)
    """How long such a session lasts at most."""
    session_idle: timedelta = timedelta(hours=1)
    """How long it lasts without a request."""

    @property
    def is_off(self) -> bool:
        """Return whether everybody may do everything.

        Raises:
            ConfigurationError: `disable` says something that might mean either (T9).
        """
        match self.disable:
            case "true":
                return True
            case "" | "false":
                return self.mode is AuthMode.NONE
            case _:
                raise ConfigurationError(
                    f"auth.disable (DISABLE_AUTH) is {self.disable!r}: say true, which is for development on loopback "
                    "only, or leave it out"
                )

    @property
    def has_keys(self) -> bool:
        """Return whether tokens can be believed at all."""
        return bool(self.secret or self.key or self.jwks)

    def check(self) -> None:
        """Refuse what does not fit together.

        Raises:
            ConfigurationError: names the key and what would do.
        """
        if self.algorithm not in ALGORITHMS:
            raise ConfigurationError(f"auth.algorithm is {self.algorithm!r}: there are {', '.join(ALGORITHMS)}")
        for name in ("jwks_every", "longest_life", "session_life", "session_idle"):
            if getattr(self, name) <= timedelta(0):
                raise ConfigurationError(f"auth.{name} is {duration_text(getattr(self, name))}: it must be longer")
        ids = [*([""] if self.secret else []), *(one.id for one in self.key)]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ConfigurationError(f"auth.key: two have the id {twice[0]!r}: give each another one")
        for one in self.key:
            if one.algorithm not in ALGORITHMS:
                raise ConfigurationError(
                    f"auth.key {one.id!r}: algorithm is {one.algorithm!r}: there are {', '.join(ALGORITHMS)}"
                )


def key_tables(key: str, value: object) -> tuple[KeySettings, ...]:
    """Return `[[auth.key]]` as it is written.

    Raises:
        ValueError: it is something else.
    """
    return tuple(_key_table(one, where) for where, one in listed(key, value))


def _key_table(given: Mapping[str, Any], where: str) -> KeySettings:
    for name in ("algorithm", "file"):
        if name not in given:
            raise ValueError(f"{where} needs {name}")
    read = dict(given)
    if "until" in read:
        read["until"] = _end(read["until"], where)
    return table(KeySettings, read, where)


def _end(value: object, where: str) -> datetime:
    """Return when it is over with a key: a date is meant with its whole day, in UTC."""
    try:
        if isinstance(value, str):
            value = date.fromisoformat(value) if len(value) == len("2026-12-31") else datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"until of {where}: {error}") from error
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"until of {where} has no zone: write 2026-12-31T18:00:00Z, or the day alone")
        return value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), tzinfo=UTC) + timedelta(days=1)
    raise ValueError(f"until of {where} is no date: write 2026-12-31")
