"""A mail server on loopback that behaves as a test says: aiosmtpd as servers do, a script as they should not.

    with mail_server() as server:
        ...
    assert server.mails[0].to == ["ops@example.org"]

Nothing sleeps: what hangs waits until the server is closed.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword, Session

WAIT = 20.0


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken."""

    sender: str
    to: Sequence[str]
    raw: bytes
    was_private: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        """The mail, read as mail programs read it."""
        read = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(read, EmailMessage)
        return read


class OnAnyPort(Controller):
    """Runs aiosmtpd on a port that nobody else has: bound before it begins, so that it knows which."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        super().__init__(*args, hostname="127.0.0.1", port=self._listener.getsockname()[1], **options)

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._listener, ssl=self.ssl_context)


class MailServer:
    """Takes what the test lets it."""

    def __init__(self, replies: Mapping[str, str]) -> None:
        self.mails: list[Mail] = []
        self.port = 0
        self._replies = dict(replies)

    def let(self, **replies: str) -> None:
        """Answer otherwise from now on; "" answers as servers do."""
        self._replies.update(replies)

    # The names are aiosmtpd's.

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if reply := self._replies.get("mail"):
            return reply
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        reply = self._replies.get("rcpt") or self._replies.get(address.partition("@")[0])
        if reply:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Session, envelope: Any) -> str:  # noqa: N802
        if reply := self._replies.get("data"):
            return reply
        mail = Mail(
            sender=envelope.mail_from,
            to=list(envelope.rcpt_tos),
            raw=envelope.original_content,
            was_private=session.ssl is not None,
            user=session.auth_data,
        )
        self.mails.append(mail)
        return "250 taken"


@contextmanager
def mail_server(
    *,
    certificate: Path | None = None,
    is_private: bool = False,
    login: tuple[str, str] | None = None,
    asks_for_login_in_plain: bool = False,
    **replies: str,
) -> Iterator[MailServer]:
    """Have a server for the time of the block.

    With a `certificate` it offers STARTTLS, or is private from the first byte. `replies` are what it says to `mail`,
    `rcpt` and `data`, and to recipients by the name before their `@`.
    """
    server = MailServer(replies)
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == login, handled=False, auth_data=given[0] if given else None)

    more: dict[str, Any] = {"authenticator": authenticate, "auth_required": True} if login else {}
    controller = OnAnyPort(
        server,
        ssl_context=context if is_private else None,
        tls_context=None if is_private else context,
        # It does not count what is private from the first byte.
        auth_require_tls=not asks_for_login_in_plain and not is_private,
        ready_timeout=WAIT,
        **more,
    )
    controller.start()
    try:
        server.port = controller.port
        yield server
    finally:
        controller.stop()


class Script:
    """A server that says what it was told to, in order, one line for each that comes; then it does what comes last."""

    def __init__(self, lines: Sequence[str], ending: Callable[[socket.socket, threading.Event], None]) -> None:
        self._lines = lines
        self._ending = ending
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.heard: list[bytes] = []
        self.closed = threading.Event()
        self._thread = threading.Thread(target=self._attend, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go of whatever hangs."""
        self.closed.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(WAIT)

    def _attend(self) -> None:
        with suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(WAIT)
                with connection.makefile("rb") as file:
                    for number, line in enumerate(self._lines):
                        if number:
                            self.heard.append(file.readline())
                        connection.sendall(line.encode() + b"\r\n")
                    self._ending(connection, self.closed)


def drops(connection: socket.socket, _closed: threading.Event) -> None:
    """Close without a word."""
    connection.shutdown(socket.SHUT_RDWR)


def drops_after_the_mail(connection: socket.socket, _closed: threading.Event) -> None:
    """Take the whole mail and close without saying whether it was taken."""
    taken = b""
    while not taken.endswith(b"\r\n.\r\n"):
        taken += connection.recv(65536)
    connection.shutdown(socket.SHUT_RDWR)


def hangs(_connection: socket.socket, closed: threading.Event) -> None:
    """Say nothing."""
    closed.wait(WAIT)


def babbles(connection: socket.socket, closed: threading.Event) -> None:
    """Go on with an answer that has no end, each line in time."""
    while not closed.is_set():
        connection.sendall(b"250-and more\r\n")


def drips(connection: socket.socket, closed: threading.Event) -> None:
    """Go on with a line that has no end, each byte in time."""
    while not closed.wait(0.02):
        connection.sendall(b"a")


@contextmanager
def scripted(*lines: str, ending: Callable[[socket.socket, threading.Event], None]) -> Iterator[Script]:
    """Have a server that says these lines and then ends so."""
    script = Script(lines, ending)
    try:
        yield script
    finally:
        script.close()
