"""What every answer tells a browser, errors too (T37)."""

from collections.abc import Mapping

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
    told = _WITH_AUTH_OFF if auth_is_off else _ALWAYS

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message.get("headers", ())
            said = {name.lower() for name, _ in headers}
            message["headers"] = [*headers, *(one for one in told if one[0] not in said)]
        await send(message)

    return with_headers


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


# Put into bytes once, as every answer has them.
_ALWAYS = _raw(ALWAYS)
_WITH_AUTH_OFF = _raw(ALWAYS | AUTH_OFF)
