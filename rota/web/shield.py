"""What every answer tells a browser, errors too (T37)."""

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What an answer does not say itself. A page has a policy of its own, which lets its own style and script in."""

AUTH_OFF = {"X-Rota-Auth": "off"}
"""Said with every answer while nobody has to show anything (T9)."""


def shielded(send: Send, *, auth_is_off: bool) -> Send:
    """Return what sends an answer with these headers."""
    told = ALWAYS | AUTH_OFF if auth_is_off else ALWAYS

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in told.items():
                headers.setdefault(name, value)
        await send(message)

    return with_headers
