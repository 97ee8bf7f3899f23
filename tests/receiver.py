"""A receiver of HTTP on loopback that answers as a test says, well or badly: for webhooks, pings and Sentry.

    with receiving(answered(200)) as receiver:
        ...
    assert receiver.requests[0].json()["title"]

What it does with a connection is a function of the connection and the request; the last one given is repeated. Nothing
sleeps: what hangs waits until the receiver is closed.
"""

import gzip
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Queue
from typing import Any

import msgspec

WAIT = 20.0
"""Seconds after which a test that waits for a request has failed."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes

    def json(self) -> Any:
        """Return what the body says."""
        return json.loads(self.text)

    @property
    def text(self) -> bytes:
        """The body, unpacked."""
        return gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body


class Receiver:
    """Takes connections until it is closed, each in a thread of its own."""

    def __init__(self, answers: tuple["Answer", ...], *, certificate: Path | None) -> None:
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.scheme = "https" if certificate else "http"
        self.connections = 0
        self.requests: list[Request] = []
        self.closed = threading.Event()
        self._arrived: Queue[Request] = Queue()
        self._open: list[socket.socket] = []
        self._context = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._attending: list[threading.Thread] = []
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{self.scheme}://127.0.0.1:{self.port}/hook"

    def next_request(self) -> Request:
        """Wait for a request that no call before has returned."""
        return self._arrived.get(timeout=WAIT)

    def close(self) -> None:
        """Let go of whatever hangs."""
        self.closed.set()
        # An accept that waits is not woken by close alone.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(WAIT)
        for thread in self._attending:
            thread.join(WAIT)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            answer = self._answers[min(self.connections, len(self._answers)) - 1]
            thread = threading.Thread(target=self._attend, args=(connection, answer), daemon=True)
            self._attending.append(thread)
            thread.start()

    def _attend(self, connection: socket.socket, answer: "Answer") -> None:
        # The other end may be gone at any time: that is what is tested.
        with suppress(OSError), connection:
            secured = connection
            if self._context is not None:
                secured = self._context.wrap_socket(connection, server_side=True)
            with secured:
                request = _read(secured)
                self.requests.append(request)
                self._arrived.put(request)
                answer(secured, self)


Answer = Callable[[socket.socket, Receiver], None]


@contextmanager
def receiving(*answers: Answer, certificate: Path | None = None) -> Iterator[Receiver]:
    """Have a receiver for the time of the block."""
    receiver = Receiver(answers or (answered(200),), certificate=certificate)
    try:
        yield receiver
    finally:
        receiver.close()


def _read(connection: socket.socket) -> Request:
    with connection.makefile("rb") as file:
        first = file.readline()
        if not first:
            raise ConnectionResetError("gone before it asked anything")
        method, path, _ = first.decode("ascii").split()
        headers = {}
        while line := file.readline().strip().decode("latin-1"):
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            body = b"".join(_chunks(file))
        else:
            body = file.read(int(headers.get("content-length", 0)))
    return Request(method=method, path=path, headers=headers, body=body)


def _chunks(file: Any) -> Iterator[bytes]:
    while size := int(file.readline() or b"0", 16):
        yield file.read(size)
        file.readline()
    file.readline()


def head(status: int, **headers: object) -> bytes:
    """Return the head of an answer."""
    # Each connection is for one answer; who kept it for the next request would lose that.
    lines = [
        f"HTTP/1.1 {status} Said",
        "Connection: close",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answered(status: int = 200, body: bytes = b"ok", **headers: object) -> Answer:
    """Answer as servers do."""
    return said(head(status, **{"content_length": len(body)} | headers) + body)


def said(written: bytes) -> Answer:
    """Say these bytes and close."""

    def answer(connection: socket.socket, _receiver: Receiver) -> None:
        connection.sendall(written)

    return answer


def dropped(_connection: socket.socket, _receiver: Receiver) -> None:
    """Close without a word."""


def hanging(_connection: socket.socket, receiver: Receiver) -> None:
    """Say nothing."""
    receiver.closed.wait(WAIT)


def dripping(written: bytes) -> Answer:
    """Say these bytes one by one for as long as the other end listens, each within any time-out of its own."""

    def answer(connection: socket.socket, receiver: Receiver) -> None:
        for byte in written:
            connection.sendall(bytes([byte]))
            if receiver.closed.wait(0.02):
                return

    return answer


def endless(start: bytes, more: bytes) -> Answer:
    """Say the start, and then more and more for as long as anybody listens."""

    def answer(connection: socket.socket, receiver: Receiver) -> None:
        connection.sendall(start)
        while not receiver.closed.is_set():
            connection.sendall(more)

    return answer


def redirected(where: str, status: int = 307) -> Answer:
    """Send the other end somewhere else."""
    return answered(status, b"", location=where)
