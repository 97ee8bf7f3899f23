"""Alerts by e-mail: text and HTML, one thread for each incident, over a connection that is private."""

import re
import socket
from collections.abc import Iterable, Mapping
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import urlsplit

from msgspec import Struct

from rota.clock import Clock
from rota.core.alert import Alert, Stage
from rota.core.masking import Secret
from rota.errors import DeliveryFailed
from rota.notifiers.mail_text import html_of, text_of
from rota.notifiers.message import line, message_of
from rota.notifiers.options import check_timeout, shown
from rota.notifiers.smtp import Server, Undelivered

MOST_RECIPIENTS = 50
MOST_REMEMBERED = 256
"""Alerts of which is known who has them already."""
LONGEST_HEADER = 200

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}")
_SEVEN_BITS = SMTP.clone(cte_type="7bit")
"""What passes every server, whatever it offers."""
_NAMED = re.compile(r"(?P<name>[^<>\"\\,;@]{0,100}?)\s*<(?P<address>[^<>]+)>")


class EmailOptions(Struct, frozen=True, kw_only=True):
    """An SMTP server, and who gets the mail."""

    to: tuple[str, ...]
    """Who gets it: `ops@example.org` or `Operations <ops@example.org>`, at most 50. Nobody else ever does."""
    smtp: str = "smtp://localhost"
    """The server: `smtp://host:port` (port 25) begins in plain and goes on with STARTTLS, `smtps://host:port` (port
    465) is private from the first byte. Without TLS nothing is sent, but to a server on this machine."""
    sender: str = ""
    """Whom it is from: `Rota <rota@example.org>`. Unset: `rota@` and the name of this host."""
    user: str = ""
    """The name to log in with; unset: nobody logs in."""
    password: Secret[str] = ""
    """What goes with `user`; never sent without TLS. A secret: also `password_file`, or `env:NAME`."""
    prefix: str = "[Rota]"
    """What each subject begins with."""
    timeout: timedelta = timedelta(seconds=30)
    """For all of one delivery, from the connection to the last answer."""
    ca_file: str = ""
    """A file of certificates to trust instead of the system's, for a server of your own."""
    insecure_plaintext: bool = False
    """Send without TLS to a server elsewhere that offers none: whoever is between reads along."""
    insecure_certificate: bool = False
    """Take any certificate for the server's: whoever is between can read along."""

    __repr__ = shown

    def __post_init__(self) -> None:
        if len(self.to) > MOST_RECIPIENTS:
            raise ValueError(f"to: {len(self.to)} recipients; more than {MOST_RECIPIENTS} belong on a mailing list")
        for written in (*self.to, *([self.sender] if self.sender else [])):
            address_of(written)
        if bool(self.user) != bool(self.password):
            raise ValueError("user and password go together")
        if self.user and self.insecure_plaintext:
            raise ValueError("insecure_plaintext: a password is never sent in plain; take away one of the two")
        if header_text(self.prefix) != self.prefix:
            raise ValueError("prefix: it must be one short line of printable characters")
        check_timeout(self.timeout)
        place_of(self.smtp)


class EmailChannel:
    """Send each alert as one mail to all recipients."""

    def __init__(self, options: EmailOptions, clock: Clock) -> None:
        self._options = options
        scheme, host, port = place_of(options.smtp)
        self._server = Server(
            host=host,
            port=port,
            is_private=scheme == "smtps",
            user=options.user,
            password=options.password,
            timeout=options.timeout,
            ca_file=options.ca_file,
            insecure_plaintext=options.insecure_plaintext,
            insecure_certificate=options.insecure_certificate,
        )
        self._sender = options.sender or f"Rota <rota@{_host_name()}>"
        self._clock = clock
        self._reached: dict[str, set[str]] = {}
        """By alert: who has it, so that trying again for the others sends nothing twice."""

    def send(self, alert: Alert) -> None:
        """Send it to each recipient who has not got it yet.

        Raises:
            DeliveryFailed: the server took it for nobody, or not for all: put off if one of them was put off.
        """
        reached = self._reached.setdefault(alert.id, set())
        while len(self._reached) > MOST_REMEMBERED:
            self._reached.pop(next(iter(self._reached)))
        left = [one for one in map(address_of, self._options.to) if one not in reached]
        mail = mail_of(alert, sender=self._sender, to=self._options.to, prefix=self._options.prefix)
        refused = self._server.deliver(mail, sender=address_of(self._sender), to=left, clock=self._clock)
        reached.update(one for one in left if one not in refused)
        if refused:
            raise _failure(refused, of=len(self._options.to))
        del self._reached[alert.id]


def _failure(refused: Mapping[str, Undelivered], *, of: int) -> DeliveryFailed:
    put_off = {name: why for name, why in refused.items() if not why.permanent}
    told = put_off or refused
    reasons = "; ".join(f"{name}: {why.reason}" for name, why in list(told.items())[:3])
    others = "" if len(refused) == of else f"; {of - len(refused)} of {of} have it"
    return DeliveryFailed(f"{len(refused)} not reached: {reasons}{others}", permanent=not put_off)


def mail_of(alert: Alert, *, sender: str, to: Iterable[str], prefix: str) -> EmailMessage:
    """Return the mail of an alert; of the same alert always the same."""
    message = message_of(alert)
    domain = address_of(sender).rpartition("@")[2]
    mail = EmailMessage(policy=_SEVEN_BITS)
    mail["From"] = header_text(sender)
    mail["To"] = ", ".join(header_text(one, most=400) for one in to)
    mail["Subject"] = header_text(f"{prefix} {message.title}")
    # The time of the news, not of the try: a repeated mail is the same mail.
    mail["Date"] = alert.at
    # All mails of an incident answer its first one, whether or not that went through this channel; also the one that
    # it was opened again, since mailboxes drop a second mail of the same id.
    first, own = f"<{_id(alert.incident)}@{domain}>", f"<{_id(alert.id)}@{domain}>"
    is_first = alert.stage is Stage.OPENED and alert.openings == 1
    mail["Message-ID"] = first if is_first else own
    if not is_first and alert.stage is not Stage.TEST:
        mail["In-Reply-To"] = mail["References"] = first
    # RFC 3834: nobody's absence note answers it.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["X-Rota-Alert"] = header_text(alert.id)
    mail["X-Rota-Incident"] = header_text(alert.incident)
    # For whoever sorts mail.
    mail["X-Rota-Kind"], mail["X-Rota-Stage"] = alert.kind.value, alert.stage.value
    if message.is_bad:
        mail["Importance"] = "high"
    mail.set_content(text_of(message))
    mail.add_alternative(html_of(message), subtype="html")
    return mail


def header_text(text: str, *, most: int = LONGEST_HEADER) -> str:
    """Return text as it may stand in a header: one line, cut, and nothing in it that a mail program decodes (T42)."""
    # Python reads `=?utf-8?q?...?=` in what it is given as a header, and then what is in it may hold a line break.
    return line(text.replace("=?", "= ?"), most=most)


def address_of(written: str) -> str:
    """Return the address in `Name <address>`, or what is written if it is one.

    Raises:
        ValueError: it is none that mail can be sent to without any doubt.
    """
    named = _NAMED.fullmatch(written)
    address = named["address"] if named else written
    if not written.isprintable() or not _ADDRESS.fullmatch(address):
        raise ValueError(
            f"{line(written, most=80)!r} is no mail address, such as ops@example.org or Ops <ops@example.org>"
        )
    return address


def place_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a server.

    Raises:
        ValueError: it is none; the message does not show it, as it may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("smtp: it is no URL: smtp://host:587 is one") from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path or parts.query or parts.fragment:
        raise ValueError("smtp: it must be smtp://host:port or smtps://host:port")
    if "@" in parts.netloc:
        raise ValueError("smtp: write the user and the password as options of their own: user, password")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("smtp: it must be ASCII without spaces")
    return parts.scheme, parts.hostname, port or (465 if parts.scheme == "smtps" else 25)


def _id(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "", text)[:64] or "alert"


def _host_name() -> str:
    name = socket.gethostname()
    return name if _ADDRESS.fullmatch(f"rota@{name}") else "localhost"
