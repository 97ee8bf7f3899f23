"""What a request may be: in front of the router, before anything of it is understood (T30, T58, T64).

How fast its sender goes, how big it is, how long it may take to come, and in what form. A body is read here, whole.
"""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from math import ceil

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rota.clock import Clock
from rota.core.access import Principal
from rota.core.size import size_text
from rota.settings.web import WebSettings
from rota.web.gate import DAEMON, HEAD, PRINCIPAL
from rota.web.pacing import Paces
from rota.web.problem import problem
from rota.web.sqsd import TASK

WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Limits:
    """Refuses what is too much, and hands on the rest with its body read."""

    def __init__(self, inner: ASGIApp, *, web: WebSettings, clock: Clock) -> None:
        self._inner = inner
        self._web = web
        self._paces = Paces(rate=web.rate, clock=clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None and scope["method"] in WITH_BODY:
            try:
                body = await self._body(receive)
            except ClientDisconnect:
                return
            if isinstance(body, Response):
                refusal = body
            elif scope.get(DAEMON) and TASK in scope[HEAD].headers:
                # It is the name of the task that counts; its body is a text for nobody.
                receive = _Read(b"", receive)
            else:
                refusal = _of_another_form(scope, body)
                receive = _Read(body, receive)
        await (refusal or self._inner)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        principal: Principal | None = scope.get(PRINCIPAL)
        if principal is not None:
            wait_s = self._paces.spend(principal.token_id or principal.subject)
            if wait_s:
                answer = problem(
                    HTTPStatus.TOO_MANY_REQUESTS, code="too_fast", detail=f"at most {self._web.rate} requests a second"
                )
                answer.headers["Retry-After"] = str(ceil(wait_s))
                return answer
        said = scope[HEAD].headers.get("content-length", "")
        return self._too_big() if said.isdecimal() and int(said) > self._web.most_body else None

    async def _body(self, receive: Receive) -> bytes | Response:
        """Return the body, or what is answered to one that is too big or comes too slowly."""
        content = bytearray()
        try:
            async with asyncio.timeout(self._web.read_timeout.total_seconds()):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    content += message.get("body", b"")
                    if len(content) > self._web.most_body:
                        return self._too_big()
                    if not message.get("more_body", False):
                        return bytes(content)
        except TimeoutError:
            return _closing(
                problem(HTTPStatus.REQUEST_TIMEOUT, code="too_slow", detail="the body did not come in time")
            )

    def _too_big(self) -> Response:
        most = size_text(self._web.most_body)
        return _closing(
            problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, code="too_big", detail=f"a body has at most {most}")
        )


class _Read:
    """Gives a body that was read, then what else comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        body, self._body = self._body, None
        if body is None:
            return await self._receive()
        return {"type": "http.request", "body": body, "more_body": False}


def _of_another_form(scope: Scope, body: bytes) -> Response | None:
    """Return what is answered to a body that is no JSON by its own word; None where there is none, or it is."""
    headers: Mapping[str, str] = scope[HEAD].headers
    packed = headers.get("content-encoding", "identity").strip().lower()
    if packed != "identity":
        return _unsupported(f"a body is sent as it is, not as {packed!r}")
    if not body or "content-type" not in headers:
        # Who does not say what it is means the only thing that it can be.
        return None
    kind, _, more = headers["content-type"].lower().partition(";")
    kind = kind.strip()
    is_json = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    if not is_json or more.replace(" ", "").replace('"', "") not in ("", "charset=utf-8"):
        return _unsupported("a body is JSON in UTF-8: send Content-Type: application/json")
    return None


def _unsupported(detail: str) -> Response:
    return problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, code="media_type", detail=detail)


def _closing(answer: Response) -> Response:
    """Return an answer after which the rest of the request is not waited for."""
    answer.headers["Connection"] = "close"
    return answer
