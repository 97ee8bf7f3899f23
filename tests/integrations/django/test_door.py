"""Rota's HTTP API under a project's own addresses, by WSGI and by ASGI."""

import asyncio

import pytest
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.test import AsyncClient, Client, override_settings

from rota import testing
from rota.integrations.django import door, project, rota
from rota.web import Role
from rota.web import User as Operator
from tests.integrations.django import settings
from tests.web.values import a_token, bearer, some_settings

OURS = "/ops/jobs"
STRICT = [
    *settings.MIDDLEWARE[:1],
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    *settings.MIDDLEWARE[1:],
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
]


PAGE = {"Sec-Fetch-Site": "same-origin"}
JSON = {"data": {}, "content_type": "application/json"}
START = f"{OURS}/scheduler/run/hourly"


def user_of(request):
    """The function of a project: who is logged in there."""
    if not request.user.is_authenticated:
        return None
    return Operator(name=request.user.username, role=Role.OPERATOR, tenants=None)


@pytest.fixture(autouse=True)
def mounted():
    """The addresses, and a door that is made anew."""
    with override_settings(ROOT_URLCONF="tests.integrations.django.door_urls"):
        yield
    door.door.cache_clear()
    door._wsgi_door.cache_clear()


@pytest.fixture
def ours():
    """A project whose users operate Rota, and whose middlewares are strict."""
    said = {**settings.ROTA, "resolve_user": "tests.integrations.django.test_door:user_of"}
    with override_settings(ROTA=said, MIDDLEWARE=STRICT), testing.capture(rota) as jobs:
        yield jobs


@pytest.fixture
def ana():
    user = User.objects.create(username="ana")
    yield user
    user.delete()


class OverAsgi:
    """Asks as the client of Django's for coroutines does, from without."""

    def __init__(self):
        self._client = AsyncClient(enforce_csrf_checks=True)

    def force_login(self, user):
        asyncio.run(self._client.aforce_login(user))

    def get(self, path, **more):
        return asyncio.run(self._read(self._client.get(path, **more)))

    def post(self, path, **more):
        return asyncio.run(self._read(self._client.post(path, **more)))

    @staticmethod
    async def _read(asked):
        answer = await asked
        if answer.streaming:
            answer.pieces = [piece async for piece in answer.streaming_content]
        return answer


@pytest.fixture(params=[lambda: Client(enforce_csrf_checks=True), OverAsgi], ids=["wsgi", "asgi"])
def browser(request):
    return request.param()


def test_a_user_of_the_project_lists_and_starts_runs(ours, ana, browser):
    browser.force_login(ana)

    started = browser.post(START, headers=PAGE, **JSON)
    listed = browser.get(f"{OURS}/api/v1/runs?job=hourly")

    assert started.status_code == 202
    assert [run["state"] for run in listed.json()["data"]] == ["queued"]
    assert browser.get(started.headers["Location"]).status_code == 200


def test_nobody_passes_but_to_what_is_open(ours, browser):  # R62
    assert browser.get(f"{OURS}/api/v1/runs").status_code == 401
    assert browser.get(f"{OURS}/healthz").json() == {"status": "ok"}
    assert browser.get(f"{OURS}/nothing/here").status_code == 401


def test_what_changes_something_comes_from_a_page_of_ours(ours, ana, browser):
    browser.force_login(ana)
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}

    refused = browser.post(START, headers=elsewhere, **JSON)

    assert refused.status_code == 403
    assert ours.drain() == []


def test_tokens_do_where_no_function_is_named(monkeypatch, browser):
    monkeypatch.setattr(project.rota, "settings", some_settings())

    signed_in = browser.post(f"{OURS}/api/v1/session", headers=bearer(a_token()), **JSON)

    assert signed_in.status_code in (200, 201)
    assert any(cookie["httponly"] for cookie in signed_in.cookies.values())
    assert browser.get(f"{OURS}/api/v1/jobs", headers=bearer(a_token())).status_code == 200


def test_a_log_is_sent_as_it_comes(ours, ana):
    browser = OverAsgi()
    browser.force_login(ana)
    browser.post(START, headers=PAGE, **JSON)
    run = ours.drain()[0].id

    answer = browser.get(f"{OURS}/api/v1/runs/{run}/log/stream", headers={"Accept": "text/event-stream"})

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert b"event: end" in b"".join(answer.pieces)


def test_addresses_where_nobody_could_be_told_from_nobody_are_told_by_a_check():
    with override_settings(ROTA=settings.ROTA):
        found = {message.id: str(message.msg) for message in run_checks()}

    assert "auth" in found["rota.E013"]
