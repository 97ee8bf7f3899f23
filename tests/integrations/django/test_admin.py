"""Schedules in the admin: what each permission shows and allows."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from rota import State, testing
from rota.core.model import ScheduleState
from rota.errors import StoreUnavailable
from rota.integrations.django import rota
from rota.queries import RunQuery

LIST = "/admin/rota/schedule/"


@pytest.fixture
def jobs():
    with testing.capture(rota) as jobs:
        rota.schedules.sync()
        yield jobs


@pytest.fixture
def browser(jobs):
    """A browser for each set of permissions."""

    def made(*permissions):
        user = User.objects.create(username="ana", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=[f"{one}_schedule" for one in permissions]))
        client = Client()
        client.force_login(user)
        return client

    yield made
    User.objects.all().delete()


def test_who_may_view_sees_schedules_and_no_buttons(browser):
    page = browser("view").get(LIST).content.decode()

    assert "daily at 04:00 UTC" in page and "latest" in page
    assert "Run now" not in page and "Pause" not in page


def test_enter_in_the_reason_of_a_pause_pauses_and_runs_nothing(browser):
    page = browser("view", "run", "change").get(LIST).content.decode()

    # It presses the first button of its form.
    forms = [form for form in page.split("<form")[1:] if 'name="reason"' in form.partition("</form>")[0]]
    assert forms and all(form.partition('name="action" value="')[2].startswith('pause"') for form in forms)


@pytest.mark.parametrize("path", [LIST, f"{LIST}hourly"])
def test_a_store_that_is_away_is_told_on_the_page(browser, monkeypatch, path):
    def away(*_, **__):
        raise StoreUnavailable("the server is away")

    client = browser("view")
    for verb in ("sync", "get"):
        monkeypatch.setattr(rota.schedules, verb, away)

    page = client.get(path, follow=True).content.decode()
    assert "The server is away" in page and "No job has a schedule" not in page


def test_who_may_not_view_sees_nothing(browser):
    assert browser().get(LIST).status_code == 403


def test_one_is_run_now_and_is_in_its_history(browser, jobs):  # R12
    client = browser("view", "run")
    assert "Run now" in client.get(LIST).content.decode()

    answer = client.post(f"{LIST}do/hourly", {"action": "run"}, follow=True)
    jobs.drain()

    assert "Started hourly" in answer.content.decode()
    assert [run.state for run in rota.store.runs(RunQuery(jobs=("hourly",)))] == [State.SUCCEEDED]
    history = client.get(f"{LIST}hourly").content.decode()
    assert "manual, admin:ana" in history and "1 succeeded" in history


def test_one_is_paused_with_a_reason_and_resumed(browser):  # R12
    client = browser("view", "change")

    page = client.post(f"{LIST}do/hourly", {"action": "pause", "reason": "<b>moving</b>"}, follow=True)
    assert rota.schedules.get("hourly").state is ScheduleState.PAUSED
    assert "paused: &lt;b&gt;moving&lt;/b&gt;" in page.content.decode()

    client.post(f"{LIST}do/hourly", {"action": "resume"})
    assert rota.schedules.get("hourly").state is ScheduleState.ACTIVE


@pytest.mark.parametrize(
    ("permissions", "action"),
    [(("view",), "run"), (("view", "run"), "pause"), (("view", "change"), "run"), (("view", "change"), "drop")],
)
def test_without_its_permission_nothing_is_done(browser, permissions, action):
    answer = browser(*permissions).post(f"{LIST}do/hourly", {"action": action})

    assert answer.status_code == 403
    assert rota.schedules.get("hourly").state is ScheduleState.ACTIVE
    assert rota.store.runs(RunQuery()) == []


def test_a_link_alone_does_nothing(browser):
    assert browser("view", "run").get(f"{LIST}do/hourly", {"action": "run"}).status_code == 405


def test_a_form_of_another_site_does_nothing(browser):
    client = browser("view", "run")
    client.handler.enforce_csrf_checks = True

    assert client.post(f"{LIST}do/hourly", {"action": "run"}).status_code == 403


def test_a_name_that_is_none_is_told(browser):
    client = browser("view", "run")

    said = client.post(f"{LIST}do/hourli", {"action": "run"}, follow=True).content.decode()

    assert "hourli" in said and "did you mean" in said
