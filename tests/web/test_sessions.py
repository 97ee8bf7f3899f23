"""Browsers that sign in: cookies, pages of others, ends (T35, T38)."""

import json
from datetime import timedelta

import pytest

from rota.core.access import Capability
from rota.core.controls import ControlKind
from rota.core.credential import Grant
from rota.queries import AuditQuery
from tests.clocks import FakeClock
from tests.web.values import a_client, a_token, an_app, bearer, some_settings

SESSION = "/api/v1/session"
JOBS = "/api/v1/jobs"
TOKENS = "/api/v1/tokens"
ADMIN = Grant(subject="ana", capabilities=(Capability.ADMIN,))
OURS = {"Sec-Fetch-Site": "same-origin"}


class Browser:
    """A browser: keeps its cookie, and knows what a page of ours would send."""

    def __init__(self, app, *, base="https://testserver"):
        self.app = app
        self.client = a_client(app, base=base)
        self.answer = None
        self.csrf = ""

    def sign_in(self, token=None):
        self.answer = self.client.post(SESSION, headers=bearer(token or self.app.credentials.make_key(ADMIN)[0].text))
        self.csrf = self.answer.json().get("csrf", "")
        return self

    def get(self, path=JOBS):
        return self.client.get(path).status_code

    def change(self, **headers):
        """Change something, and return how that was answered."""
        told = OURS | {"X-Rota-CSRF": self.csrf} | headers
        told = {name: value for name, value in told.items() if value is not None}
        return self.client.post(TOKENS, json={"subject": "x"}, headers=told).status_code


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def app(clock):
    made = an_app(clock=clock)
    assert made.store  # opened: the clock goes by it from now on
    return made


def test_a_browser_goes_on_with_a_cookie_after_it_showed_a_token(app):  # T38
    browser = Browser(app)
    assert browser.get() == 401

    browser.sign_in()

    assert (browser.get(), browser.change()) == (200, 201)
    assert browser.client.get(SESSION).json()["subject"] == "ana"


@pytest.mark.parametrize("kind", ["key", "token"])
def test_nobody_signs_in_any_more_with_what_was_called_back_a_moment_ago(app, clock, kind):  # T18, T38
    now = int(clock.now().timestamp())
    key, _ = app.credentials.make_key(ADMIN)
    token, token_id = (key.text, key.id) if kind == "key" else (a_token(jti="7", iat=now, exp=now + 600), "7")
    browser = Browser(app)
    assert browser.client.get(JOBS, headers=bearer(token)).status_code == 200

    # What is believed is known as of then, for some seconds.
    app.credentials.revoke(token_id, reason="leaked")
    browser.sign_in(token)

    assert browser.answer.status_code == 401
    assert app.credentials.sessions() == {}
    clock.tick(timedelta(hours=2))
    assert browser.get() == 401


@pytest.mark.parametrize(("base", "is_secure"), [("https://testserver", True), ("http://testserver", False)])
def test_the_cookie_is_for_us_alone(app, base, is_secure):  # T38
    cookie = Browser(app, base=base).sign_in().answer.headers["set-cookie"]

    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie and "Max-Age=43200" in cookie
    assert ("Secure" in cookie) == is_secure


def test_neither_cookie_nor_token_is_in_the_store(app):  # T38, R65
    browser = Browser(app).sign_in()
    cookie = browser.client.cookies["rota_session"]

    kept = json.dumps([one.name + one.body for one in app.store.controls()])
    assert cookie not in kept and browser.csrf not in kept


@pytest.mark.parametrize(
    "sent",
    [
        {"X-Rota-CSRF": None},
        {"X-Rota-CSRF": ""},
        {"X-Rota-CSRF": "0" * 64},
        {"X-Rota-CSRF": "ä".encode("latin-1")},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": None},
        {"Sec-Fetch-Site": None, "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": None, "Origin": "http://testserver"},
        {"Sec-Fetch-Site": None, "Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://testserver"},
    ],
)
def test_a_page_of_others_changes_nothing(app, sent):  # T35
    browser = Browser(app).sign_in()

    assert browser.change(**sent) == 403
    assert [row for row in app.credentials.keys().values() if row.grant.subject == "x"] == []


def test_an_old_browser_says_its_origin(app):  # T35
    assert Browser(app).sign_in().change(**{"Sec-Fetch-Site": None, "Origin": "https://testserver"}) == 201


def test_the_proof_of_one_session_is_none_for_another(app):  # T35
    first, second = Browser(app).sign_in(), Browser(app).sign_in()

    assert second.change(**{"X-Rota-CSRF": first.csrf}) == 403


def test_whoever_sends_a_token_is_asked_for_no_proof_and_his_cookie_counts_for_nothing(app):  # T35
    browser = Browser(app).sign_in()
    weak = app.credentials.make_key(Grant(subject="weak", capabilities=(Capability.READ,)))[0].text

    assert browser.client.get(SESSION, headers=bearer(weak)).json()["subject"] == "weak"
    assert browser.client.post(TOKENS, json={"subject": "x"}, headers=bearer(weak)).status_code == 403
    assert browser.client.get(JOBS, headers=bearer("nonsense")).status_code == 401


def test_it_ends_when_nobody_asks(app, clock):  # T38
    browser = Browser(app).sign_in()

    for _ in range(3):
        clock.advance(timedelta(minutes=45))
        assert browser.get() == 200
    clock.advance(timedelta(hours=1))

    assert browser.get() == 401


def test_it_ends_at_last(app, clock):  # T38
    browser = Browser(app).sign_in()

    for _ in range(23):
        clock.advance(timedelta(minutes=30))
        assert browser.get() == 200
    clock.advance(timedelta(minutes=30))

    assert browser.get() == 401


def test_it_ends_with_the_key_that_it_began_with(app, clock):  # T38
    text, _ = app.credentials.make_key(ADMIN, life=timedelta(minutes=5))
    browser = Browser(app).sign_in(text.text)
    other = Browser(app).sign_in()

    app.credentials.revoke(text.id, reason="lost")

    assert browser.get() == 401
    assert other.get() == 200
    short = Browser(app).sign_in(app.credentials.make_key(ADMIN, life=timedelta(minutes=5))[0].text)
    clock.advance(timedelta(minutes=5))
    assert (short.get(), other.get()) == (401, 200)


def test_signing_out_ends_it_everywhere(app):  # T38
    browser = Browser(app).sign_in()
    cookie = browser.client.cookies["rota_session"]

    assert browser.client.delete(SESSION, headers=OURS).status_code == 403
    ended = browser.client.delete(SESSION, headers=OURS | {"X-Rota-CSRF": browser.csrf})

    assert ended.status_code == 204 and "Max-Age=0" in ended.headers["set-cookie"]
    assert a_client(app).get(JOBS, headers={"Cookie": f"rota_session={cookie}"}).status_code == 401
    actions = [entry.action for entry in app.store.audit(AuditQuery(limit=10))]
    assert actions[:2] == ["session.end", "session.begin"]


def test_signing_in_again_is_under_another_name(app):  # T38
    browser = Browser(app).sign_in()
    before = browser.client.cookies["rota_session"]

    browser.sign_in()

    assert browser.client.cookies["rota_session"] != before
    assert a_client(app).get(JOBS, headers={"Cookie": f"rota_session={before}"}).status_code == 401


@pytest.mark.parametrize(
    "told", ["rota_session={}; rota_session=x", "rota_session=x; rota_session={}", "x_rota_session={}"]
)
def test_a_cookie_that_somebody_slipped_in_is_none(app, told):  # T38
    cookie = Browser(app).sign_in().client.cookies["rota_session"]

    assert a_client(app).get(JOBS, headers={"Cookie": told.format(cookie)}).status_code == 401


def test_nobody_signs_in_with_a_cookie_or_with_nothing(app):  # T38
    browser = Browser(app).sign_in()

    assert browser.client.post(SESSION, headers=OURS | {"X-Rota-CSRF": browser.csrf}).status_code == 401
    assert a_client(app).post(SESSION, json={"token": a_token()}).status_code == 401


def test_cookies_count_for_nothing_where_nobody_signs_in():  # T38
    app = an_app(some_settings(auth={"sessions": False}))
    token = a_token()

    assert a_client(app, token).post(SESSION).status_code == 409
    assert a_client(app, token).get(SESSION).json()["csrf"] is None


def test_what_is_over_is_forgotten(app, clock):  # R72
    Browser(app).sign_in()
    clock.advance(timedelta(hours=2))

    Browser(app).sign_in()

    assert len(app.store.controls(ControlKind.SESSION)) == 1
