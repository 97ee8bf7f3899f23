"""What the files of a host are made of: where an application is, how it is started, how long its end takes."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from msgspec import Struct

from rota.errors import ConfigurationError
from rota.settings import Settings

FORMS = {
    "--name": (re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?"), "small letters, digits and hyphens, the first a letter"),
    "the application": (re.compile(r"[\w.:/-]+"), "module:name"),
    "--user": (re.compile(r"[\w.-]+"), "the name of a user"),
    "--image": (re.compile(r"[\w.:/@-]+"), "registry/name:version"),
    "--directory": (re.compile(r"/[^\x00-\x1f\x7f]*"), "the whole path, in one line"),
}
"""What a file of a host can hold, and how a message calls it."""
TO_SPARE = timedelta(seconds=10)
"""What a host waits beyond the time that a stop takes by the settings."""
LONGEST_PASS = timedelta(minutes=5)
"""How long a pass on this machine may take where no job may take longer."""
DAY = timedelta(days=1)
EXTRAS = {"postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql", "redis": "redis", "valkey": "redis"}


class Site(Struct, frozen=True, kw_only=True):
    """An application, as whoever starts it sees it."""

    name: str
    """What units, deployments and secrets are called."""
    environment: Mapping[str, str]
    """By which the command finds the application."""
    directory: str
    user: str
    command: tuple[str, ...]
    """The words that call Rota on the machine, and in an image below."""
    image_command: tuple[str, ...]
    schema_command: tuple[str, ...]
    """The words that bring the schema up to date, in an image."""
    image: str
    url: str
    """The server that passes are asked of; "" where they are done beside the store."""
    host: str
    """The name by which the server is asked for."""
    processes: int
    """Worker processes of one machine; 0 is one for each core."""
    stop_s: int
    """After how many seconds a host may kill what it has told to stop."""
    serve_stop_s: int
    pass_limit: timedelta
    """How long a pass beside the store may take: as long as the longest job."""
    port: int
    is_local: bool
    """Whether the store is on the disk, or in the memory, of one machine."""
    extra: str
    """The extra of Rota that its store needs; "" for SQLite."""
    python: str

    @property
    def in_containers(self) -> int:
        """Worker processes of one container, where the cores that it sees are those of its machine."""
        return self.processes or 1

    @property
    def pass_limit_s(self) -> int:
        return int(self.pass_limit.total_seconds())


def site_of(
    settings: Settings,
    *,
    name: str,
    environment: Mapping[str, str],
    directory: str,
    user: str,
    command: tuple[str, ...],
    image_command: tuple[str, ...],
    schema_command: tuple[str, ...] | None = None,
    image: str,
    url: str,
    store_url: str,
    timeouts: Iterable[timedelta | None],
    python: str,
) -> Site:
    """Return what the settings and the machine say. `timeouts` are those of the jobs; `schema_command` is where a
    framework has a command of its own.

    Raises:
        ConfigurationError: a name that no host takes, or an address with a password in it.
    """
    given = [("--name", name), ("--user", user), ("--image", image), ("--directory", directory)]
    for flag, text in [*given, *(("the application", value) for value in environment.values())]:
        form, called = FORMS[flag]
        if not form.fullmatch(text):
            raise ConfigurationError(f"{flag} {text!r}: it is to be {called}")
    return Site(
        name=name,
        environment=environment,
        directory=directory,
        user=user,
        command=command,
        image_command=image_command,
        schema_command=schema_command or (*image_command, "db", "upgrade"),
        image=image,
        url=_address(url),
        host=urlsplit(url).hostname or next(iter(settings.web.allowed_hosts), "jobs.example.org"),
        processes=settings.worker.processes,
        stop_s=_seconds(settings.worker.drain + settings.worker.kill_grace + TO_SPARE),
        serve_stop_s=_seconds(settings.web.drain + TO_SPARE),
        pass_limit=max((DAY if timeout is None else timeout for timeout in timeouts), default=LONGEST_PASS),
        port=settings.web.port,
        is_local=store_url.startswith(("sqlite", "memory")),
        extra=EXTRAS.get(urlsplit(store_url).scheme.partition("+")[0], ""),
        python=python,
    )


def _address(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ConfigurationError(f"--url: write it as https://jobs.example.org, not {url!r}")
    if parts.username or parts.password or parts.query:
        raise ConfigurationError("--url has more in it than an address; the token goes into ROTA_TOKEN_FILE")
    return url.rstrip("/")


def _seconds(duration: timedelta) -> int:
    return -(-duration // timedelta(seconds=1))
