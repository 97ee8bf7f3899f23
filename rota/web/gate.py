"""The gate in front of every address: nobody passes it unnamed but to what stands in `OPEN` (T8, T10, T11)."""

import logging
from collections.abc import Collection
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rota.clock import Clock
from rota.core.claims import Untrusted
from rota.core.safe import safe_text
from rota.errors import RotaError
from rota.operations.addresses import SESSION
from rota.web import sqsd
from rota.web.authority import Authority
from rota.web.head import Head, head_of
from rota.web.problem import problem, problem_of
from rota.web.shield import shielded

OPEN = frozenset({"/healthz", "/readyz"})
"""Paths that are open to everybody, each exactly as it is written here (T10). They say nothing that is not for all."""

GREETED = "/readyz"
"""The one of them that says why to those who may know."""

SIGN_IN = SESSION
"""Changes who is signed in and nothing else: where everything may only be read, too."""

PRINCIPAL = "rota.principal"
DAEMON = "rota.sqsd"
"""Whether it is a request of the daemon of an Elastic Beanstalk worker."""

SOURCE = "rota.source"
"""Where a request comes from, for the audit."""

HEAD = "rota.head"
"""What is known of a request before its body is read."""

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

log: logging.Logger = logging.getLogger(__name__)


class Gate:
    """Asks each request whom it comes from before anything of it is read."""

    def __init__(
        self,
        inner: ASGIApp,
        *,
        authority: Authority,
        clock: Clock,
        hosts: Collection[str] = (),
        read_only: bool = False,
        takes_sqsd: bool = False,
    ) -> None:
        """`hosts`: the names that it may be asked for as, `*.example.org` for all below; none given: any."""
        self._inner = inner
        self._authority = authority
        self._clock = clock
        self._hosts = frozenset(name.lower() for name in hosts)
        self._read_only = read_only
        self._takes_sqsd = takes_sqsd

    @property
    def authority(self) -> Authority:
        """Whoever says whom a request comes from."""
        return self._authority

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return
        if scope["type"] != "http":
            # There is no other door (T11).
            await send({"type": "websocket.close", "code": 1008})
            return
        head = head_of(scope)
        send = shielded(send, auth_is_off=self._authority.is_off)
        scope[SOURCE], scope[HEAD] = head.source, head
        if head.path in OPEN:
            await self._greet(head, scope)
            await self._inner(scope, receive, send)
            return
        refusal = await self._refusal(head, scope)
        await (refusal or self._inner)(scope, receive, send)

    async def _greet(self, head: Head, scope: Scope) -> None:
        """Find out who it is where everybody may ask and some are told more. Who cannot be told is nobody."""
        if head.path != GREETED or "authorization" not in head.headers:
            return
        try:
            scope[PRINCIPAL] = await self._authority.principal(head, now=self._clock.now())
        except (Untrusted, RotaError) as error:
            log.debug("not known at %s: %s", head.path, error)
        except Exception:
            # As below.
            log.exception("it could not be found out who asks for %s", head.path)

    async def refusal(self, scope: Scope) -> Response | None:
        """Return what a request is answered that does not pass; None for one that does, with who it is in its scope."""
        return await self._refusal(head_of(scope), scope)

    async def _refusal(self, head: Head, scope: Scope) -> Response | None:
        if self._hosts and not self._is_meant(head):
            return _refused(head, HTTPStatus.BAD_REQUEST, "bad_host", "this server is not asked for by that name")
        if head.twice & {"authorization", "host"}:
            return _refused(head, HTTPStatus.BAD_REQUEST, "bad_request", "a header that says one thing came twice")
        try:
            if self._takes_sqsd and sqsd.is_daemon(head):
                scope[PRINCIPAL], scope[DAEMON] = sqsd.DAEMON, True
            else:
                scope[PRINCIPAL] = await self._authority.principal(head, now=self._clock.now())
        except Untrusted as error:
            log.info("refused %s %s from %s: %s", head.method, safe_text(head.path), head.source or "unknown", error)
            return unauthorized()
        except RotaError as error:
            log.warning("refused %s %s from %s: %s", head.method, safe_text(head.path), head.source or "unknown", error)
            return problem_of(error)
        except Exception as error:  # noqa: BLE001
            # What the application around says of who asks may fail in any way: it is logged, and nobody passes.
            return problem_of(error)
        if self._read_only and head.is_unsafe and head.path != SIGN_IN:
            return _refused(head, HTTPStatus.FORBIDDEN, "read_only", "this server only shows: web.read_only is set")
        return None

    def _is_meant(self, head: Head) -> bool:
        """Whether it asks for one of the names that this server has: any other leads here by a trick (T39)."""
        name = head.host
        return name in self._hosts or any(
            name.endswith(pattern[1:]) and len(name) > len(pattern) - 1
            for pattern in self._hosts
            if pattern.startswith("*.")
        )


def unauthorized() -> Response:
    """Return the answer to whoever cannot say who he is: one for every reason, so that nothing is learned from it
    (J19)."""
    answer = problem(HTTPStatus.UNAUTHORIZED, code="unauthorized", detail="a valid token is needed")
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _refused(head: Head, status: HTTPStatus, code: str, detail: str) -> Response:
    log.info("refused %s %s from %s: %s", head.method, safe_text(head.path), head.source or "unknown", code)
    return problem(status, code=code, detail=detail)
