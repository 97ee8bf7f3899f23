"""The door over WSGI: what servers hand on as it came is put so that it can be read, as the server of ASGI does it."""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from a2wsgi import ASGIMiddleware
from starlette.types import ASGIApp

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

PRINTABLE = "".join(map(chr, range(33, 127)))


class PlainDoor:
    """A WSGI application in front of an ASGI one."""

    def __init__(self, inner: ASGIApp) -> None:
        # Two libraries, two ways to write down one protocol.
        bridged: Any = inner
        self._bridge: Any = ASGIMiddleware(bridged)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        answer: Iterable[bytes] = self._bridge(environ | _readable(environ), start_response)
        # A server of ASGI leaves the body out by itself; one of WSGI sends what it is given.
        return answer if environ["REQUEST_METHOD"] != "HEAD" else [b"" for _ in answer]


def _readable(environ: Environ) -> Environ:
    """Return what of a request is no text as one: in the path with a mark for what has no meaning, in the query
    percent-encoded."""
    paths = {name: environ.get(name, "").encode("latin-1") for name in ("SCRIPT_NAME", "PATH_INFO")}
    read = {name: path.decode("utf-8", "replace").encode().decode("latin-1") for name, path in paths.items()}
    return {**read, "QUERY_STRING": quote(environ.get("QUERY_STRING", ""), safe=PRINTABLE, encoding="latin-1")}
