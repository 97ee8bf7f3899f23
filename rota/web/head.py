"""What is known of a request before its body is read."""

from collections.abc import Mapping

from msgspec import Struct
from starlette.types import Scope

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""


class Head(Struct, frozen=True, kw_only=True):
    """Who asks for what, and from where."""

    method: str
    path: str
    """Below the prefix that the door is mounted under."""
    prefix: str
    """That prefix; "" without one."""
    headers: Mapping[str, str]
    """By their names in lower case; of several alike the last."""
    twice: frozenset[str]
    """The names of those that came more than once."""
    source: str
    """The address that it comes from; "" if nobody knows."""
    scheme: str
    scope: Scope
    """As the server gave it, for those that speak to an application around."""

    @property
    def is_unsafe(self) -> bool:
        """Return whether it may change something."""
        return self.method not in SAFE

    @property
    def host(self) -> str:
        """Return the name that it asks for, in lower case, without port; "" without one."""
        name = self.headers.get("host", "").strip().lower()
        if name.startswith("["):
            return name[1 : name.find("]")] if "]" in name else ""
        return name.partition(":")[0].removesuffix(".")

    @property
    def origin(self) -> str:
        """Return the origin that this door has for a browser."""
        return f"{self.scheme}://{self.headers.get('host', '').lower()}"


def head_of(scope: Scope) -> Head:
    """Return the head of an HTTP request."""
    headers: dict[str, str] = {}
    twice: set[str] = set()
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").lower()
        if name in headers:
            twice.add(name)
        headers[name] = raw_value.decode("latin-1")
    prefix: str = scope.get("root_path", "")
    path: str = scope["path"]
    return Head(
        method=scope["method"],
        path=path[len(prefix) :] if prefix and path.startswith(f"{prefix}/") else path,
        prefix=prefix,
        headers=headers,
        twice=frozenset(twice),
        source=_source(scope),
        scheme=scope.get("scheme", "http"),
        scope=scope,
    )


def _source(scope: Scope) -> str:
    if client := scope.get("client"):
        return str(client[0])
    # Of WSGI servers some know no port, and the bridge then says nothing of the address either.
    return str(scope.get("wsgi_environ", {}).get("REMOTE_ADDR", ""))
