"""One invocation of the command: its global flags, and what they lead to, made when first used."""

import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

import click
from msgspec import Struct
from msgspec.structs import replace

from rota.cli.arguments import actor
from rota.cli.output import Form, Output
from rota.core.times import parse_time
from rota.errors import ConfigurationError

if TYPE_CHECKING:
    from rota.app import Rota
    from rota.clock import Clock
    from rota.operations.operation import Answer, Asked, Asking, Operation
    from rota.operations.remote import Line
    from rota.settings import Settings

REMOTE_TIMEOUT_S = 30.0
POLL = timedelta(milliseconds=200)
POLL_FAR = timedelta(seconds=1)
"""A server has a limit on how often it is asked."""

P = ParamSpec("P")
R = TypeVar("R")


class Flags(Struct, frozen=True, kw_only=True):
    """The flags that every command takes."""

    app: str = ""
    config: str = ""
    profile: str = ""
    output: Form | None = None
    quiet: int = 0
    verbose: int = 0
    color: str = "auto"
    no_progress: bool = False
    yes: bool = False
    zone: str = ""
    url: str = ""


class Session:
    """What commands share: flags, settings, the app, the output."""

    def __init__(self, *, app: "Rota | None" = None, directory: Path | None = None, line: "Line | None" = None) -> None:
        """`app` is in place of what would be found, `line` of that to the server that --url names."""
        self.flags: Flags = Flags()
        self.directory: Path = directory or Path.cwd()
        self._given_app = app
        self._given_line = line
        self._overrides: dict[str, object] = {}
        self.patience_s: float = REMOTE_TIMEOUT_S
        """For how long a server may be silent. Before `desk` is used."""

    def set(self, name: str, value: object) -> None:
        """Take a global flag, wherever on the line it stands."""
        self.flags = replace(self.flags, **{name: value})

    def override(self, overrides: Mapping[str, object]) -> None:
        """Take flags that are settings, by key. Before `settings` or `app` is used."""
        self._overrides.update({key: value for key, value in overrides.items() if value is not None})

    @cached_property
    def out(self) -> Output:
        return Output(form=self.flags.output, verbosity=self.flags.verbose - self.flags.quiet, color=self.flags.color)

    @cached_property
    def settings(self) -> "Settings":
        """Return the settings of this invocation: flags over environment over file."""
        from rota.settings import load

        if self._given_app is not None:
            return self._given_app.settings
        named = {"app": self.flags.app} if self.flags.app else {}
        return load(
            Path(self.flags.config) if self.flags.config else None,
            env=os.environ,
            overrides=named | self._overrides,
            profile=self.flags.profile or None,
            directory=self.directory,
        )

    @cached_property
    def app(self) -> "Rota":
        """Return the application's Rota object, under these settings."""
        if self._given_app is None:
            self.check_is_here()
        return self.app_here

    @cached_property
    def app_here(self) -> "Rota":
        """Return the application on this machine, also where a server is named: for who writes of both."""
        if self._given_app is not None:
            return self._given_app
        # The app brings the engine and the application's own imports: only commands that need it pay for it.
        from rota.cli.discovery import find_app
        from rota.settings.reading import laid_over

        settings = self.settings
        app = find_app(settings.app, directory=self.directory)
        app.configure(laid_over(app.settings, settings))
        return app

    @property
    def url(self) -> str:
        """Return the address of the server that is asked in place of the store; "" where none is."""
        return self.flags.url or os.environ.get("ROTA_URL", "")

    @property
    def is_far(self) -> bool:
        """Return whether a server is asked, and the application may be anywhere."""
        return bool(self.url) and self._given_app is None

    def check_is_here(self) -> None:
        """Refuse a command that asks nobody when a server is named, whom it would leave alone."""
        if self.is_far:
            raise click.UsageError("this works on the machine that has the application: leave --url and ROTA_URL out")

    @cached_property
    def desk(self) -> "Asking":
        """Return whoever answers operations: the application here, or a server far away."""
        if self.is_far:
            from rota.operations.remote import HttpLine, RemoteDesk

            line = self._given_line or HttpLine(self.url, timeout_s=self.patience_s)
            return RemoteDesk(line, token=token())
        from rota.core.access import LOCAL
        from rota.operations.operation import Desk

        door, _, name = actor().partition(":")
        return Desk(app=self.app, principal=replace(LOCAL, subject=name), door=door)

    def ask(self, operation: "Operation[Asked, Answer]", asked: "Asked") -> "Answer":
        """Return what an operation answers."""
        return self.desk.ask(operation, asked)

    @property
    def poll(self) -> timedelta:
        """Return how long whoever waits for something waits before it asks again."""
        return POLL_FAR if self.is_far else POLL

    @cached_property
    def clock(self) -> "Clock":
        """Return the application's clock; far from it, that of this machine."""
        if self.is_far:
            from rota.clock import SystemClock

            return SystemClock()
        return self.app.clock

    @cached_property
    def zone(self) -> ZoneInfo:
        """Return the zone in which times are read and shown: `--tz`, or the settings' own."""
        name = self.flags.zone or self.settings.timezone
        try:
            return ZoneInfo(name)
        except (OSError, ValueError, LookupError) as error:
            raise ConfigurationError(f"--tz: {name!r} is no time zone, such as Europe/Paris") from error

    def instant(self, text: str, *, flag: str, now: datetime) -> datetime:
        """Return the instant that the text after `flag` names, in UTC."""
        try:
            return parse_time(text, now=now, zone=self.zone)
        except ValueError as error:
            raise click.UsageError(f"{flag}: {error}") from error

    def shown(self, instant: datetime | None) -> str:
        """Return an instant as tables show it: to the second, in the zone of this invocation."""
        return "" if instant is None else instant.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def confirm(self, question: str) -> None:
        """Ask before something is changed. Without a terminal `--yes` is needed: nobody is there to answer."""
        if self.flags.yes:
            return
        if not sys.stdin.isatty():
            raise click.UsageError(f"{question} There is no terminal to ask at: say --yes")
        click.confirm(question, abort=True, err=True)


def token() -> str:
    """Return the token for a server, from ROTA_TOKEN or the file that ROTA_TOKEN_FILE names; "" without one."""
    path = os.environ.get("ROTA_TOKEN_FILE")
    if path:
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise ConfigurationError(f"ROTA_TOKEN_FILE: {error}") from error
    return os.environ.get("ROTA_TOKEN", "")


def session_of(ctx: click.Context) -> Session:
    """Return the session of this invocation, made by the first that asks."""
    found = ctx.find_object(Session)
    if found is None:
        found = ctx.obj = Session()
    return found


def pass_session(command: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """Give a command the session of this invocation as its first argument."""
    return click.make_pass_decorator(Session)(command)
