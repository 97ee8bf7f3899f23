"""The gate in front of every address: nobody passes it unnamed but to what stands in `OPEN`."""

import logging
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from rota.clock import Clock
from rota.core.claims import Untrusted
from rota.web.authority import Authority
from rota.web.problem import problem

OPEN = frozenset({"/healthz"})
"""Paths that are open to everybody, each exactly as it is written here (T10)."""

PRINCIPAL = "rota.principal"

log: logging.Logger = logging.getLogger(__name__)


class Gate:
    """Asks each request whom it comes from before anything of it is read."""

    def __init__(self, inner: ASGIApp, *, authority: Authority, clock: Clock) -> None:
        self._inner = inner
        self._authority = authority
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return
        if scope["type"] != "http":
            # There is no other door (T11).
            await send({"type": "websocket.close", "code": 1008})
            return
        if _path(scope) not in OPEN:
            headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
            if sum(name == "authorization" for name, _ in headers) > 1:
                answer = problem(HTTPStatus.BAD_REQUEST, code="bad_request", detail="two Authorization headers")
                await answer(scope, receive, send)
                return
            try:
                scope[PRINCIPAL] = self._authority.principal(dict(headers), now=self._clock.now())
            except Untrusted as error:
                log.info("refused: %s", error)
                # One text for every reason: whoever tries tokens learns nothing from it (J19).
                answer = problem(HTTPStatus.UNAUTHORIZED, code="unauthorized", detail="a valid token is needed")
                answer.headers["WWW-Authenticate"] = "Bearer"
                await answer(scope, receive, send)
                return
        await self._inner(scope, receive, send)


def _path(scope: Scope) -> str:
    """Return the path below the prefix that this is mounted under."""
    path: str = scope["path"]
    prefix: str = scope.get("root_path", "")
    return path[len(prefix) :] if prefix and path.startswith(f"{prefix}/") else path
