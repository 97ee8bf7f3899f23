"""The log of a run as it comes, over HTTP (R44)."""

import json
from collections.abc import Callable
from http import HTTPStatus
from wsgiref.util import setup_testing_defaults

import pytest
from msgspec.structs import replace
from starlette.testclient import TestClient

from rota.core.model import LogChunk, LogLine, Note
from rota.web import log_stream, wsgi_app
from tests.clocks import FakeClock
from tests.surfaces.conftest import HOSTILE, an_app
from tests.values import NOON, a_run, claim, settle_all, succeeded
from tests.web.far import ANA, InProcess, Known

EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch):
    monkeypatch.setattr(log_stream, "POLL_S", 0.0)


class Followed:
    """A run that is under way, and what happens to it at each look at its log."""

    def __init__(self, monkeypatch):
        self.app = an_app(clock=FakeClock(NOON))
        self.app.store.enqueue([a_run(job="report")], now=NOON)
        [self.run] = claim(self.app.store)
        self.client: TestClient = InProcess(self.app).client
        self.path = f"/api/v1/runs/{self.run.id}/log/stream"
        self._log, self._steps = self.app.store.log, []
        monkeypatch.setattr(self.app.store, "log", self._look)

    @property
    def looks(self) -> int:
        return len(self._steps)

    def then(self, *steps: Callable[[], object]) -> None:
        """Do these, one before each look."""
        self._steps += steps

    def says(self, text: str, number: int = 0) -> None:
        line = LogLine(at=NOON, level="INFO", source="stdout", text=text)
        chunk = LogChunk(run_id=self.run.id, token=self.run.token, number=number, lines=(line,), left_out=0)
        self.app.store.note([Note(run_id=self.run.id, token=self.run.token, chunks=(chunk,))], now=NOON)

    def ends(self) -> None:
        settle_all(self.app.store, succeeded(self.run))

    def _look(self, *args, **more):
        if self._steps:
            self._steps.pop(0)()
        return self._log(*args, **more)


@pytest.fixture
def followed(monkeypatch) -> Followed:
    return Followed(monkeypatch)


def events(text: str) -> list[tuple[str, str | None, object]]:
    """Return the events in a stream: name, id and data."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields["event"], fields.get("id"), json.loads(fields["data"])))
    return found


def texts(data) -> list[str]:
    return [line["text"] for line in data["lines"]]


def nothing() -> None: ...


def test_each_line_is_sent_as_it_comes_until_the_run_is_over(followed):  # R44
    followed.then(lambda: followed.says("one"), nothing, lambda: followed.says("two", 1), followed.ends, nothing)
    # Its worker writes the last lines after the end.
    followed.then(lambda: followed.says("three", 2))

    answer = followed.client.get(followed.path, headers=EVENTS)

    assert answer.headers["content-type"].startswith("text/event-stream")
    *lines, end = events(answer.text)
    assert [(name, texts(data)) for name, _, data in lines] == [
        ("lines", ["one"]), ("lines", ["two"]), ("lines", ["three"]),
    ]  # fmt: skip
    assert end == ("end", lines[-1][1], {"state": "succeeded"})


@pytest.mark.parametrize("header", [True, False], ids=["Last-Event-ID", "after"])
def test_whoever_comes_back_goes_on_where_he_was(followed, header):
    followed.says("one")
    followed.says("two", 1)
    followed.ends()
    first = followed.client.get(f"/api/v1/runs/{followed.run.id}/log?chunks=1").json()

    answer = followed.client.get(
        followed.path,
        headers=EVENTS | ({"Last-Event-ID": first["next"]} if header else {}),
        params={} if header else {"after": first["next"]},
    )

    assert texts(events(answer.text)[0][2]) == ["two"]


def test_a_page_waits_for_the_first_line(followed):
    followed.then(nothing, nothing, lambda: followed.says("one"), followed.ends)

    answer = followed.client.get(followed.path)

    assert texts(answer.json()) == ["one"]
    assert (answer.json()["state"], followed.looks) == ("running", 1)


def test_a_page_waits_no_longer_than_is_said(followed, monkeypatch):
    monkeypatch.setattr(log_stream, "WAIT_S", 0.0)

    answer = followed.client.get(followed.path)

    assert (answer.status_code, texts(answer.json())) == (200, [])


def test_a_page_of_a_run_that_is_over_does_not_wait(followed):
    followed.ends()

    assert followed.client.get(followed.path).json()["state"] == "succeeded"


def test_what_is_sent_is_harmless(followed):  # R65
    followed.says(f"mysql://ops:hunter2@db1 is away {HOSTILE}")
    followed.ends()

    answer = followed.client.get(followed.path, headers=EVENTS).text

    assert "hunter2" not in answer
    assert all(char.isprintable() or char == "\n" for char in answer)


@pytest.mark.parametrize("headers", [EVENTS, {}], ids=["events", "page"])
@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/v1/runs/ffffffff/log/stream", 404), ("{path}?after=x", 422), ("{path}?after=1.2.9999999999", 422)],
)
def test_what_cannot_be_followed_is_refused_before_anything_is_sent(followed, path, status, headers):  # R64
    answer = followed.client.get(path.format(path=followed.path), headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("headers", [EVENTS, {}], ids=["events", "page"])
def test_the_log_of_somebody_else_is_not_there(followed, headers):  # T15
    followed.ends()
    stranger = InProcess(followed.app, replace(ANA, tenants=frozenset({"acme"}))).client

    assert stranger.get(followed.path, headers=headers).json()["code"] == "run_not_found"


def test_a_store_that_goes_away_ends_the_stream_with_the_problem(followed):  # R64
    def forget() -> None:
        followed.app.store.run = lambda _id: None

    followed.then(lambda: followed.says("one"), forget)

    assert [name for name, _, _ in events(followed.client.get(followed.path, headers=EVENTS).text)] == [
        "lines", "problem",
    ]  # fmt: skip


def test_a_stream_ends_in_time_and_is_asked_for_anew(followed, monkeypatch):
    monkeypatch.setattr(log_stream, "LONGEST_S", 0.0)
    followed.says("one")

    answer = followed.client.get(followed.path, headers=EVENTS)

    assert [name for name, _, _ in events(answer.text)] == ["lines"]


def test_a_silent_stream_shows_that_it_lives(followed, monkeypatch):
    monkeypatch.setattr(log_stream, "BEAT_S", 0.0)
    followed.then(nothing, nothing, followed.ends)

    assert followed.client.get(followed.path, headers=EVENTS).text.startswith(":\n\n")


def test_so_many_streams_are_open_and_no_more(followed, monkeypatch):  # T40
    monkeypatch.setattr(log_stream, "MOST_OPEN", 1)
    inside = []
    followed.then(nothing, lambda: inside.append(followed.client.get(followed.path)), followed.ends)

    first = followed.client.get(followed.path, headers=EVENTS)

    assert events(first.text)[-1][0] == "end"
    assert inside[0].status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert inside[0].headers["retry-after"]
    assert followed.client.get(followed.path).status_code == 200


def test_a_wsgi_server_holds_no_stream_open_and_still_waits_for_a_line(followed):
    followed.then(nothing, lambda: followed.says("one"))
    app = wsgi_app(followed.app, authority=Known())

    refused, answered = (asked_of_wsgi(app, followed.path, accept) for accept in ("text/event-stream", "*/*"))

    assert refused[0] == "406 Not Acceptable"
    assert texts(json.loads(answered[1])) == ["one"]


def asked_of_wsgi(app, path: str, accept: str) -> tuple[str, bytes]:
    environ: dict[str, object] = {}
    setup_testing_defaults(environ)
    environ |= {"PATH_INFO": path, "HTTP_ACCEPT": accept}
    said = []
    body = b"".join(app(environ, lambda status, _headers, _error=None: said.append(status)))
    return said[0], body
