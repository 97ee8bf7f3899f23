"""The protocol of `rota serve`: uvicorn's, which waits for ever for the head of a request, and keeps all of it."""

import asyncio
from http import HTTPStatus
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from rota.web.problem import RETRY_AFTER_S, problem
from rota.web.shield import ALWAYS

HEAD_TIMEOUT_S = 10.0
"""How long a connection may take from its first to its last byte of a head, and to begin with one."""

MOST_HEAD = 32 * 1024
"""Bytes of the head of a request."""


def _last_answer(status: HTTPStatus, *, code: str, detail: str) -> bytes:
    """Return an answer as it is sent where no application is asked any more."""
    answer = problem(status, code=code, detail=detail)
    headers = {**ALWAYS, **answer.headers, "connection": "close"}
    head = [f"HTTP/1.1 {int(status)} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*head, "", ""]).encode("ascii") + bytes(answer.body)


TOO_BIG = _last_answer(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, code="too_big", detail=f"a head has at most {MOST_HEAD} bytes"
)
TOO_SLOW = _last_answer(HTTPStatus.REQUEST_TIMEOUT, code="too_slow", detail="the head did not come in time")
NO_HTTP = _last_answer(HTTPStatus.BAD_REQUEST, code="bad_request", detail="this is no HTTP/1.1 that can be read")


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer whoever comes on a connection that is one too many."""
    answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, code="too_many_connections", detail="too many are connected")
    answer.headers.update({**ALWAYS, "Retry-After": str(RETRY_AFTER_S), "Connection": "close"})
    await answer(scope, receive, send)


class GuardedProtocol(HttpToolsProtocol):
    """Ends a connection whose request does not come, or does not come to its body (T58)."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._head_bytes = 0
        self._is_in_head = True
        self._deadline: asyncio.TimerHandle | None = None
        self._door = self.app
        # Counted here: what its own answer says is for nobody, and not when to come again.
        self._most, self.limit_concurrency = self.limit_concurrency, None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base has it
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_in_head:
            self._head_bytes += len(data)
            # Of what has come with it some may be of the body: then the parser has its end, a few lines down.
            if self._head_bytes > MOST_HEAD and b"\r\n\r\n" not in data:
                self._refuse(TOO_BIG)
                return
        elif self._deadline is None and self._is_between_requests():
            # The next request on a connection that was kept.
            self._await_head()
        super().data_received(data)

    def on_message_begin(self) -> None:
        if self._deadline is None:
            self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        self._is_in_head = False
        is_busy = self._most is not None and max(len(self.connections), len(self.tasks)) >= self._most
        self.app = _busy if is_busy else self._door
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        self._refuse(NO_HTTP)

    def _await_head(self) -> None:
        self._is_in_head, self._head_bytes = True, 0
        self._stop_waiting()
        self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self._refuse, TOO_SLOW)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, answer: bytes) -> None:
        self._stop_waiting()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()

    def _is_between_requests(self) -> bool:
        # Whatever its type says, there is none before the first request.
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete
