"""A mailbox on an IMAP server, opened to be read and never changed."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientAbortError, LoginError
from msgspec import Struct

FOLDER = "INBOX"
SEEN = b"\\Seen"
MOST_BYTES = 256 * 1024
"""Of one message: a hundred of them are in memory at once."""


AT_ONCE = 1000
"""UIDs in one line: servers take no longer ones."""


class Refused(Exception):
    """The server does not take this name and password: to try them again only locks the account."""


class Folder(Struct, frozen=True, kw_only=True):
    """How a folder stands."""

    uidvalidity: int
    """UIDs mean something as long as this stays the same."""
    uidnext: int
    modseq: int
    """Grows with each change, also of flags; 0 from servers that do not count them (RFC 7162)."""


class Fetched(Struct, frozen=True, kw_only=True):
    """A message as it came."""

    uid: int
    raw: bytes
    is_seen: bool


class Mailbox:
    """An open connection."""

    def __init__(self, client: IMAPClient) -> None:
        self._client = client

    def hang_up(self) -> None:
        """Cut the line, from any thread: whoever waits for the server fails at once."""
        with suppress(OSError):
            self._client.socket().shutdown(socket.SHUT_RDWR)

    def select(self) -> Folder:
        if self._client.has_capability("CONDSTORE"):
            self._client.enable("CONDSTORE")
        told = self._client.select_folder(FOLDER, readonly=True)
        return Folder(uidvalidity=told[b"UIDVALIDITY"], uidnext=told[b"UIDNEXT"], modseq=told.get(b"HIGHESTMODSEQ", 0))

    def uids_after(self, last: int) -> list[int]:
        """Return the UIDs of what came after this one, in order."""
        # A range ends with the last message also where that is before its beginning.
        return sorted(uid for uid in self._client.search(["UID", f"{last + 1}:*"]) if uid > last)

    def fetch(self, uids: Sequence[int]) -> list[Fetched]:
        """Return these messages; one that was deleted meanwhile is left out."""
        answers = self._client.fetch(uids, ["FLAGS", f"BODY.PEEK[]<0.{MOST_BYTES}>"])
        return [
            Fetched(uid=uid, raw=answer[b"BODY[]<0>"] or b"", is_seen=SEEN in answer[b"FLAGS"])
            for uid, answer in sorted(answers.items())
            if b"BODY[]<0>" in answer
        ]

    def seen_since(self, modseq: int, *, up_to: int) -> Mapping[int, bool]:
        """Return for the messages whose flags have changed since whether they are seen, by UID."""
        changed = self._client.search(["UID", f"1:{up_to}", "MODSEQ", str(modseq + 1)])
        seen: dict[int, bool] = {}
        for start in range(0, len(changed), AT_ONCE):
            answers = self._client.fetch(changed[start : start + AT_ONCE], ["FLAGS"])
            seen |= {uid: SEEN in answer[b"FLAGS"] for uid, answer in answers.items()}
        return seen


@contextmanager
def open_mailbox(
    host: str, port: int, *, username: str, password: str, is_private: bool, patience: float = 30.0
) -> Iterator[Mailbox]:
    """Sign in for the length of the block. `patience`: how many seconds the server may take for one answer.

    Raises:
        Refused: name or password are wrong.
        OSError, imaplib.IMAP4.error: the server cannot be reached, or says no.
    """
    client = IMAPClient(host, port, ssl=is_private, timeout=SocketTimeout(connect=min(patience, 10), read=patience))
    try:
        try:
            client.login(username, password)
        except LoginError as error:
            if _is_trouble(error):
                raise
            raise Refused(str(error)) from error
        yield Mailbox(client)
    finally:
        # No farewell: a server that hangs would not take it either.
        client.shutdown()


def _is_trouble(error: LoginError) -> bool:
    """Whether it is the server's or the line's, and not the password's (RFC 5530)."""
    return isinstance(error.__context__, IMAPClientAbortError) or "[UNAVAILABLE]" in str(error)
