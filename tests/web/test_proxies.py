"""Where a request comes from, behind a proxy and where somebody only says so (T39)."""

import pytest
from starlette.testclient import TestClient

from rota.settings import WebSettings
from rota.web.serving import server_for

SPOOFED = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}


def seen_by_door(source, **web):
    """Return address, scheme and host as the door sees them of a request from `source` that says it was forwarded."""
    seen = []

    async def door(scope, receive, send):
        seen.append((scope["client"][0], scope["scheme"], dict(scope["headers"])[b"host"].decode()))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    server = server_for(door, WebSettings(**web))
    server.config.load()
    TestClient(server.config.loaded_app, client=(source, 1)).get("/", headers=SPOOFED)
    return seen[0]


@pytest.mark.parametrize("source", ["127.0.0.1", "::1", "10.1.2.3"])
def test_nobody_is_believed_where_no_proxy_is_named(source, monkeypatch):  # T39
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")

    assert seen_by_door(source) == (source, "http", "testserver")


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("10.1.2.3", ("127.0.0.1", "https", "testserver")),
        ("10.2.0.1", ("10.2.0.1", "http", "testserver")),
        ("127.0.0.1", ("127.0.0.1", "http", "testserver")),
    ],
)
def test_only_the_proxies_that_are_named_are_believed(source, seen):  # T39
    assert seen_by_door(source, trusted_proxies=("10.1.0.0/16",)) == seen
