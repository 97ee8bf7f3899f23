"""The server of `rota serve`: binds, says where, answers until it is told to end."""

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import ip_address
from types import FrameType
from typing import Any

from msgspec import Struct
from starlette.types import ASGIApp

from rota.app import Rota
from rota.engine.bus import Bus
from rota.engine.loop import Loop, Service
from rota.errors import ConfigurationError, MissingExtra, StoreUnavailable
from rota.reach.address import is_address, is_loopback
from rota.settings import Settings, WebSettings
from rota.web.app import asgi_app
from rota.web.authority.opening import check_exposure
from rota.web.gate import LOOPBACK_NAMES

BACKLOG = 2048
"""Connections that wait to be taken."""

ENDING = (signal.SIGTERM, signal.SIGINT)

log: logging.Logger = logging.getLogger(__name__)


class OpenDoor(Struct, frozen=True, kw_only=True):
    """An address that is bound."""

    socket: socket.socket
    url: str
    """Where it is asked, with the port that it really has."""


class Reminder:
    """Says each minute that everybody may do everything here: nobody is to forget it (T9)."""

    def tick(self, now: datetime) -> timedelta:
        log.warning("authentication is off (DISABLE_AUTH): whoever uses this machine may do everything")
        return timedelta(minutes=1)


class Ending:
    """What ends the server: a signal, also one that comes before it answers, or whoever started this process."""

    def __init__(self) -> None:
        self._asked = False
        self._server: Any = None

    def take_signals(self) -> None:
        """Have the signals of this process from now on. In the main thread."""
        for number in ENDING:
            signal.signal(number, self._on_signal)
        # Whoever started this process may have held them back until there is somebody to take them.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    def watch(self, server: Any) -> None:
        """End this server when it is time to, or now."""
        self._server = server
        server.should_exit = server.should_exit or self._asked

    def ask(self, *, at_once: bool = False) -> None:
        """Let it end what it has begun to answer, or not even that. From any thread."""
        self._asked = True
        if self._server is not None:
            self._server.should_exit = True
            self._server.force_exit = self._server.force_exit or at_once

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.ask()


@contextmanager
def listening(settings: Settings) -> Iterator[OpenDoor]:
    """Bind what the settings say, if a door may stand open there, for as long as the block lasts.

    Raises:
        ConfigurationError: it may not (T8, T9), or the address cannot be bound.
    """
    web = settings.web
    check_exposure(settings, bind=web.host)
    try:
        bound = _bound(web.host, web.port)
    except OSError as error:
        raise ConfigurationError(
            f"web.host {web.host!r}, web.port {web.port} cannot be bound: {error.strerror or error}"
        ) from error
    with bound:
        host = f"[{web.host}]" if is_address(web.host) and ip_address(web.host).version == 6 else web.host
        yield OpenDoor(socket=bound, url=f"http://{host}:{bound.getsockname()[1]}{web.root_path}")


def serve_until_told(app: Rota, at: socket.socket, ending: Ending, *, ready: Callable[[], None]) -> bool:
    """Answer until it is told to end; what is being answered by then is answered to its end, or for `web.drain`.

    `ready` is called when it can answer. Returns whether it was let end that: not after a second Ctrl-C.

    Raises:
        SchemaMismatch, UnsafeStore: the store must not be worked with. One that is away is waited for.
    """
    ending.take_signals()
    gate = asgi_app(app, hosts=LOOPBACK_NAMES if is_loopback(app.settings.web.host) else ())
    _open_store(app)
    server = server_for(gate, app.settings.web)
    ending.watch(server)
    # It says in its own words what ours say better.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    reminder = beside(app, "reminder", Reminder()) if gate.authority.is_off else None
    ready()
    server.run(sockets=[at])
    if reminder is not None:
        reminder.stop()
    return not server.force_exit


def server_for(gate: ASGIApp, web: WebSettings) -> Any:
    """Return the server for a door, as the settings say, not started.

    Raises:
        MissingExtra: there is none.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtra("web", needed_for="rota serve") from error
    config = uvicorn.Config(
        gate,
        root_path=web.root_path,
        log_config=None,
        access_log=False,
        server_header=False,
        # Said in any case: by default it believes whatever comes from 127.0.0.1, and an environment variable (T39).
        proxy_headers=bool(web.trusted_proxies),
        forwarded_allow_ips=list(web.trusted_proxies),
        timeout_graceful_shutdown=max(int(web.drain.total_seconds()), 1),
        backlog=BACKLOG,
        limit_concurrency=web.connections,
        http=_protocol(),
    )
    return uvicorn.Server(config)


def beside(app: Rota, name: str, service: Service) -> Loop:
    """Start a service beside the server, and return its loop."""
    loop = Loop(name, service, clock=app.clock, bus=Bus(), stamps={})
    loop.start()
    return loop


def _open_store(app: Rota) -> None:
    try:
        app.store  # noqa: B018  opening it checks it
    except StoreUnavailable as error:
        log.warning("the store is away, and /readyz says so until it is there: %s", error)


def _protocol() -> "type[asyncio.Protocol]":
    try:
        from rota.web.protocol import GuardedProtocol
    except ImportError as error:
        raise MissingExtra("web", needed_for="rota serve") from error
    return GuardedProtocol


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    made = socket.socket(family, kind, protocol)
    try:
        # A server that was stopped a second ago left connections behind that are no reason to wait.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made
