"""Rota's HTTP API as a view of Django's: the one that `rota serve` answers with, under a prefix of the project's."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, MutableMapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from rota.integrations.django import configuration, rota
from rota.place import named_object

if TYPE_CHECKING:
    from starlette.requests import Request

    from rota.web.authority.host import Resolved

ASKED = "rota.django"
"""Under which a request's user is told to the door, where the project says who that is."""

Message = MutableMapping[str, Any]
Answer = TypeVar("Answer", bound=HttpResponseBase)


# Its own ways keep pages of others out: a token that a browser does not send by itself, or a look at where a request
# comes from. Django's form tokens would only keep out those who may.
@csrf_exempt
async def answer(request: HttpRequest, rest: str) -> HttpResponseBase:
    """Answer a request, under WSGI and ASGI. `rest` is the path below the prefix."""
    prefix = request.path[: len(request.path) - len(rest)].rstrip("/")
    told = {ASKED: await sync_to_async(_user_of)(request)} if _resolver() else {}
    if isinstance(request, ASGIRequest):
        scope = {**request.scope, "root_path": prefix, **told}
        return await Exchange(scope, request).answer(door())
    assert isinstance(request, WSGIRequest)
    return await sync_to_async(_over_wsgi, thread_sensitive=False)(request, prefix, told)


# Django's middleware that wants everybody to log in first: this view sees to it.
answer.login_required = False  # type: ignore[attr-defined]  # it is read so by LoginRequiredMiddleware


@lru_cache(maxsize=1)
def door() -> Any:
    """Return the door as an ASGI application.

    Raises:
        MissingExtra: what it is made of is not installed.
        ConfigurationError: nobody could be told from anybody, or not safely.
    """
    return rota.asgi_app(resolve_user=_known if _resolver() else None)


@lru_cache(maxsize=1)
def _wsgi_door() -> Any:
    return rota.wsgi_app(resolve_user=_known if _resolver() else None)


def _resolver() -> str:
    return configuration.read().resolve_user


def _user_of(request: HttpRequest) -> "Resolved":
    """Return whom the project's function names. In the thread of the request's own database connections."""
    function: Callable[[HttpRequest], Resolved] = named_object(_resolver())  # type: ignore[assignment]  # or it says so
    return function(request)


async def _known(request: "Request") -> "Resolved":
    scope = request.scope
    user: Resolved = scope[ASKED] if ASKED in scope else scope["wsgi_environ"][ASKED]
    return user


# --- WSGI ---


def _over_wsgi(request: WSGIRequest, prefix: str, told: Mapping[str, object]) -> HttpResponse:
    """Ask the door in a thread: it has an event loop of its own there, which outlives this request's."""
    path = request.path[len(prefix) :]
    environ = {
        **request.environ,
        "SCRIPT_NAME": _of_wsgi(prefix),
        "PATH_INFO": _of_wsgi(path),
        # Who stands before it may have read it already.
        "wsgi.input": io.BytesIO(request.body),
        **told,
    }
    started: list[tuple[str, list[tuple[str, str]]]] = []
    content = b"".join(_wsgi_door()(environ, lambda status, headers, _=None: started.append((status, headers))))
    [(status, headers)] = started
    return _with(HttpResponse(content, status=int(status.partition(" ")[0])), headers)


def _of_wsgi(text: str) -> str:
    return text.encode().decode("latin-1")


# --- ASGI ---


class Exchange:
    """One request to the door and its answer, which may be without end."""

    def __init__(self, scope: Message, request: HttpRequest) -> None:
        self._scope = scope
        self._body: bytes | None = request.body
        self._sent: asyncio.Queue[Message] = asyncio.Queue(maxsize=1)
        self._gone = asyncio.Event()

    async def answer(self, app: Any) -> HttpResponseBase:
        """Return the answer; one that comes in pieces is sent on as they come."""
        task = asyncio.ensure_future(app(self._scope, self._receive, self._sent.put))
        try:
            start, first = await self._next(task), await self._next(task)
        except asyncio.CancelledError:
            # Whoever asked has left.
            task.cancel()
            raise
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        if not first.get("more_body", False):
            await task
            return _with(HttpResponse(first.get("body", b""), status=start["status"]), headers)
        pieces = self._pieces(first, task)
        return _with(StreamingHttpResponse(pieces, status=start["status"]), headers)

    async def _receive(self) -> Message:
        if self._body is None:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def _next(self, task: "asyncio.Future[None]") -> Message:
        """Return what the door sends next, or raise what it broke with."""
        message = asyncio.ensure_future(self._sent.get())
        either: list[asyncio.Future[Any]] = [message, task]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if task.done() and task.exception() is not None:
            message.cancel()
            task.result()
        return await message

    async def _pieces(self, first: Message, task: "asyncio.Future[None]") -> AsyncIterator[bytes]:
        message = first
        try:
            while True:
                yield message.get("body", b"")
                if not message.get("more_body", False):
                    return
                message = await self._next(task)
        finally:
            # Whoever asked may have left in the midst of it.
            self._gone.set()
            task.cancel()


def _with(response: Answer, headers: Iterable[tuple[str, str]]) -> Answer:
    """Return a response with these headers and none of its own."""
    del response["Content-Type"]
    for name, value in headers:
        if name.lower() == "set-cookie":
            response.cookies.load(value)
        else:
            response[name] = value
    return response
