"""The gate: what is refused before anything of a request is read."""

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.web.values import a_client, a_token, an_app, bearer, some_settings

JOBS = "/api/v1/jobs"


@pytest.mark.parametrize("path", ["/healthz", "/api/v1/jobs", "/api/v1/jobs/none", "/nowhere"])
@pytest.mark.parametrize("token", [None, "valid"])
def test_every_answer_keeps_browsers_at_bay(path, token):  # T37, T39
    answer = a_client(an_app(), a_token() if token else None).get(path)

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers.get_list("cache-control") == ["no-store"]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("jobs.example.org", 200),
        ("JOBS.example.org:8443", 200),
        ("jobs.example.org.", 200),
        ("a.ops.example.org", 200),
        ("ops.example.org", 400),
        ("evil.example.org", 400),
        ("jobs.example.org.evil.example", 400),
        ("jobs.example.org@evil.example", 400),
        ("xops.example.org", 400),
        ("evilops.example.org", 400),
        ("", 400),
        ("[::1", 400),
    ],
)
def test_it_is_asked_for_by_its_names_only(asked, status):  # T39
    app = an_app(some_settings(web={"allowed_hosts": ("jobs.example.org", "*.ops.example.org")}))

    answer = a_client(app, a_token()).get(JOBS, headers={"Host": asked})

    assert answer.status_code == status


def test_what_restarts_it_may_ask_by_address():  # T39
    app = an_app(some_settings(web={"allowed_hosts": ("jobs.example.org",)}))

    assert a_client(app).get("/healthz", headers={"Host": "10.1.2.3:8765"}).status_code == 200


def test_two_authorizations_are_none():  # J16
    client = a_client(an_app())
    twice = [("Authorization", f"Bearer {a_token()}"), ("authorization", f"Bearer {a_token()}")]

    assert client.get(JOBS, headers=twice).status_code == 400


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_written_in_any_case(scheme):  # J16
    assert a_client(an_app()).get(JOBS, headers={"Authorization": f"{scheme} {a_token()}"}).status_code == 200


def test_a_token_counts_in_its_header_only():  # J16, T14
    client, token = a_client(an_app()), a_token()

    assert client.get(f"{JOBS}?access_token={token}").status_code == 401
    assert client.get(JOBS, headers={"Cookie": f"token={token}; rota_session={token}"}).status_code == 401
    assert client.get(JOBS, headers={"X-Authorization": f"Bearer {token}"}).status_code == 401
    assert client.request("GET", JOBS, json={"token": token}).status_code == 401
    for scheme in ("Basic", "Token", ""):
        assert client.get(JOBS, headers={"Authorization": f"{scheme} {token}".strip()}).status_code == 401


def test_whoever_is_refused_learns_nothing_from_how():  # J19
    client = a_client(an_app())
    refused = [
        client.get(JOBS, headers=headers)
        for headers in (
            {},
            bearer(""),
            bearer("x.y.z"),
            bearer(a_token(exp=1)),
            bearer(a_token(aud="other")),
            bearer(a_token(key_id="none")),
            bearer(a_token(secret="another-secret-of-more-than-thirty-two-bytes")),
            {"Authorization": "Basic YTpi"},
        )
    ]

    assert {answer.status_code for answer in refused} == {401}
    assert len({answer.content for answer in refused}) == 1
    assert len({tuple(sorted(answer.headers.items())) for answer in refused}) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "BREW"])
def test_nothing_is_changed_where_it_only_shows(method):  # R62
    client = a_client(an_app(some_settings(web={"read_only": True})), a_token())

    refused = client.request(method, JOBS)

    assert (refused.status_code, refused.json()["code"]) == (403, "read_only")
    assert client.get(JOBS).status_code == 200


def test_a_websocket_is_no_other_door():  # T11
    client = a_client(an_app(), a_token())

    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/api/v1/jobs"):
        pass


def test_below_a_prefix_only_the_very_path_is_open():  # T10
    outer = TestClient(Starlette(routes=[Mount("/ops", app=an_app().asgi_app())]), headers=bearer(a_token()))

    assert outer.get("/ops/healthz", headers={"Authorization": ""}).status_code == 200
    assert outer.get("/ops/api/v1/jobs").status_code == 200
    assert outer.get("/ops/api/v1/jobs", headers={"Authorization": ""}).status_code == 401
    assert outer.get("/ops/ops/healthz", headers={"Authorization": ""}).status_code == 401
