"""The server of `rota serve`: binds, says where, answers until it is told to end."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from msgspec import Struct

from rota.app import Rota
from rota.errors import ConfigurationError, MissingExtra
from rota.reach.address import is_address, is_loopback
from rota.settings import Settings
from rota.web.app import asgi_app
from rota.web.authority.opening import check_exposure
from rota.web.gate import LOOPBACK_NAMES

BACKLOG = 2048
"""Connections that wait to be taken."""


class OpenDoor(Struct, frozen=True, kw_only=True):
    """An address that is bound."""

    socket: socket.socket
    url: str
    """Where it is asked, with the port that it really has."""


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


def serve_until_told(app: Rota, door: OpenDoor) -> None:
    """Answer until SIGTERM or SIGINT; what is being answered by then is answered to its end, or for `web.drain`."""
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtra("web", needed_for="rota serve") from error
    web = app.settings.web
    config = uvicorn.Config(
        asgi_app(app, hosts=LOOPBACK_NAMES if is_loopback(web.host) else ()),
        root_path=web.root_path,
        log_config=None,
        access_log=False,
        server_header=False,
        # Said in any case: by default it believes whatever comes from 127.0.0.1, and an environment variable (T39).
        proxy_headers=bool(web.trusted_proxies),
        forwarded_allow_ips=list(web.trusted_proxies),
        timeout_graceful_shutdown=int(web.drain.total_seconds()) or 1,
        backlog=BACKLOG,
    )
    uvicorn.Server(config).run(sockets=[door.socket])


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
