"""`/healthz`, `/readyz`, `/metrics`: what strangers may know, and what not (R52, R53)."""

import logging

import pytest

from rota.clock import SystemClock
from rota.errors import StoreUnavailable
from rota.settings.values import Mode
from rota.web.serving import Reminder
from tests.web.values import a_client, a_token, an_app, some_settings


class Away:
    """A store that cannot be reached, with a password in what its driver says."""

    def __getattr__(self, name):
        raise StoreUnavailable("postgresql://ops:hunter2@db1.internal/rota does not answer")


def test_it_lives_whatever_the_store_does():
    app = an_app()
    app._keeping.opened = Away()

    assert a_client(app).get("/healthz").json() == {"status": "ok"}
    assert a_client(app).head("/healthz").status_code == 200


def test_it_is_ready_while_its_store_answers():
    assert a_client(an_app()).get("/readyz").json() == {"status": "ready"}


def test_why_it_is_not_ready_is_told_to_those_who_may_read():  # R65
    app = an_app()
    a_client(app).get("/readyz")
    app._keeping.opened = Away()
    stranger = a_client(app).get("/readyz")

    assert stranger.status_code == 503 and stranger.json() == {"status": "not ready"}
    assert stranger.headers["retry-after"]
    # A token cannot be seen to be good without the store: nobody is told more than strangers are.
    known = a_client(app, a_token()).get("/readyz")
    assert known.json() == {"status": "not ready"}


def test_strangers_do_not_make_it_ask_the_store_again_and_again():
    app = an_app()
    client = a_client(app)
    asked = []
    store = app.store
    real = store.control
    store.control = lambda *args: asked.append(args) or real(*args)

    for _ in range(50):
        client.get("/readyz")

    assert len(asked) <= 2


@pytest.mark.parametrize("claims", [{"scope": "trigger"}, {"tenants": ["acme"]}, {"jobs": ["greet"]}])
def test_metrics_are_for_those_who_see_everything(claims):  # T25
    assert a_client(an_app()).get("/metrics").status_code == 401
    assert a_client(an_app(), a_token(**claims)).get("/metrics").status_code == 403


def test_metrics_come_as_they_are_asked_for():  # R53
    client = a_client(an_app(), a_token(scope="read"))

    plain, openly = client.get("/metrics"), client.get("/metrics", headers={"Accept": "application/openmetrics-text"})

    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert openly.headers["content-type"].startswith("application/openmetrics-text")
    assert "rota_auth_disabled 0\n" in plain.text and openly.text.rstrip().endswith("# EOF")


def test_that_authentication_is_off_is_said_everywhere(caplog):  # T9
    app = an_app(some_settings(mode=Mode.DEVELOPMENT, auth={"disable": "true"}))
    client = a_client(app, source="127.0.0.1", base="http://localhost")
    caplog.set_level(logging.WARNING)

    assert client.get("/healthz").json() == {"status": "ok", "auth": "off"}
    assert "rota_auth_disabled 1\n" in client.get("/metrics").text
    assert Reminder().tick(SystemClock().now()).total_seconds() == 60
    assert "authentication is off" in caplog.text
