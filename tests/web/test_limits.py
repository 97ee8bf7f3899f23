"""What is too big, too slow, too deep, too much or of another form."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from rota import Rota
from rota.queries import RunQuery
from tests.web.values import a_client, a_token, some_settings

RUN = "/api/v1/runs"
GOOD = b'{"job":"report"}'


def a_site(**web) -> Rota:
    app = Rota("memory://", settings=some_settings(web=web), tenants=["acme", "globex"])
    app.job(name="report")(lambda: None)
    app.job(name="sync", per_tenant=True)(lambda: None)
    return app


def send(app: Rota, body: bytes = GOOD, *, path: str = RUN, token: str | None = None, **headers: str):
    said = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return a_client(app, token or a_token()).post(path, content=body, headers=said)


# --- its form ---


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Type": "text/plain"},
        {"Content_Type": "application/x-www-form-urlencoded"},
        {"Content_Type": "application/jsonp"},
        {"Content_Type": "application/json; charset=utf-16"},
        {"Content_Encoding": "gzip"},
    ],
)
def test_a_body_of_another_form_is_refused(headers):  # T64
    assert send(a_site(), **headers).status_code == 415


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=UTF-8", "application/problem+json"])
def test_a_body_that_is_json_by_its_own_word_is_read(kind):
    assert send(a_site(), Content_Type=kind).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        b'{"job":"count","job":"count","args":[1]}',
        b'{"job":"count","args":{"number":{"y":1,"y":2}}}',
        b'{"job":"count","args":[NaN]}',
        b'{"job":"count","args":[-Infinity]}',
        b'{"job":"count","args":[1e999]}',
        b'{"job":"count","args":[' + b"[" * 40 + b"]" * 40 + b"]}",
        b'{"job":"count","args":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
        b'{"job":"count","args":["\\ud800"]}',
        b'{"job":"\xff"}',
        '{"job":"report"}'.encode("utf-16"),
        b"[1]",
        b"{",
        b'{"job":"report"} {}',
        b"9" * 5000,
    ],
    ids=range(14),
)
def test_json_that_can_be_read_in_two_ways_or_none_is_refused(body):  # T30, I2
    app = a_site()
    app.job(name="count")(lambda number: None)
    assert send(app, b'{"job":"count","args":[[[1, 2.5]]]}').status_code == 202

    answer = send(app, body)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert len(app.store.runs(RunQuery())) == 1


def test_a_big_number_is_kept_exact():  # T30
    app = a_site()
    app.job(name="count")(lambda number: None)

    assert send(app, b'{"job":"count","args":[123456789012345678901234567890]}').status_code == 202
    [run] = app.store.runs(RunQuery())
    assert "123456789012345678901234567890" in run.args


# --- its size and time ---


def test_a_body_that_is_too_big_is_refused_by_what_it_says_of_itself():  # T58, I2
    answer = send(a_site(), b" " * (1 << 20) + GOOD)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_big")


def asgi(app: Rota, messages: list[dict[str, Any]], *, pause: float = 0.0) -> list[dict[str, Any]]:
    """Send a body in pieces to the door, each after a pause, and return what it answers."""
    headers = [(b"host", b"testserver"), (b"authorization", f"Bearer {a_token()}".encode())]
    scope = {
        "type": "http", "method": "POST", "path": RUN, "raw_path": RUN.encode(), "query_string": b"", "root_path": "",
        "headers": headers, "client": ("testclient", 1), "server": ("testserver", 80), "scheme": "http",
    }  # fmt: skip
    answers: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause)
        return messages.pop(0)

    async def take(message: dict[str, Any]) -> None:
        answers.append(message)

    asyncio.run(app.asgi_app()(scope, receive, take))
    return answers


def piece(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_that_grows_too_big_is_refused_before_it_has_ended():  # T58
    pieces = [piece(b" " * 400_000) for _ in range(4)]

    answers = asgi(a_site(), pieces)

    assert answers[0]["status"] == 413
    assert len(pieces) == 1


def test_a_body_that_comes_too_slowly_is_refused():  # T58, I2
    app = a_site(read_timeout=timedelta(milliseconds=30))

    answers = asgi(app, [piece(b" ") for _ in range(100)], pause=0.02)

    assert answers[0]["status"] == 408
    assert (b"connection", b"close") in answers[0]["headers"]


def test_who_goes_away_in_the_middle_of_a_body_leaves_nothing():  # I4
    app = a_site()

    assert asgi(app, [piece(GOOD), {"type": "http.disconnect"}]) == []
    assert app.store.runs(RunQuery()) == []


def test_what_takes_too_long_is_answered_and_comes_to_its_end():
    app, may_end, was_done = a_site(answer_timeout=timedelta(milliseconds=50)), threading.Event(), threading.Event()
    enqueue = app.store.enqueue

    def slow(runs, *, now):
        may_end.wait(10)
        answer = enqueue(runs, now=now)
        was_done.set()
        return answer

    app.store.enqueue = slow

    answer = send(app)
    may_end.set()

    assert (answer.status_code, answer.json()["code"]) == (503, "too_slow")
    assert was_done.wait(10)


# --- how much ---


def test_a_token_that_asks_too_fast_is_told_when_to_come_again():  # T58, T59
    app = a_site(rate=1)
    client, other = a_client(app, a_token(jti="one")), a_token(jti="two")

    answers = [client.get("/api/v1/jobs") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["retry-after"] == "1"
    assert client.get("/api/v1/jobs", headers={"Authorization": f"Bearer {other}"}).status_code == 200


def test_too_much_for_one_tenant_is_refused_and_not_for_another():  # T59
    app = a_site(tenant_rate=1)

    def start(tenant: str) -> int:
        return client.post(RUN, json={"job": "sync", "tenant": tenant}).status_code

    client = a_client(app, a_token())

    assert [start("acme") for _ in range(3)] == [202, 202, 429]
    assert start("globex") == 202


def test_nobody_uses_up_the_pace_of_a_tenant_that_he_does_not_see():  # T25, T59
    app = a_site(tenant_rate=1)
    stranger = a_client(app, a_token(tenants=["globex"]))

    answers = [stranger.post(RUN, json={"job": "sync", "tenant": "acme"}).status_code for _ in range(4)]

    assert set(answers) == {404}
    assert a_client(app, a_token()).post(RUN, json={"job": "sync", "tenant": "acme"}).status_code == 202


def test_no_more_is_taken_while_too_much_waits():  # T59
    app = a_site(most_queued=3)
    client = a_client(app, a_token())

    answers = [client.post(RUN, content=GOOD) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 503, 503]
    assert answers[-1].headers["retry-after"] == "10"
    assert len(app.store.runs(RunQuery())) == 3


def test_a_bulk_counts_as_what_is_in_it():  # T60
    app = a_site(most_queued=3)

    answer = send(app, b'{"job":"report","calls":[[],[],[],[]]}', path="/api/v1/runs/bulk")

    assert answer.status_code == 503
