"""An e-mail as it came, read whatever state it is in."""

import hashlib
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from msgspec import Struct

REFERENCE = re.compile(r"<[^<>\s]+>")
SIGNIFICANT = ("Message-ID", "Date", "From", "To", "Subject")
"""What is the sender's; the rest tells of the way it came, and differs where it came twice."""
MOST_BODY = 100_000


class Letter(Struct, frozen=True, kw_only=True):
    """What is kept of an e-mail."""

    fingerprint: str
    """The same for the same mail, in whatever mailbox and under whatever UID. Not the Message-ID alone: a sender that
    gives two mails the same one would have the second lost."""
    message_id: str
    references: list[str]
    subject: str
    addresses: list[str]
    sent_at: datetime | None
    body: str


def read(raw: bytes) -> Letter:
    """Return what is in an e-mail. Never raises: what cannot be read is left out."""
    # The older parser: it takes everything, where the newer one raises for some broken headers.
    message = message_from_bytes(raw)
    body = raw.partition(b"\r\n\r\n")[2]
    significant = [_text(message, name) for name in SIGNIFICANT]
    return Letter(
        fingerprint=hashlib.sha256("\0".join(significant).encode() + b"\0" + body).hexdigest(),
        message_id=(REFERENCE.findall(_text(message, "Message-ID")) or [""])[0][:500],
        references=REFERENCE.findall(f"{_text(message, 'References')} {_text(message, 'In-Reply-To')}")[-50:],
        subject=_text(message, "Subject")[:500],
        addresses=_addresses(message),
        sent_at=_sent_at(message),
        body=_body(message)[:MOST_BODY],
    )


def _text(message: Message, name: str) -> str:
    value = message.get(name)
    try:
        parts = decode_header(str(value or ""))
    except HeaderParseError:
        parts = [(str(value), None)]
    text = "".join(part if isinstance(part, str) else _decoded(part, charset) for part, charset in parts)
    return " ".join(text.replace("\0", "").split())


def _decoded(raw: bytes, charset: str | None) -> str:
    try:
        return raw.decode(charset or "utf-8", "replace")
    except LookupError:
        # A charset that nobody knows.
        return raw.decode("latin-1")


def _addresses(message: Message) -> list[str]:
    # As they came: a name that is decoded first may hold commas.
    headers = [str(value) for name in ("From", "To", "Cc") for value in message.get_all(name, [])]
    found = [address.lower() for _, address in getaddresses(headers) if "@" in address]
    return list(dict.fromkeys(found))[:100]


def _sent_at(message: Message) -> datetime | None:
    try:
        sent = parsedate_to_datetime(_text(message, "Date"))
        return (sent if sent.tzinfo else sent.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None


def _body(message: Message) -> str:
    for part in message.walk():
        if part.get_content_type() == "text/plain" and part.get_content_disposition() != "attachment":
            raw = part.get_payload(decode=True)
            if isinstance(raw, bytes):
                return _decoded(raw, part.get_content_charset()).replace("\0", "")
    return ""
