"""What goes from a request into the runs that it enqueues, and onto `g` there."""

import pytest
from flask import g, request, session

from rota import JobContext, testing
from rota.errors import ConfigurationError, NoJobContext


@pytest.fixture
def shop(agency):
    """An agency that carries who asks, from a session, `g` and the request."""
    shop = agency("acme", "globex")

    @shop.app.before_request
    def who():
        shop.jobs.enter_tenant("acme")
        session["user"] = 7
        g.agency_id = 12

    shop.jobs.carried("user_id")(lambda: session.get("user"))
    shop.jobs.carried("agency_id", on_g=True)(lambda: g.get("agency_id"))
    shop.jobs.carried("locale")(lambda: request.args.get("locale"))
    with testing.capture(shop.jobs):
        yield shop


def test_a_request_says_who_asks_for_what(shop):  # R37
    shop.app.add_url_rule("/", view_func=lambda: JobContext.from_request().serialize()["context"])

    answers = [shop.app.test_client().get(path).json for path in ("/?locale=fr", "/")]

    assert answers == [
        {"tenant": "acme", "user_id": "7", "attributes": {"agency_id": 12, "locale": "fr"}},
        {"tenant": "acme", "user_id": "7", "attributes": {"agency_id": 12}},
    ]


def test_a_run_has_the_context_of_its_request_and_the_next_one_nothing_of_it(agency):  # R37, R21
    shop = agency("acme")
    shop.jobs.carried("agency_id", on_g=True)(lambda: 12)
    seen = []

    @shop.jobs.job()
    def look() -> None:
        seen.append((g.get("agency_id"), JobContext.current().attributes if g.get("agency_id") else None, list(g)))
        g.left_behind = True

    shop.app.add_url_rule("/", view_func=lambda: look.enqueue().id)
    with testing.capture(shop.jobs) as jobs:
        shop.app.test_client().get("/")
        look.enqueue()
        jobs.drain()

    assert seen == [(12, {"agency_id": 12}, ["agency_id"]), (None, None, [])]


def test_outside_of_a_request_there_is_none(shop):  # R37
    with shop.app.app_context(), pytest.raises(NoJobContext, match="no web request here"):
        JobContext.from_request()


@pytest.mark.parametrize(
    ("name", "why"), [("user_id", "carried already"), ("api_token", "looks like a secret"), ("agency id", "a name")]
)
def test_a_name_that_cannot_be_carried_is_refused(shop, name, why):
    with pytest.raises(ConfigurationError, match=why):
        shop.jobs.carried(name)(lambda: None)
