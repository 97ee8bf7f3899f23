"""Rota in a Starlette application, and so in a FastAPI one: its lifespan, and who asks.

app = Starlette(routes=[..., Mount("/ops/jobs", rota.asgi_app())], lifespan=lifespan(rota))
app.add_middleware(RequestMiddleware, context=who_asks)
"""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from msgspec import Struct

from rota.app import Rota
from rota.errors import ConfigurationError, MissingExtra, StoreUnavailable
from rota.job_context import JobContext, from_requests
from rota.place import refuse_copy

try:
    from anyio import CancelScope, to_thread
    from starlette.requests import HTTPConnection
    from starlette.types import ASGIApp, Receive, Scope, Send
except ImportError as error:
    raise MissingExtra("web", needed_for="Starlette and FastAPI") from error

Application = TypeVar("Application")
State = Mapping[str, Any] | None
Lifespan = Callable[[Application], AbstractAsyncContextManager[State]]
ContextOf = Callable[[HTTPConnection], JobContext | None]
"""Says for which tenant and user a request asks; None where that is nobody."""

log: logging.Logger = logging.getLogger(__name__)


def lifespan(
    rota: Rota, *, around: Lifespan[Application] | None = None, works: bool = False
) -> Callable[[Application], AbstractAsyncContextManager[Any]]:
    """Return the lifespan of an application that has Rota: the store is opened before the first request and let go
    after the last.

    `around` is the application's own: what it opens is there for as long as jobs run, and its state is handed on. With
    `works` this process also fires schedules and executes runs, as `rota start` does, and drains at its end: for
    development and small sites.

    The returned function raises:
        ConfigurationError: the application was imported twice, or works already.
        SchemaMismatch, UnsafeStore: the store must not be worked with.
        StoreUnavailable: it is away, and this process is to work. Else one that is away is waited for.
    """

    @asynccontextmanager
    async def lives(app: Application) -> AsyncIterator[State]:
        if around is None:
            async with _running(rota, works=works):
                yield None
            return
        async with around(app) as state, _running(rota, works=works):
            yield state

    return lives


@asynccontextmanager
async def _running(rota: Rota, *, works: bool) -> AsyncIterator[None]:
    refuse_copy(rota)
    # In threads: a database may take its time, and there may be others in this event loop.
    await to_thread.run_sync(rota.start_background if works else lambda: _open_store(rota))
    try:
        yield
    finally:
        # Also where the server cancels it: what runs is given back to the queue, and not lost with a lease.
        with CancelScope(shield=True):
            await to_thread.run_sync(rota.close)


def _open_store(rota: Rota) -> None:
    try:
        rota.store  # noqa: B018  opening it checks it
    except StoreUnavailable as error:
        log.warning("the store is away, and is opened by the first enqueue when it is there: %s", error)


class Asked(Struct, frozen=True):
    """A request that is being answered, and who says what of it goes along."""

    connection: HTTPConnection
    context_of: ContextOf


_current: ContextVar[Asked | None] = ContextVar("rota_request", default=None)


class RequestMiddleware:
    """Keeps the request at hand while it is answered: `JobContext.from_request()` reads it, and so does each enqueue of
    an application that carries a job context. `context` is asked then, and not before: what dependencies and
    middlewares have put into `request.state` is there."""

    def __init__(self, app: ASGIApp, *, context: ContextOf) -> None:
        self._app = app
        self._context = context
        from_requests(_of_this_request)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        before = _current.set(Asked(HTTPConnection(scope), self._context))
        try:
            await self._app(scope, receive, send)
        finally:
            _current.reset(before)


def _of_this_request() -> JobContext | None:
    asked = _current.get()
    if asked is None:
        return None
    context = asked.context_of(asked.connection)
    if context is not None and not isinstance(context, JobContext):
        raise ConfigurationError(
            f"context= of RequestMiddleware: {getattr(asked.context_of, '__qualname__', asked.context_of)} returned "
            f"{type(context).__name__}: a JobContext is due, or None where nobody asks"
        )
    return context
