"""A desk that is reached over HTTP: what `--url` of the command talks to."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, NamedTuple, Protocol, cast
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

import msgspec

from rota.errors import ConfigurationError, RemoteFailed, ServerUnreachable
from rota.exits import Exit
from rota.operations.operation import Answer, Asked, Method, Operation
from rota.operations.wire import carried
from rota.version import __version__

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class _NoRedirect(HTTPRedirectHandler):
    """A redirection is an answer: the token is for this server alone."""

    def redirect_request(self, *_told: Any) -> None:
        return None


class Said(NamedTuple):
    """What a server answered."""

    status: int
    body: bytes


class Line(Protocol):
    """What carries a request to a server and its answer back."""

    url: str
    """Where it leads, for whoever reads that nobody answers there."""

    def exchange(self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None) -> Said:
        """Return what is answered, whatever its status is. `target`: path and query, encoded.

        Raises:
            ServerUnreachable: nothing was.
        """


class HttpLine:
    """A line over HTTP. Nothing is repeated by itself."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        """`timeout_s`: seconds that a server may be silent.

        Raises:
            ConfigurationError: it is no URL that a token may be sent to.
        """
        no_address = ConfigurationError(f"--url: {url!r} is no address of a server, such as https://jobs.example.org")
        try:
            parts = urlsplit(url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            raise no_address from None
        if not is_address or "@" in parts.netloc or parts.query or parts.fragment:
            raise no_address
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ConfigurationError(f"--url: the token would go to {parts.hostname} for all to read: use https")
        self.url: str = url.rstrip("/")
        self._timeout_s = timeout_s
        # To this very machine no proxy is asked: it would read the token, and mean another machine.
        direct = [ProxyHandler({})] if parts.scheme == "http" else []
        self._opener: OpenerDirector = build_opener(_NoRedirect, *direct)

    def exchange(self, method: str, target: str, *, headers: Mapping[str, str], body: bytes | None) -> Said:
        # Whether it is http or https was looked at when the line was made.
        request = Request(self.url + target, data=body, headers=dict(headers), method=method)  # noqa: S310
        try:
            return self._said(request)
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            told = f"{self.url} does not answer: {reason}"
            if method != Method.GET and isinstance(reason, TimeoutError | ConnectionResetError | HTTPException):
                # It was sent, and its answer is lost.
                told += "; it may be done all the same: look before you ask again"
            raise ServerUnreachable(told) from error

    def _said(self, request: Request) -> Said:
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                return Said(answer.status, answer.read())
        except HTTPError as error:
            # Its body is still to be read, and may break off like that of any other.
            with error:
                return Said(error.code, error.read())


class RemoteDesk:
    """Puts operations to the server at the other end of a line, under a token."""

    def __init__(self, line: Line, *, token: str) -> None:
        """Take the token as it is sent.

        Raises:
            ConfigurationError: it has what no token has, and no header may have.
        """
        if not token.isascii() or not token.isprintable():
            raise ConfigurationError("the token (ROTA_TOKEN, ROTA_TOKEN_FILE) has characters that no token has")
        self._line = line
        self._token = token

    def ask(self, operation: Operation[Asked, Answer], asked: Asked) -> Answer:
        """Return what the server answers.

        Raises:
            RemoteFailed: it refused, with its words.
            ServerUnreachable: nobody answered, or not in this language.
        """
        sent = carried(operation, asked)
        headers = {"Accept": "application/json", "User-Agent": f"rota/{__version__}"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if sent.body is not None:
            headers["Content-Type"] = "application/json"
        said = self._line.exchange(str(operation.method), sent.target, headers=headers, body=sent.body)
        if said.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise _failure(said.status, said.body)
        try:
            return cast(Answer, msgspec.json.decode(said.body, type=operation.answers))
        except msgspec.DecodeError as error:
            raise ServerUnreachable(
                f"{self._line.url} answered what this version does not understand: {error}"
            ) from error


def _failure(status: int, body: bytes) -> RemoteFailed:
    try:
        problem: Any = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, Mapping):
        # Not ours: something between here and there.
        phrase = next((f" {one.phrase}" for one in HTTPStatus if one == status), "")
        return RemoteFailed(f"the server answered {status}{phrase}", code="http", exit_code=_usual(status))
    hint = problem.get("hint")
    return RemoteFailed(
        str(problem.get("detail") or problem.get("title") or status),
        code=str(problem.get("code") or "http"),
        exit_code=Exit.REFUSED if status in (401, 403) else _exit(problem.get("exit")) or _usual(status),
        hint=hint if isinstance(hint, str) else None,
    )


def _exit(number: object) -> Exit | None:
    return next((code for code in Exit if code == number), None)


def _usual(status: int) -> Exit:
    """Return what a command ends with at a status that says no more."""
    match status:
        case 401 | 403 | 409:
            return Exit.REFUSED
        case 404:
            return Exit.NOT_FOUND
        case 400 | 405 | 406 | 413 | 414 | 415 | 422 | 431:
            return Exit.USAGE
        case 408 | 429 | 502 | 503 | 504:
            return Exit.UNREACHABLE
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Exit.BUG
        case _:
            return Exit.FAILED
