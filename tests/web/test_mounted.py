"""The door under a prefix of another application: FastAPI, Flask, Django, as each of them does it."""

import django
import pytest
from a2wsgi import WSGIMiddleware
from django.conf import settings as django_settings
from django.core.wsgi import get_wsgi_application
from django.test.utils import override_settings
from fastapi import FastAPI
from flask import Flask
from starlette.testclient import TestClient
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from rota.operations.addresses import ADDRESSES
from rota.operations.table import OPERATIONS
from tests.web.values import a_token, an_app, bearer

PREFIX = "/ops/jobs"
OURS = {"ROOT_URLCONF": "tests.web.mounted_urls", "ALLOWED_HOSTS": ["testserver"], "MIDDLEWARE": []}


def in_fastapi(app):
    outer = FastAPI()
    outer.get("/hello")(lambda: {"said": "hello"})
    outer.mount(PREFIX, app.asgi_app())
    return outer


def in_flask(app):
    outer = Flask("shop")
    outer.get("/hello")(lambda: {"said": "hello"})
    outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {PREFIX: app.wsgi_app()})  # type: ignore[method-assign]
    return WSGIMiddleware(outer)


def in_django(app):
    return WSGIMiddleware(DispatcherMiddleware(get_wsgi_application(), {PREFIX: app.wsgi_app()}))


@pytest.fixture(params=[in_fastapi, in_flask, in_django], ids=lambda mounted: mounted.__name__)
def mounted(request):
    # There is one set of settings in a process; where tests of the integration have theirs, ours are laid over them.
    if not django_settings.configured:
        django_settings.configure()
        django.setup()
    app = an_app()
    app.jobs["greet"].enqueue("ana")
    with override_settings(**OURS), TestClient(request.param(app), raise_server_exceptions=False) as client:
        yield client


def test_the_application_around_answers_as_before(mounted):
    assert mounted.get("/hello").json() == {"said": "hello"}


def test_nobody_passes_without_a_token(mounted):  # R62
    assert mounted.get(f"{PREFIX}/api/v1/runs").status_code == 401


def test_a_run_is_listed_and_one_is_started(mounted):
    mounted.headers.update(bearer(a_token()))

    listed = mounted.get(f"{PREFIX}/api/v1/runs?job=greet")
    started = mounted.post(f"{PREFIX}/scheduler/run/greet", json={"kwargs": {"name": "bob"}})

    assert [run["state"] for run in listed.json()["data"]] == ["queued"]
    assert started.status_code == 202
    assert started.headers["location"].startswith(f"{PREFIX}/api/v1/")
    assert mounted.get(started.headers["location"]).status_code == 200


def test_the_document_and_its_page_know_the_prefix(mounted):
    mounted.headers.update(bearer(a_token()))

    document = mounted.get(f"{PREFIX}/api/openapi.json").json()

    assert document["servers"] == [{"url": PREFIX}]
    named = {one["operationId"] for path in document["paths"].values() for one in path.values()}
    assert len(named) == len(OPERATIONS) + len(ADDRESSES)
    assert mounted.get(f"{PREFIX}/api/docs/swagger-ui.css").status_code == 200


def test_a_name_in_the_path_of_the_application_is_no_word_of_a_question():
    outer = FastAPI()
    outer.mount("/{tenant}/jobs", an_app().asgi_app())
    client = TestClient(outer, headers=bearer(a_token()))

    assert client.get("/acme/jobs/api/v1/jobs").status_code == 200
    assert client.get("/acme/jobs/api/v1/jobs/greet").json()["row"]["name"] == "greet"
    started = client.post("/acme/jobs/scheduler/run/greet", json={"kwargs": {"name": "bob"}})
    assert started.headers["location"].startswith("/acme/jobs/api/v1/rounds/")


def test_health_is_open_under_the_prefix_alone(mounted):  # T10
    assert mounted.get(f"{PREFIX}/healthz").status_code == 200
    assert mounted.get("/healthz").status_code == 404
    assert mounted.get(f"{PREFIX}{PREFIX}/healthz").status_code in (401, 404)
