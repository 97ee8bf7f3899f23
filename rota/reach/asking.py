"""One question to a web address and its answer, in time and within bounds."""

import http.client
import socket
import ssl
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import cast
from urllib.parse import urljoin

from rota.clock import Clock
from rota.core.size import size_text
from rota.errors import AddressRefused, NotReached
from rota.reach.address import is_address
from rota.reach.answer import Answer, Resolve
from rota.reach.line import Line, TooMuch
from rota.reach.terms import Terms
from rota.reach.url import Target, judge, parsed

REDIRECTS = (301, 302, 303, 307, 308)
PRIVATE = frozenset({"authorization", "cookie"})
"""Headers that stay with the host that they were meant for."""


def system_resolve(host: str, port: int) -> Sequence[str]:
    """Return all addresses of a host, as the system knows them. How long it may take is the system's to say."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def asked(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes,
    terms: Terms,
    clock: Clock,
    resolve: Resolve,
) -> Answer:
    """Return the answer to one question: `rota.reach.ask`."""
    deadline = clock.monotonic() + terms.timeout.total_seconds()
    target = parsed(url, terms)
    for hop in range(terms.redirects + 1):
        answer = _ask_one(method, target, headers, body, terms=terms, clock=clock, deadline=deadline, resolve=resolve)
        where = answer.headers.get("location")
        if answer.status not in REDIRECTS or where is None or hop == terms.redirects:
            return answer
        if answer.status == 303 and method != "GET":
            return answer
        before, url = target, urljoin(url, where)
        target = parsed(url, terms)
        if before.scheme == "https" and target.scheme == "http":
            raise AddressRefused(f"{before.authority} redirects from https:// to http://")
        if before.authority != target.authority:
            headers = {name: value for name, value in headers.items() if name.lower() not in PRIVATE}
    raise AssertionError("the last hop is returned")


def _ask_one(
    method: str,
    target: Target,
    headers: Mapping[str, str],
    body: bytes,
    *,
    terms: Terms,
    clock: Clock,
    deadline: float,
    resolve: Resolve,
) -> Answer:
    request = _request(method, target, headers, body)
    addresses = _addresses(target, terms, resolve)
    try:
        with _connected(target, addresses, terms, clock, deadline) as connection:
            line = Line(connection, clock=clock, deadline=deadline, most=terms.most)
            line.send(request)
            return _answer(line, method, most=terms.most)
    except TooMuch as error:
        raise NotReached(f"{target.authority} answered with more than {size_text(terms.most)} of headers") from error
    except TimeoutError as error:
        raise NotReached(f"{target.authority} did not answer within {terms.timeout.total_seconds():g}s") from error
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or (error.reason or "broken").replace("_", " ").lower()
        raise NotReached(f"{target.authority} cannot be trusted: TLS: {reason}") from error
    except http.client.HTTPException as error:
        # Their messages quote what the other end sent.
        raise NotReached(f"{target.authority} gave no answer of HTTP ({type(error).__name__})") from error
    except OSError as error:
        raise NotReached(f"{target.authority} cannot be reached: {error.strerror or type(error).__name__}") from error


def _request(method: str, target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the request as it goes over the line.

    Raises:
        ValueError: a header that could become two.
    """
    fixed = {
        "Host": target.authority,
        "Connection": "close",
        # Nothing is decompressed, so nothing can burst.
        "Accept-Encoding": "identity",
        "User-Agent": "rota",
        "Content-Length": str(len(body)),
    }
    lines = [f"{method} {target.path} HTTP/1.1"]
    for name, value in (fixed | dict(headers)).items():
        if not (name + value).isascii() or not (name + value).isprintable():
            raise ValueError(f"the header {name!r} has characters that no header can have")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _addresses(target: Target, terms: Terms, resolve: Resolve) -> Sequence[str]:
    """Return the addresses of a host, all of them judged: one that is refused spoils the others."""
    if is_address(target.host):
        return [target.host]
    try:
        # Once: the connection goes to what was judged, not to what the name leads to by then.
        addresses = resolve(target.host, target.port)
    except (OSError, UnicodeError) as error:
        raise NotReached(f"the name {target.host} cannot be resolved") from error
    for address in addresses:
        judge(target.host, address, terms)
    if not addresses:
        raise NotReached(f"the name {target.host} has no address")
    return addresses


def _connected(target: Target, addresses: Sequence[str], terms: Terms, clock: Clock, deadline: float) -> socket.socket:
    failed: OSError | None = None
    for number, address in enumerate(addresses):
        # Those that come after it keep their share of the time.
        left = (deadline - clock.monotonic()) / (len(addresses) - number)
        if left <= 0:
            raise TimeoutError
        try:
            connection = socket.create_connection((address, target.port), timeout=left)
        except OSError as error:
            failed = error
            continue
        if target.scheme == "http":
            return connection
        return _secured(connection, target, terms, timeout=max(deadline - clock.monotonic(), 0.001))
    raise failed or TimeoutError()


def _secured(connection: socket.socket, target: Target, terms: Terms, *, timeout: float) -> socket.socket:
    try:
        connection.settimeout(timeout)
        # By its name, though the connection goes to an address: whoever answers there must be who was meant.
        return tls_context(terms.ca_file, insecure=terms.insecure_certificate).wrap_socket(
            connection, server_hostname=target.host
        )
    except BaseException:
        connection.close()
        raise


def tls_context(ca_file: str = "", *, insecure: bool = False) -> ssl.SSLContext:
    """Return what makes a connection private: the other end's certificate and name are verified unless `insecure`.

    Raises:
        OSError: the file of certificates cannot be read.
    """
    context = ssl.create_default_context(cafile=ca_file or None)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _answer(line: Line, method: str, *, most: int) -> Answer:
    # It asks a socket only for a file to read from.
    response = http.client.HTTPResponse(cast(socket.socket, line), method=method)
    response.begin()
    line.left = most
    body, is_whole = b"", False
    try:
        body = response.read(most)
        is_whole = not response.read(1) and not response.length
    except (OSError, http.client.HTTPException) as error:
        # The head said how it went.
        body = body or getattr(error, "partial", b"")
    headers: dict[str, str] = {}
    for name, value in response.getheaders():
        headers.setdefault(name.lower(), value)
    return Answer(status=response.status, headers=MappingProxyType(headers), body=body, is_whole=is_whole)
