"""A mail server on this machine that keeps what it is given."""

import socket
from asyncio import AbstractServer
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from queue import SimpleQueue
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """The mails that came, in their order."""

    def __init__(self) -> None:
        self._came: SimpleQueue[EmailMessage] = SimpleQueue()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 (its name)
        """Take a mail."""
        assert isinstance(envelope.content, bytes)
        self._came.put(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def next(self, *, within: float) -> EmailMessage:
        """Return the next mail; raises `queue.Empty` when none comes within so many seconds."""
        return self._came.get(timeout=within)


class Server(Controller):
    """Listens where nobody else does: bound before it begins, so that it knows the port."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        super().__init__(mailbox, hostname="127.0.0.1", port=self._listener.getsockname()[1])

    def _create_server(self) -> Coroutine[Any, Any, AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listener)


@contextmanager
def mail_server() -> Iterator[tuple[Mailbox, str]]:
    """Run the server for as long as the block lasts; give what it has, and its address."""
    mailbox = Mailbox()
    server = Server(mailbox)
    server.start()
    try:
        yield mailbox, f"smtp://127.0.0.1:{server.port}"
    finally:
        server.stop()
