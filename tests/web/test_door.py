"""The HTTP door as a whole: who passes it, and what answers."""

import pytest

from rota.operations.table import OPERATIONS
from tests.web.values import a_client, a_token, an_app


def test_a_run_is_listed():
    app = an_app()
    app.jobs["greet"].enqueue("ana")

    answer = a_client(app, a_token()).get("/api/v1/runs?job=greet&state=queued")

    assert answer.status_code == 200
    assert [run["job"] for run in answer.json()["data"]] == ["greet"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_nobody_gets_anything_without_a_token(operation):  # R62, T11
    answer = a_client(an_app()).request(str(operation.method), operation.path)

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["//healthz", "/x/healthz", "/healthz/", "/healthz/..", "/HEALTHZ", "/healthz;x", "/%2e/healthz"]
)
def test_only_the_very_path_is_open(path):  # T10
    assert a_client(an_app()).get("/healthz").status_code == 200
    assert a_client(an_app()).request("GET", f"http://testserver{path}").status_code == 401


@pytest.mark.parametrize("path", ["/metrics/", "/api/docs/", "/api/v1/status/", "/nothing"])
def test_nobody_is_sent_on_to_another_address(path):  # R64, T39
    answer = a_client(an_app(), a_token()).get(path, follow_redirects=False)

    assert (answer.status_code, answer.json()["code"]) == (404, "no_route")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_field_that_cannot_be_read_is_named():  # R64
    answer = a_client(an_app(), a_token()).get("/api/v1/runs?limit=many")

    assert answer.status_code == 422
    assert answer.json()["field"] == "limit"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1.5",
        "limit=1e9",
        "limit=true",
        "limit=5&limit=6",
        "since=0.5",
        "since=1760000000",
        "since=2026-11-20T02:00:00",
        "since=yesterday",
        "expansions=1",
        "expansions=True",
        "state=done",
        "jobs=greet",
    ],
)
def test_a_query_is_read_to_the_letter(query):  # R64
    answer = a_client(an_app(), a_token()).get(f"/api/v1/runs?{query}")

    assert answer.status_code == 422
    assert answer.json()["field"] or "jobs" in answer.json()["detail"]


def test_a_big_answer_is_sent_packed_to_who_takes_it_so():
    app = an_app()
    app.jobs["greet"].enqueue_many([("ana",)] * 50)
    client = a_client(app, a_token())

    packed = client.get("/api/v1/runs", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/api/v1/runs", headers={"Accept-Encoding": "identity"})

    assert (packed.headers.get("content-encoding"), plain.headers.get("content-encoding")) == ("gzip", None)
    assert packed.json() == plain.json()


def test_who_looks_again_is_told_only_that_nothing_has_changed():
    app = an_app()
    client = a_client(app, a_token())
    first = client.get("/api/v1/runs")

    again = client.get("/api/v1/runs", headers={"If-None-Match": first.headers["etag"]})
    app.jobs["greet"].enqueue("ana")
    changed = client.get("/api/v1/runs", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content, changed.status_code) == (304, b"", 200)
