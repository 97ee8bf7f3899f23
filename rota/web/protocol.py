"""The protocol of `rota serve`: uvicorn's, which waits for ever for the head of a request, and keeps all of it."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_TIMEOUT_S = 10.0
"""How long a connection may take from its first to its last byte of a head, and to begin with one."""

MOST_HEAD = 32 * 1024
"""Bytes of the head of a request."""

TOO_BIG = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class GuardedProtocol(HttpToolsProtocol):
    """Ends a connection whose request does not come, or does not come to its body (T58)."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._head_bytes = 0
        self._is_in_head = True
        self._deadline: asyncio.TimerHandle | None = None

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
        super().on_headers_complete()

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
