"""The daemon of an Elastic Beanstalk worker: it has no token, and is believed by where it is."""

import pytest

from rota import Rota
from rota.queries import RoundQuery, RunQuery
from tests.web.values import a_client, bearer, some_settings

PERIODIC = {
    "User-Agent": "aws-sqsd/3.0.4",
    "Content-Type": "application/json",
    "X-Aws-Sqsd-Msgid": "a4e0bd4f-9c50-4d1e-9e5a-1f4a5f8c1a11",
    "X-Aws-Sqsd-Receive-Count": "1",
    "X-Aws-Sqsd-Taskname": "every-minute",
    "X-Aws-Sqsd-Scheduled-At": "2026-11-29T12:00:00Z",
    "X-Aws-Sqsd-Sender-Id": "AIDAEXAMPLE",
    "X-Forwarded-For": "127.0.0.1",
    "X-Real-IP": "127.0.0.1",
}
MESSAGE = {name: value for name, value in PERIODIC.items() if "Task" not in name and "Scheduled" not in name}
BODY = b"elasticbeanstalk scheduled job"
TICK = "/api/cron/run"
START = "/scheduler/run/report"


def a_site(*, sqsd: bool = True) -> Rota:
    app = Rota("memory://", settings=some_settings(web={"sqsd": sqsd}), tenants=["acme"])
    app.job(name="report")(lambda: None)
    app.job(name="once", unique="args")(lambda: None)
    return app


def post(app: Rota, path: str, *, body: bytes = BODY, source: str = "127.0.0.1", headers=PERIODIC):
    return a_client(app, source=source).post(path, content=body, headers=headers)


def test_a_line_of_cron_yaml_does_a_pass():  # R60
    answer = post(a_site(), TICK)

    assert (answer.status_code, answer.json()["fired"]) == (200, 0)


def test_a_line_of_cron_yaml_starts_a_job_and_is_told_200():  # R61
    app = a_site()

    assert post(app, START).status_code == 200
    [round_] = app.store.rounds(RoundQuery())
    assert round_.actor == "sqsd:aws-sqsd"


def test_a_message_that_is_delivered_twice_starts_one_run():  # R61, I3
    app = a_site()
    first, second = (post(app, "/api/v1/runs", body=b'{"job":"report"}', headers=MESSAGE) for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert len(app.store.runs(RunQuery())) == 1


def test_a_message_for_a_job_that_is_unique_by_itself_is_taken():
    assert post(a_site(), "/api/v1/runs", body=b'{"job":"once"}', headers=MESSAGE).status_code == 200


def test_what_is_wrong_is_no_200_so_that_it_comes_again():
    assert post(a_site(), "/scheduler/run/nothing").status_code == 404
    assert post(a_site(), "/api/v1/runs", body=b"{", headers=MESSAGE).status_code == 422


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        ({}, "10.0.0.7"),
        ({}, ""),
        ({"X-Forwarded-For": "203.0.113.9"}, "127.0.0.1"),
        ({"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}, "127.0.0.1"),
        ({"X-Forwarded-For": "localhost"}, "127.0.0.1"),
        ({"X-Real-IP": "10.0.0.7"}, "127.0.0.1"),
        ({"Forwarded": "for=127.0.0.1"}, "127.0.0.1"),
        ({"User-Agent": "curl/8"}, "127.0.0.1"),
        ({"X-Aws-Sqsd-Msgid": None}, "127.0.0.1"),
    ],
)
def test_nobody_else_passes_for_the_daemon(changes, source):  # R62
    headers = {name: value for name, value in (PERIODIC | changes).items() if value is not None}

    assert post(a_site(), TICK, source=source, headers=headers).status_code == 401


def test_without_the_setting_it_needs_a_token_as_everybody_does():  # R62
    assert post(a_site(sqsd=False), TICK).status_code == 401


def test_a_token_that_is_shown_is_the_one_that_counts():  # R62
    assert post(a_site(), TICK, headers=PERIODIC | bearer("nonsense")).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/runs"), ("POST", "/api/v1/rounds"), ("GET", TICK), ("POST", f"{TICK}/"), ("POST", f"/x{TICK}")],
)
def test_it_may_start_things_and_nothing_else(method, path):  # T10
    answer = a_client(a_site(), source="127.0.0.1").request(method, path, headers=PERIODIC)

    assert answer.status_code == 401
