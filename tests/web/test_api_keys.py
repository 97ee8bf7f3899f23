"""Keys of machines and tokens that are called back, over HTTP (R62, T18)."""

import json
import logging
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from rota.access.api_keys import key_text
from rota.core.access import Capability
from rota.core.controls import ControlKind
from rota.core.credential import Grant
from rota.errors import ConfigurationError, StoreUnavailable
from rota.queries import AuditQuery
from tests.clocks import FakeClock
from tests.web.values import a_client, a_token, an_app, bearer

JOBS = "/api/v1/jobs"
TOKENS = "/api/v1/tokens"
READER = Grant(subject="prometheus", capabilities=(Capability.READ,))


def a_key(app, grant=READER, **options):
    return app.credentials.make_key(grant, **options)[0]


def status(client, text):
    return client.get(JOBS, headers=bearer(text)).status_code


def test_a_machine_asks_with_its_key():  # R62
    app = an_app()
    key = a_key(app)

    assert status(a_client(app), key.text) == 200


def test_a_key_that_was_made_a_moment_ago_is_believed_at_once():  # R62
    app = an_app()
    client = a_client(app)
    status(client, a_key(app).text)

    assert status(client, a_key(app).text) == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text.replace("rotakey_", "rotakey_0", 1)[:-1],
        lambda text: text + "A",
        lambda text: text + " ",
        lambda text: text.upper(),
        lambda text: text[: len("rotakey_0123456789abcdef_")],
    ],
)
def test_what_is_not_the_very_key_is_none(change):  # T13, J19
    app = an_app()
    key = a_key(app)

    assert status(a_client(app), change(key.text)) == 401


def test_a_key_is_kept_nowhere():  # R65
    app = an_app()
    key = a_key(app)

    kept = json.dumps([control.body for control in app.store.controls()] + [
        entry.detail for entry in app.store.audit(AuditQuery(limit=10))
    ])  # fmt: skip
    assert key.secret not in kept
    assert key.secret not in repr(key)


def test_a_key_ends_when_it_is_revoked():  # T18
    clock = FakeClock()
    app = an_app(clock=clock)
    client, key = a_client(app), a_key(app)
    assert status(client, key.text) == 200

    app.credentials.revoke(key.id, reason="lost")
    clock.advance(timedelta(seconds=5))

    assert status(client, key.text) == 401


def test_a_key_ends_with_its_life():
    clock = FakeClock()
    app = an_app(clock=clock)
    client, key = a_client(app), a_key(app, life=timedelta(minutes=1))
    assert status(client, key.text) == 200

    clock.advance(timedelta(minutes=1))

    assert status(client, key.text) == 401


def test_a_token_that_is_called_back_is_believed_no_longer():  # T18
    app = an_app()
    token = a_token(jti="7")
    assert status(a_client(app), token) == 200

    app.credentials.revoke("7", reason="laptop lost")

    assert status(a_client(app), token) == 401
    assert status(a_client(app), a_token(jti="8")) == 200


class AwayStore:
    """Stands for a store that cannot be reached, in front of one that can."""

    def __init__(self, store):
        self._store = store
        self.is_away = False

    def __getattr__(self, name):
        if self.is_away:
            raise StoreUnavailable("the store is away")
        return getattr(self._store, name)


def test_nobody_is_believed_while_it_cannot_be_seen_who_was_called_back():  # T18
    clock = FakeClock()
    app = an_app(clock=clock)
    away = AwayStore(app.store)
    app._keeping.opened = away
    client, token = a_client(app), app.credentials.make_key(READER)[0].text
    assert status(client, token) == 200

    away.is_away = True
    clock.advance(timedelta(seconds=3))
    # Good for a few seconds more: what is asked of the store fails by itself.
    assert client.get("/api/v1/session", headers=bearer(token)).status_code == 200
    clock.advance(timedelta(seconds=3))

    assert client.get("/api/v1/session", headers=bearer(token)).status_code == 503


def test_a_key_is_made_listed_and_ended_over_http():  # R62, T73
    app = an_app()
    client = a_client(app, a_token(jti="boss"), source="10.0.0.9")

    made = client.post(TOKENS, json={"subject": "cron", "capabilities": ["trigger"], "tenants": ["acme"]})
    [row] = client.get(TOKENS).json()["data"]
    ended = client.post(f"{TOKENS}/{made.json()['id']}/revoke", json={"reason": "over"})

    assert made.status_code == 201
    assert key_text(made.json()["token"]).id == row["id"] == ended.json()["id"]
    assert (row["subject"], row["capabilities"], row["tenants"]) == ("cron", ["trigger"], ["acme"])
    assert client.get(TOKENS).json()["data"] == []
    revoked, created = app.store.audit(AuditQuery(limit=2))
    assert (created.action, revoked.action) == ("key.create", "key.revoke")
    for entry in (created, revoked):
        assert (entry.via, entry.actor) == ("api", "ana")
        assert json.loads(entry.detail)["with"] == "boss"
        assert json.loads(entry.detail)["source"] == "10.0.0.9"


def test_a_token_is_signed_over_http_and_believed():  # R62
    app = an_app()
    client = a_client(app, a_token())

    made = client.post(TOKENS, json={"kind": "jwt", "subject": "ci", "capabilities": ["read"], "life_s": 60}).json()
    seen = client.post(f"{TOKENS}/inspect", json={"token": made["token"]}).json()

    assert status(client, made["token"]) == 200
    assert (seen["believed"], seen["kind"], seen["id"], seen["subject"]) == (True, "token", made["id"], "ci")
    assert client.post(TOKENS, json={"kind": "jwt", "subject": "ci", "life_s": 3601}).status_code == 422


def test_why_a_token_is_not_believed_is_told_to_those_who_may_know():  # J19
    client = a_client(an_app(), a_token())

    seen = client.post(f"{TOKENS}/inspect", json={"token": a_token(aud="other")}).json()

    assert seen["believed"] is False and "aud" in seen["why"]


@pytest.mark.parametrize("scope", ["read", "read trigger manage"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", TOKENS), ("POST", TOKENS), ("POST", f"{TOKENS}/7/revoke"), ("POST", f"{TOKENS}/inspect")],
)
def test_only_those_who_may_do_everything_deal_with_tokens(scope, method, path, caplog):  # R62, T15
    body = {TOKENS: {"subject": "x"}, f"{TOKENS}/7/revoke": {"reason": "x"}, f"{TOKENS}/inspect": {"token": "x"}}
    caplog.set_level(logging.WARNING)

    answer = a_client(an_app(), a_token(scope=scope)).request(method, path, json=body[path])

    assert answer.status_code == 403
    assert "refused" in caplog.text and "ana" in caplog.text
    assert a_client(an_app(), a_token(tenants=["acme"])).request(method, path, json=body[path]).status_code in (
        403,
        404,
    )


@pytest.mark.parametrize(
    ("grant", "match"),
    [
        (Grant(subject="", capabilities=(Capability.READ,)), "for somebody"),
        (Grant(subject="a\nb", capabilities=(Capability.READ,)), "for somebody"),
        (Grant(subject="a", capabilities=()), "for something"),
        (Grant(subject="a", capabilities=(Capability.READ,), tenants=()), "jobs and tenants"),
        (Grant(subject="a", capabilities=(Capability.READ,), jobs=()), "jobs and tenants"),
    ],
)
def test_a_key_for_nobody_or_nothing_is_not_made(grant, match):  # R64
    with pytest.raises(ConfigurationError, match=match):
        an_app().credentials.make_key(grant)


def test_revocations_that_have_no_use_any_more_are_forgotten():  # R72
    clock = FakeClock()
    app = an_app(clock=clock)
    app.credentials.revoke("7", reason="lost")

    clock.advance(timedelta(hours=2))
    app.credentials.revoke("8", reason="lost")

    assert [control.name for control in app.store.controls(ControlKind.REVOCATION)] == ["8"]


def test_the_log_never_has_a_token(caplog):  # T14, R65
    caplog.set_level(logging.DEBUG)
    app = an_app()
    client, token, key = a_client(app), a_token(), a_key(app)
    client.get(JOBS, headers=bearer(token))
    client.get(JOBS, headers=bearer(token[:-3]))
    client.get(JOBS, headers=bearer(key.text + "x"))
    client.post(f"{TOKENS}/inspect", json={"token": token}, headers=bearer(token))

    for secret in (token, key.secret, token[:-3]):
        assert secret not in caplog.text


def test_ten_thousand_tokens_take_no_memory_and_no_store():  # J14
    app = an_app()
    client: TestClient = a_client(app)
    status(client, a_token())
    away = AwayStore(app.store)
    app._keeping.opened = away
    away.is_away = True

    forged = a_token(secret="another-secret-of-more-than-thirty-two-bytes")
    asked = {status(client, f"{forged[:-4]}{n:04}") for n in range(200)} | {status(client, "x" * 2_000_000)}

    # Refused before anything is looked up: with the store away it would be 503.
    assert asked == {401}
