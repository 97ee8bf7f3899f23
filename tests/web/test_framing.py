"""HTTP/1.1 as it really comes, through the server of `rota serve` on loopback (T58, I2)."""

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn

from rota import Rota
from rota.web import protocol
from tests.web.values import a_token, some_settings

WAIT_S = 10
HEAD_S = 0.4


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    patch = pytest.MonkeyPatch()
    patch.setattr(protocol, "HEAD_TIMEOUT_S", HEAD_S)
    app = Rota("memory://", settings=some_settings())
    app.job(name="report")(lambda: None)
    config = uvicorn.Config(app.asgi_app(), http=protocol.GuardedProtocol, log_config=None, limit_concurrency=20)
    server, listening = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(WAIT_S)
    patch.undo()


def exchange(port: int, *pieces: bytes, half_close: bool = False) -> bytes:
    """Send pieces, and return all that comes until the other side is done."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as line:
        for one in pieces:
            line.sendall(one)
        if half_close:
            line.shutdown(socket.SHUT_WR)
        received = b""
        while part := line.recv(65536):
            received += part
        return received


def status(answer: bytes) -> int:
    """Return the status; whatever went wrong is said in the one form of errors."""
    number, head = int(answer[9:12]), answer.partition(b"\r\n\r\n")[0].lower()
    assert (number >= 400) is (b"content-type: application/problem+json" in head)
    assert b"x-content-type-options: nosniff" in head
    assert number not in (429, 503) or b"retry-after: " in head
    return number


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
CLOSE = b"Connection: close\r\n\r\n"


def a_start(body: bytes, *lines: str) -> bytes:
    head = ["POST /api/v1/runs HTTP/1.1", "Host: localhost", f"Authorization: Bearer {a_token()}", *lines]
    return "\r\n".join([*head, "Connection: close", "", ""]).encode() + body


def test_a_request_is_answered(port):
    assert status(exchange(port, HEALTH + CLOSE)) == 200


@pytest.mark.parametrize("sent", [b"", b"GET /heal", HEALTH + b"X-Slow: "], ids=["nothing", "a line", "a header"])
def test_a_head_that_does_not_come_to_its_end_is_not_waited_for(port, sent):  # T58
    assert status(exchange(port, sent)) == 408


def test_a_connection_that_was_kept_has_to_begin_its_next_head_in_time(port):  # T58
    assert status(exchange(port, HEALTH + b"\r\n", b"GET /heal").partition(b"}")[2]) == 408


@pytest.mark.parametrize("name", [b"X: ", b""], ids=["one header", "many"])
def test_a_head_that_is_too_big_is_refused(port, name):  # T58
    big = b"X: " + b"x" * 70_000 if name else b"".join(b"X%d: x\r\n" % number for number in range(8_000))

    assert status(exchange(port, HEALTH, big)) == 431


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 16", "Transfer-Encoding: chunked"],
        ["Content-Length: 16", "Content-Length: 17"],
        ["Content-Length: -1"],
        ["Transfer-Encoding: chunked, identity"],
        ["X y: 1"],
    ],
)
def test_a_body_of_which_the_length_can_be_read_in_two_ways_is_refused(port, lines):
    assert status(exchange(port, a_start(b'{"job":"report"}', *lines))) == 400


def test_a_body_comes_in_chunks(port):
    body = b'8\r\n{"job":"\r\n8\r\nreport"}\r\n0\r\n\r\n'

    assert status(exchange(port, a_start(body, "Transfer-Encoding: chunked"))) == 202


def test_a_client_that_has_said_all_and_closes_its_half_is_answered(port):
    assert status(exchange(port, HEALTH + b"\r\n", half_close=True)) == 200


def test_two_requests_at_once_on_one_connection_are_answered_in_turn(port):
    answer = exchange(port, HEALTH + b"\r\n" + HEALTH.replace(b"healthz", b"nothing") + CLOSE)

    assert [int(part[1:4]) for part in answer.split(b"HTTP/1.1")[1:]] == [200, 401]


def test_more_connections_than_allowed_are_answered_that(port):  # T58
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    try:
        assert status(exchange(port, HEALTH + CLOSE)) == 503
    finally:
        for one in held:
            one.close()
