"""Endpoints of the application around the door, for whom the door believes (R62)."""

from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from starlette.testclient import TestClient

from rota.web import Capability, Principal, believed_by
from tests.web.values import a_token, an_app, bearer


@pytest.fixture
def client():
    door = an_app().asgi_app()
    outer = FastAPI()

    @outer.get("/hello")
    def hello(who: Annotated[Principal, Depends(believed_by(door, Capability.READ))]) -> str:
        return who.subject

    return TestClient(outer)


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        (None, 401),
        ({"exp": 1}, 401),
        ({"scope": "trigger"}, 403),
        ({"scope": "read"}, 200),
        ({"scope": "admin"}, 200),
    ],
)
def test_an_endpoint_is_for_whom_the_door_believes_and_lets_read(client, claims, status):  # R62
    # Signed here: a token that is made while tests are collected has run out when this one's turn comes.
    headers = {} if claims is None else bearer(a_token(**claims))

    answer = client.get("/hello", headers=headers)

    assert answer.status_code == status
    assert (answer.json() == "ana") is (status == 200)
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)


def test_what_is_no_token_is_not_believed(client):  # R62
    answer = client.get("/hello", headers=bearer("x"))

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
