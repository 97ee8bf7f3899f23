"""The line of the command to a server far away: where a token goes, and what comes back."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from rota.errors import BadRequest, ConfigurationError, RemoteFailed, ServerUnreachable
from rota.exits import Exit, exit_of
from rota.operations.enqueueing import RunWanted, enqueue_run
from rota.operations.operation import Nothing
from rota.operations.remote import HttpLine, RemoteDesk
from rota.operations.status import show_status
from rota.operations.triggers import PassAsked, run_pass
from rota.operations.wire import carried


class Server(HTTPServer):
    """Answers everything with one answer, and keeps what it was asked."""

    status, body, location, unsent = 200, b"{}", "", 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def says(self, status: int, body: bytes = b"", *, location: str = "", unsent: int = 0) -> None:
        """`unsent`: bytes that are announced, and never come."""
        self.status, self.body, self.location, self.unsent = status, body, location, unsent


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", str(len(self.server.body) + self.server.unsent))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_said: object) -> None: ...


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        answering = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        answering.start()
        yield server
        server.shutdown()
        answering.join()


def ask(url: str) -> object:
    return RemoteDesk(HttpLine(url, timeout_s=5), token="mine").ask(show_status, Nothing())


def test_the_token_goes_along(server):
    server.says(200, b'{"level": "ok", "lines": []}')

    assert ask(f"{server.url}/under/a/prefix/").level == "ok"
    assert server.asked == [("/under/a/prefix/api/v1/status", "Bearer mine")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_not_followed_with_the_token(server, status):
    server.says(status, location=f"{server.url}/elsewhere")

    with pytest.raises(RemoteFailed, match=str(status)):
        ask(server.url)

    assert [path for path, _ in server.asked] == ["/api/v1/status"]


@pytest.mark.parametrize(
    "url",
    [
        "http://jobs.example.org",
        "ftp://127.0.0.1",
        "jobs.example.org",
        "https://",
        "http://127.0.0.1.example.org",
        "http://[::1",
        "https://jobs.example.org:many",
        "https://ana:secret@jobs.example.org",
        "https://jobs.example/?a",
    ],
)
def test_the_token_goes_nowhere_that_others_can_read(url):
    with pytest.raises(ConfigurationError, match="--url"):
        HttpLine(url, timeout_s=5)


@pytest.mark.parametrize("url", ["https://jobs.example.org/ops", "http://localhost:8765", "http://[::1]:8765"])
def test_the_token_goes_where_nobody_else_can_read_it(url):
    assert HttpLine(url, timeout_s=5).url == url


def test_no_proxy_reads_a_token_for_this_machine(server, monkeypatch):
    server.says(200, b'{"level": "ok", "lines": []}')
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert ask(server.url).level == "ok"


@pytest.mark.parametrize("token", ["one\ntwo", "k\u00e9y"])
def test_a_token_that_no_header_can_carry_is_refused(token):  # R64
    with pytest.raises(ConfigurationError, match="ROTA_TOKEN"):
        RemoteDesk(HttpLine("https://jobs.example.org", timeout_s=5), token=token)


@pytest.mark.parametrize("asked", [RunWanted(job="x", args=(float("nan"),)), RunWanted(job="x", tenant="\udcff")])
def test_what_has_no_form_to_be_sent_in_is_refused_and_not_changed(asked):  # R64
    with pytest.raises(BadRequest):
        carried(enqueue_run, asked)


def test_who_has_lost_the_answer_to_a_change_is_told_that_it_may_be_done():  # R64
    with socket.create_server(("127.0.0.1", 0)) as silent:
        line = HttpLine(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.05)

        with pytest.raises(ServerUnreachable, match="may be done all the same"):
            RemoteDesk(line, token="mine").ask(run_pass, PassAsked())
        with pytest.raises(ServerUnreachable, match=r"timed out$"):
            RemoteDesk(line, token="mine").ask(show_status, Nothing())


@pytest.mark.parametrize("status", [200, 503])
def test_an_answer_that_breaks_off_is_none_whatever_its_status_is(server, status):  # R64
    server.says(status, b'{"level": ', unsent=10)

    with pytest.raises(ServerUnreachable, match="does not answer"):
        ask(server.url)


@pytest.mark.parametrize("body", [b"<html>Welcome", b"[]", b'{"level": "splendid", "lines": []}'])
def test_what_answers_in_another_language_is_not_the_server(server, body):  # R64
    server.says(200, body)

    with pytest.raises(ServerUnreachable, match="does not understand"):
        ask(server.url)


@pytest.mark.parametrize(
    ("status", "body", "exit_code", "said"),
    [
        (404, b'{"code": "job_not_found", "detail": "no job \'x\'", "exit": 3, "hint": "rota jobs"}', 3, "no job 'x'"),
        (401, b'{"code": "unauthorized", "detail": "a valid token is needed"}', 5, "a valid token is needed"),
        (403, b'{"code": "forbidden", "detail": "no", "exit": 1}', 5, "no"),
        (422, b'{"code": "bad_request", "detail": "limit: many", "exit": 2}', 2, "limit: many"),
        (500, b"<html>gateway", 70, "the server answered 500 Internal Server Error"),
        (502, b"<html>gateway", 4, "the server answered 502 Bad Gateway"),
        (599, b"", 70, "the server answered 599"),
        (301, b"", 1, "the server answered 301 Moved Permanently"),
        (422, b'{"detail": "x", "exit": "many"}', 2, "x"),
        (404, b'{"code": "no_route", "title": "Not Found"}', 3, "Not Found"),
        (429, b'{"code": "too_many", "detail": "slower"}', 4, "slower"),
        (500, b'{"code": "internal_error", "detail": "see the log"}', 70, "see the log"),
    ],
)
def test_a_refusal_has_the_words_and_the_exit_code_of_the_server(server, status, body, exit_code, said):  # R63
    server.says(status, body)

    with pytest.raises(RemoteFailed) as refused:
        ask(server.url)

    assert (str(refused.value), exit_of(refused.value)) == (said, Exit(exit_code))
