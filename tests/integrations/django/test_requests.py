"""Who asked: from a request of Django's into the job (R37)."""

import asyncio

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import AsyncRequestFactory, Client, RequestFactory

from rota import JobContext, job_context, testing
from rota.errors import ConfigurationError, NoJobContext
from rota.integrations.django import requests, rota
from rota.integrations.django.configuration import Configuration
from rota.integrations.django.project import made
from rota.integrations.django.requests import RequestMiddleware, context_of


@pytest.fixture
def jobs():
    with testing.capture(rota) as jobs:
        yield jobs


@pytest.fixture
def ana():
    user = User.objects.create(username="ana")
    yield user
    user.delete()


def test_a_job_knows_who_asked_in_which_request(jobs, ana):
    browser = Client(headers={"X-Agency": "north"})
    browser.force_login(ana)

    browser.get("/who/")
    [run] = jobs.drain()

    assert run.result == f'"{ana.pk} of north"'


def test_a_guest_has_no_user(jobs):
    Client(headers={"X-Agency": "north"}).get("/who/")
    [run] = jobs.drain()

    assert run.result == '"None of north"'


def test_outside_of_a_request_there_is_none(jobs):
    Client().get("/who/")

    with pytest.raises(NoJobContext, match="no web request here"):
        JobContext.from_request()


def test_who_has_not_named_the_middleware_is_told_of_it(monkeypatch):
    monkeypatch.setattr(job_context, "_sources", [])
    monkeypatch.setattr(requests, "_make", context_of)
    made(Configuration(settings=rota.settings))

    with pytest.raises(NoJobContext, match="RequestMiddleware does in Django"):
        JobContext.from_request()


def test_requests_that_are_answered_by_coroutines_do_not_meet():
    async def answer(request):
        await asyncio.sleep(0)
        return HttpResponse(JobContext.from_request().attributes["agency"])

    async def answers():
        middleware = RequestMiddleware(answer)
        requests = [AsyncRequestFactory().get("/", headers={"X-Agency": name}) for name in ("north", "south")]
        return [response.content for response in await asyncio.gather(*map(middleware, requests))]

    assert asyncio.run(answers()) == [b"north", b"south"]


def test_the_tenant_that_django_tenants_found_goes_along():
    class North:
        schema_name = "north"

    request = RequestFactory().get("/")
    request.tenant = North()

    assert context_of(request) == JobContext(tenant="north")


def test_a_request_that_says_what_nobody_registered_is_refused(jobs, monkeypatch):
    monkeypatch.setattr(
        "tests.integrations.django.agency.requests.context_of_agency",
        lambda request: JobContext(attributes={"region": "north"}),
    )

    with pytest.raises(ConfigurationError, match="has the attributes region, which nobody registered"):
        Client().get("/who/")


def test_a_function_that_makes_no_context_is_named(jobs, monkeypatch):
    monkeypatch.setattr("tests.integrations.django.agency.requests.context_of_agency", lambda request: "north")

    with pytest.raises(ConfigurationError, match="returned str, and no JobContext"):
        Client().get("/who/")
