"""A URL, read strictly: whatever two readers could understand in two ways is refused."""

import re
from urllib.parse import urlsplit

from msgspec import Struct

from rota.errors import AddressRefused
from rota.reach.address import is_address, looks_numeric, trouble
from rota.reach.terms import Terms

LONGEST = 2048
_NAME = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)


class Target(Struct, frozen=True, kw_only=True):
    """Where a URL leads."""

    scheme: str
    host: str
    """A name in lower case, or an address without brackets."""
    port: int
    path: str
    """With the query; never shown, as it may hold a secret."""

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL and in the header `Host`; what may be shown of the URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"https": 443, "http": 80}[self.scheme] else f"{host}:{self.port}"


def parsed(url: str, terms: Terms) -> Target:
    """Return where a URL leads, judged by its form alone: nothing is looked up.

    Raises:
        AddressRefused: it may not be reached, whatever its name leads to; the message has no secret.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or len(url) > LONGEST:
        raise AddressRefused(
            f"it must be ASCII without spaces and backslashes, and no longer than {LONGEST} characters: "
            "write names as xn--… and percent-encode the rest"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused("it is no URL: https://host/path is one") from error
    if parts.scheme not in ("https", "http") or not parts.netloc:
        raise AddressRefused("it must begin with https://")
    if parts.scheme == "http" and not terms.insecure_http:
        raise AddressRefused(
            "it must begin with https://; insecure_http = true allows http://, which everybody can read"
        )
    if "@" in parts.netloc:
        raise AddressRefused("it must have no user and no password before its host")
    if parts.fragment:
        raise AddressRefused("it must have no fragment (#...)")
    target = Target(
        scheme=parts.scheme,
        host=_host(parts.hostname or ""),
        port=port if port is not None else {"https": 443, "http": 80}[parts.scheme],
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )
    if target.port not in terms.allowed_ports():
        raise AddressRefused(f"port {target.port} is not allowed; ports = [{target.port}] allows it")
    if is_address(target.host):
        judge(target.host, target.host, terms)
    return target


def judge(host: str, address: str, terms: Terms) -> None:
    """Refuse a host for one of its addresses, unless that may be reached.

    Raises:
        AddressRefused: it may not.
    """
    wrong = trouble(address, allowed=terms.allowed_networks())
    if wrong is not None:
        leads = host if host == address else f"{host} leads to {address}, which"
        raise AddressRefused(f'{leads} is {wrong}; networks = ["{address}"] allows it')


def _host(host: str) -> str:
    if is_address(host) and "%" not in host:
        return host
    if not _NAME.fullmatch(host):
        raise AddressRefused("its host is no name and no address")
    if looks_numeric(host):
        # 2130706433, 0x7f.1, 0177.0.0.1 and 127.1 are all 127.0.0.1 to some resolvers, and names to some filters.
        raise AddressRefused("its host is an address in a form that is read in two ways; write four numbers: 192.0.2.1")
    return host
