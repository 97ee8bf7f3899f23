"""The HTTP door under a prefix of a Flask application."""

import pytest
from flask import session

from rota.errors import ConfigurationError
from rota.integrations.flask import FlaskRota
from rota.web import Role, User
from tests.integrations.flask.test_extension import an_application


@pytest.fixture
def browser():
    """A visitor of a shop whose door is for whoever is signed in there."""
    app = an_application(SECRET_KEY="of a test", ROTA_STORE="memory://")
    rota = FlaskRota(app)
    rota.job(name="greet")(lambda: None)
    app.add_url_rule("/", view_func=lambda: session.setdefault("user", "ana"))

    def user():
        return User(name=session["user"], role=Role.VIEWER, tenants=None) if "user" in session else None

    rota.mount("/ops/rota", user=user)
    yield app.test_client()
    rota.close()


def test_who_is_signed_in_there_passes_and_nobody_else(browser):  # R62
    assert browser.get("/ops/rota/api/v1/jobs").status_code == 401
    assert browser.get("/").text == "ana"

    answer = browser.get("/ops/rota/api/v1/jobs")

    assert [job["name"] for job in answer.json["data"]] == ["greet"]
    assert browser.post("/ops/rota/scheduler/run/greet", json={}).status_code == 403
    assert browser.get("/ops/rota/healthz").status_code == 200


@pytest.mark.parametrize("prefix", ["rota", "/rota/", "/"])
def test_what_is_no_prefix_is_refused(prefix):
    with pytest.raises(ConfigurationError, match="begins with /"):
        FlaskRota(an_application()).mount(prefix)


def test_a_door_without_a_key_is_made_only_when_it_is_asked():
    app = an_application(ROTA_STORE="memory://")
    FlaskRota(app).mount("/rota")

    with pytest.raises(ConfigurationError, match="no key"):
        app.test_client().get("/rota/healthz")
