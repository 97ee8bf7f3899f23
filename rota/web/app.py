"""The application as it answers over HTTP: routes, with the gate in front of all of them."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus

from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from rota.app import Rota
from rota.operations.table import OPERATIONS
from rota.web import log_stream, reference
from rota.web.authority import Authority
from rota.web.authority.host import ResolveUser
from rota.web.authority.opening import authority_of
from rota.web.endpoint import endpoint
from rota.web.exposition import exposition
from rota.web.gate import SIGN_IN, Gate
from rota.web.health import healthz
from rota.web.limits import Limits
from rota.web.pacing import Brakes
from rota.web.packing import Packing
from rota.web.problem import problem, problem_of
from rota.web.readiness import Readiness
from rota.web.routing import Address, routes
from rota.web.session import session_endpoint
from rota.web.wsgi import PlainDoor


def asgi_app(
    app: Rota,
    *,
    authority: Authority | None = None,
    resolve_user: ResolveUser | None = None,
    hosts: Collection[str] = (),
) -> Gate:
    """Return an ASGI application: by itself under `rota serve`, or mounted under a prefix of another one.

    `resolve_user` says whom a request comes from, where the application around knows: it is given the request and
    returns a `User`, a `Principal`, or None for nobody. Without it the settings `[auth]` decide; `authority` takes the
    place of both. `hosts`: the names it may be asked for as, where the settings name none.

    Raises:
        ConfigurationError: there is no key, or an unsafe one (R62).
    """
    authority = authority or authority_of(app, resolve_user=resolve_user)
    web = app.settings.web
    brakes = Brakes(web, clock=app.clock)
    sign_in = session_endpoint(app, authority)
    addresses = [
        Address("GET", "/healthz", healthz),
        Address("GET", "/readyz", Readiness(app).answer),
        Address("GET", "/metrics", exposition(app, auth_is_off=authority.is_off)),
        Address("GET", log_stream.PATH, log_stream.LogStream(app).answer),
        *(Address(method, SIGN_IN, sign_in) for method in ("GET", "POST", "DELETE")),
        *reference.ADDRESSES,
        *(Address(str(one.method), one.path, endpoint(app, one, brakes=brakes)) for one in OPERATIONS),
    ]
    inner = Starlette(
        routes=routes(addresses),
        exception_handlers={404: _no_route, Exception: _broken},
        lifespan=partial(_lifespan, app),
    )
    # To an address that ends in a slash it would send on whoever asks, by a host and a scheme that are a guess.
    inner.router.redirect_slashes = False
    inner.state.auth_is_off = authority.is_off
    return Gate(
        Limits(Packing(inner), web=web, clock=app.clock),
        authority=authority,
        clock=app.clock,
        hosts=web.allowed_hosts or hosts,
        read_only=web.read_only,
        takes_sqsd=web.sqsd,
    )


def wsgi_app(app: Rota, *, authority: Authority | None = None, resolve_user: ResolveUser | None = None) -> PlainDoor:
    """Return the same as a WSGI application, for Flask and Django. Streams are not: who follows a log polls."""
    return PlainDoor(asgi_app(app, authority=authority, resolve_user=resolve_user))


@asynccontextmanager
async def _lifespan(app: Rota, _inner: Starlette) -> AsyncIterator[None]:
    yield
    # What passes have begun is drained as by a worker that stops.
    await to_thread.run_sync(app.passes.stop)


async def _no_route(_request: Request, _error: Exception) -> Response:
    return problem(HTTPStatus.NOT_FOUND, code="no_route", detail="there is nothing at this address")


async def _broken(_request: Request, error: Exception) -> Response:
    return problem_of(error)
