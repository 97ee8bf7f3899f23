"""One delivery to an SMTP server: private, in time, and with an answer for each recipient."""

import smtplib
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from email.message import EmailMessage
from typing import Self

from msgspec import Struct

from rota.clock import Clock
from rota.core.size import Size
from rota.errors import DeliveryFailed
from rota.notifiers.message import line
from rota.reach.address import is_loopback
from rota.reach.asking import tls_context
from rota.reach.line import Line, TooMuch

MOST_ANSWERED = Size(64 << 10)
"""Bytes that a server may say in all of one delivery."""


class Undelivered(Struct, frozen=True, kw_only=True):
    """Why a recipient has not got the mail."""

    permanent: bool
    reason: str


class Server(Struct, frozen=True, kw_only=True):
    """Where mail is handed in, and how."""

    host: str
    port: int
    is_private: bool
    """From the first byte; otherwise from STARTTLS on."""
    user: str
    password: str
    timeout: timedelta
    ca_file: str
    insecure_plaintext: bool
    insecure_certificate: bool

    def deliver(self, mail: EmailMessage, *, sender: str, to: Sequence[str], clock: Clock) -> Mapping[str, Undelivered]:
        """Hand a mail in, and return who has not got it.

        Raises:
            DeliveryFailed: nobody has.
        """
        try:
            with _Conversation(self, clock) as conversation:
                return _refusals(conversation.sendmail(sender, list(to), mail.as_bytes()))
        except smtplib.SMTPRecipientsRefused as error:
            return _refusals(error.recipients)
        except smtplib.SMTPAuthenticationError as error:
            # What it says beside the number may repeat what it was told.
            raise self._failed(
                f"the login of {self.user!r} was refused ({error.smtp_code})", error.smtp_code
            ) from error
        except smtplib.SMTPResponseException as error:
            raise self._failed(_said(error.smtp_code, error.smtp_error), error.smtp_code) from error
        except smtplib.SMTPNotSupportedError as error:
            raise self._failed(str(error), 550) from error
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or (error.reason or "broken").replace("_", " ").lower()
            raise self._failed(f"it cannot be trusted: TLS: {reason}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise self._failed(_trouble(error)) from error

    def _failed(self, reason: str, code: int = 0) -> DeliveryFailed:
        return DeliveryFailed(f"mail server {self.host}:{self.port}: {reason}", permanent=code >= 500)


class _Conversation(smtplib.SMTP):
    """A connection to a server on which time and bytes are counted; entered, it is private and logged in."""

    def __init__(self, server: Server, clock: Clock) -> None:
        name = socket.gethostname()
        # Looking for a longer name of this host may ask a resolver, and wait for it.
        super().__init__(local_hostname=name if "." in name else "[127.0.0.1]", timeout=server.timeout.total_seconds())
        self._server = server
        self._clock = clock
        self._deadline = clock.monotonic() + server.timeout.total_seconds()

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # Politely, but without waiting: what was accepted is accepted.
        with suppress(OSError, smtplib.SMTPException):
            self.putcmd("quit")
        self.close()

    def _open(self) -> None:
        server = self._server
        self.sock = self._connected()
        if server.is_private:
            self._make_private()
        code, said = self.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        self.ehlo_or_helo_if_needed()
        if not server.is_private:
            self._start_tls()
        if server.user:
            self.login(server.user, server.password)

    def _connected(self) -> socket.socket:
        """Connect to the first address of the server that answers; each may take its share of the time that is left."""
        found = socket.getaddrinfo(self._server.host, self._server.port, type=socket.SOCK_STREAM)
        failed: OSError | None = None
        for number, (*_, address) in enumerate(found):
            left = (self._deadline - self._clock.monotonic()) / (len(found) - number)
            if left <= 0:
                raise TimeoutError
            try:
                return socket.create_connection((str(address[0]), self._server.port), timeout=left)
            except OSError as error:
                failed = error
        raise failed or TimeoutError()

    def _start_tls(self) -> None:
        """Go on in private; where the server offers that not, go on only where nothing is lost by it (T44, T68)."""
        server = self._server
        if self.has_extn("starttls"):
            code, said = self.docmd("STARTTLS")
            if code != 220:
                raise smtplib.SMTPResponseException(code, said)
            self._make_private()
            # What was said before may have been said by somebody else.
            self.ehlo_resp, self.helo_resp, self.esmtp_features, self.does_esmtp = None, None, {}, False
            self.ehlo_or_helo_if_needed()
        elif server.user:
            raise smtplib.SMTPNotSupportedError("it offers no TLS, and a password is never sent in plain")
        elif not server.insecure_plaintext and not is_loopback(server.host):
            raise smtplib.SMTPNotSupportedError("it offers no TLS; insecure_plaintext = true sends without")

    def _make_private(self) -> None:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("closed the connection")
        self.sock.settimeout(max(self._deadline - self._clock.monotonic(), 0.001))
        context = tls_context(self._server.ca_file, insecure=self._server.insecure_certificate)
        self.sock = context.wrap_socket(self.sock, server_hostname=self._server.host)
        # With what a stranger may have put into it before the connection was private.
        self.file = None

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = Line(self.sock, clock=self._clock, deadline=self._deadline, most=MOST_ANSWERED).makefile("rb")
        try:
            return super().getreply()
        except smtplib.SMTPServerDisconnected as error:
            if isinstance(error.__context__, TimeoutError | TooMuch):
                raise error.__context__ from error
            raise


def _refusals(recipients: Mapping[str, tuple[int, bytes]]) -> dict[str, Undelivered]:
    return {
        name: Undelivered(permanent=code >= 500, reason=_said(code, text)) for name, (code, text) in recipients.items()
    }


def _said(code: int, text: bytes | str) -> str:
    written = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return line(f"{code} {' '.join(written.split())}", most=200)


def _trouble(error: Exception) -> str:
    match error:
        case TooMuch():
            return "it says more than any server has to"
        case TimeoutError():
            return "it did not answer in time"
        case socket.gaierror():
            return "its name cannot be resolved"
        case smtplib.SMTPServerDisconnected():
            return "it closed the connection"
        case OSError():
            return error.strerror or type(error).__name__
        case _:
            return type(error).__name__
