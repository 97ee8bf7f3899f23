"""Every address that changes something, by the list of them: how big its body may be, and that a browser has to prove
itself (T35, T58)."""

import re

import pytest

from rota.web.gate import SIGN_IN
from rota.web.policy import POLICY
from tests.web.values import a_client, a_token, an_app, some_settings

UNSAFE = [one.split(" ") for one in POLICY if not one.startswith("GET ")]
MOST = 2_000


@pytest.fixture(scope="module")
def app():
    return an_app(some_settings(web={"most_body": MOST}))


def address(path: str) -> str:
    return re.sub(r"\{\w+\}", "x", path)


@pytest.mark.parametrize(("method", "path"), UNSAFE, ids=[" ".join(one) for one in UNSAFE])
def test_a_body_that_is_too_big_gets_nowhere(method, path, app):  # T58
    answer = a_client(app, a_token()).request(method, address(path), content=b'{"a":"%s"}' % (b"x" * MOST))

    assert (answer.status_code, answer.json()["code"]) == (413, "too_big")


@pytest.mark.parametrize(("method", "path"), UNSAFE, ids=[" ".join(one) for one in UNSAFE])
def test_a_cookie_alone_changes_nothing(method, path, app):  # T35
    browser = a_client(app)
    browser.post(SIGN_IN, headers={"Authorization": f"Bearer {a_token()}"})
    assert browser.get(SIGN_IN).json()["csrf"]

    # It is of this site, by its word, and has not what only a page of this site can read.
    answer = browser.request(method, address(path), headers={"Sec-Fetch-Site": "same-origin"})

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
