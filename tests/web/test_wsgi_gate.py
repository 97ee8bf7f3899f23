"""The gate in an application of WSGI: whom it sees, and below which prefix."""

import io

import pytest

from rota.settings.values import Mode
from rota.web import User
from tests.web.values import a_token, an_app, some_settings


def asked(door, path="/api/v1/jobs", **environ):
    """Return the status that a WSGI application answers with."""
    return answered(door, path, **environ)[0]


def answered(door, path, **environ):
    """Return status and body."""
    said = []
    given = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "", "HTTP_HOST": "localhost",
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http", "wsgi.errors": io.StringIO(),
    }  # fmt: skip
    body = list(door(given | environ, lambda status, _headers, _error=None: said.append(int(status[:3]))))
    return said[0], body


@pytest.mark.parametrize("prefix", ["", "/ops"])
def test_the_gate_is_the_same_there(prefix):  # T10, T11
    door, token = an_app().wsgi_app(), f"Bearer {a_token()}"

    assert asked(door, SCRIPT_NAME=prefix, HTTP_AUTHORIZATION=token) == 200
    assert asked(door, SCRIPT_NAME=prefix) == 401
    assert asked(door, "/healthz", SCRIPT_NAME=prefix) == 200
    assert asked(door, "/ops/healthz", SCRIPT_NAME=prefix) == 401


@pytest.mark.parametrize(
    ("path", "environ"),
    [
        ("/api/v1/jobs/\xff", {}),
        ("/api/v1/jobs/nothing", {"SCRIPT_NAME": "/\xff"}),
        ("/api/v1/jobs/nothing", {"QUERY_STRING": "\xe9=\xff"}),
    ],
)
def test_what_is_no_text_is_answered_and_not_raised(path, environ):  # R64
    door = an_app().wsgi_app()

    assert asked(door, path, **environ) == 401
    assert asked(door, path, HTTP_AUTHORIZATION=f"Bearer {a_token()}", **environ) in (404, 422)


def test_a_head_has_no_body_there_too():
    door = an_app().wsgi_app()

    assert b"".join(answered(door, "/healthz")[1]) == b'{"status":"ok"}'
    assert b"".join(answered(door, "/healthz", REQUEST_METHOD="HEAD")[1]) == b""


@pytest.mark.parametrize("port", [{}, {"REMOTE_PORT": "50000"}])
def test_another_machine_is_seen_there_too(port):  # T9
    door = an_app(some_settings(mode=Mode.DEVELOPMENT, auth={"disable": "true"})).wsgi_app()

    assert asked(door, **port) == 200
    assert asked(door, REMOTE_ADDR="10.0.0.7", **port) == 403
    assert asked(door, HTTP_X_FORWARDED_FOR="127.0.0.1", **port) == 403


def test_the_application_there_says_who_asks():  # R62
    def resolve_user(request):
        return User(name="ana", tenants=None) if request.scope["wsgi_environ"].get("REMOTE_USER") == "ana" else None

    door = an_app().wsgi_app(resolve_user=resolve_user)

    assert asked(door, REMOTE_USER="ana") == 200
    assert asked(door) == 401
