"""Answers sent packed to who takes them so: those that come whole, and are long enough to gain by it."""

import gzip

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rota.web.gate import HEAD

FROM = 2048
"""Bytes from which on an answer is packed."""

LEVEL = 4


class Packing:
    """Packs whole answers. What comes in pieces is a stream: it is sent as it comes."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            send = _packed(send, is_taken="gzip" in scope[HEAD].headers.get("accept-encoding", ""))
        await self._inner(scope, receive, send)


def _packed(send: Send, *, is_taken: bool) -> Send:
    start: Message | None = None

    async def packed(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start":
            start = message
            return
        if start is not None:
            body = message.get("body", b"")
            if len(body) >= FROM and not message.get("more_body", False):
                headers = MutableHeaders(scope=start)
                headers.add_vary_header("Accept-Encoding")
                if is_taken and "content-encoding" not in headers:
                    body = gzip.compress(body, LEVEL, mtime=0)
                    headers["Content-Encoding"], headers["Content-Length"] = "gzip", str(len(body))
                    message = {**message, "body": body}
            first, start = start, None
            await send(first)
        await send(message)

    return packed
