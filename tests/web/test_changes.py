"""What changes something over HTTP: what it answers, what it leaves, and what it refuses."""

import pytest

from rota.core.model import State
from rota.queries import AuditQuery
from rota.settings import LoggingSettings, Settings
from tests.clocks import FakeClock
from tests.surfaces.conftest import an_app
from tests.surfaces.test_cli_errors import fail
from tests.values import NOON
from tests.web.far import InProcess, run_far

HOURLY = {"job": "report", "when": "hourly"}


@pytest.fixture
def app():
    return an_app(clock=FakeClock(NOON))


@pytest.fixture
def client(app):
    return InProcess(app).client


def newest(app):
    return app.store.audit(AuditQuery(limit=1))[0]


def test_a_run_is_run_again_and_shown_as_it_is_then(app, client):  # R32, T73
    failed = fail(app)

    answer = client.post(f"/api/v1/runs/{failed.id}/retry", json={"reason": "the disk is back"})

    assert (answer.status_code, answer.json()["state"]) == (200, "queued")
    entry = newest(app)
    assert (entry.via, entry.actor, entry.action, entry.target) == ("api", "ana", "run.retry", failed.id)
    assert entry.reason == "the disk is back"


def test_a_run_is_cancelled_and_shown_as_it_is_then(app, client):  # R32, T73
    waiting = app.jobs["broken"].enqueue()

    answer = client.post(f"/api/v1/runs/{waiting.id}/cancel", json={})

    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert (newest(app).actor, newest(app).target) == ("ana", waiting.id)


@pytest.mark.parametrize(("verb", "state"), [("retry", State.QUEUED), ("cancel", State.FAILED)])
def test_a_run_in_another_state_is_refused_and_left(app, client, verb, state):  # R64, T73
    run_id = fail(app).id if state is State.FAILED else app.jobs["broken"].enqueue().id

    answer = client.post(f"/api/v1/runs/{run_id}/{verb}", json={})

    assert answer.status_code == 409
    assert app.store.run(run_id).run.state is state
    assert app.store.audit(AuditQuery()) == []


@pytest.mark.parametrize("verb", ["retry", "cancel"])
def test_a_run_that_is_not_there_is_not_found(client, verb):  # R64
    assert client.post(f"/api/v1/runs/{'f' * 32}/{verb}", json={}).status_code == 404


def test_a_search_is_told_with_its_count_first_then_done(app, client):  # R32, R38
    failed = [fail(app).id for _ in range(3)]

    told = client.post("/api/v1/runs/retry", json={"where": "job:broken", "dry_run": True}).json()
    done = client.post("/api/v1/runs/retry", json={"runs": told["meant"]}).json()

    assert (told["meant"], told["done"]) == (failed[::-1], [])
    assert sorted(done["done"]) == sorted(failed)


def test_a_selection_names_runs_or_a_search(client):  # R64
    assert client.post("/api/v1/runs/cancel", json={}).status_code == 422
    assert client.post("/api/v1/runs/cancel", json={"runs": ["f" * 32], "where": "job:x"}).status_code == 422


def test_a_schedule_that_somebody_has_changed_is_not_put_over(app, client):  # R5
    first = client.put("/api/v1/schedules/extra", json=HOURLY)
    client.put("/api/v1/schedules/extra", json=HOURLY | {"when": "daily at 02:00"})

    answer = client.put("/api/v1/schedules/extra", json=HOURLY, headers={"If-Match": first.headers["etag"]})

    assert (answer.status_code, answer.json()["code"]) == (409, "edited_meanwhile")
    assert "daily" in app.schedules.get("extra").timing


def test_a_schedule_is_changed_as_it_was_read(app, client):  # R5
    client.put("/api/v1/schedules/extra", json=HOURLY)
    read = client.get("/api/v1/schedules/extra").headers["etag"]

    changed = client.patch("/api/v1/schedules/extra", json={"jitter": "30s"}, headers={"If-Match": read})
    gone = client.delete("/api/v1/schedules/extra", headers={"If-Match": read})

    assert (changed.status_code, gone.status_code) == (200, 409)
    assert app.schedules.get("extra").jitter is not None


def test_a_schedule_is_put_only_where_there_is_none(app, client):  # R5
    new = client.put("/api/v1/schedules/extra", json=HOURLY, headers={"If-None-Match": "*"})
    again = client.put("/api/v1/schedules/extra", json=HOURLY, headers={"If-None-Match": "*"})

    assert (new.status_code, again.status_code) == (200, 409)


@pytest.mark.parametrize(
    ("path", "body", "version"),
    [
        ("/api/v1/schedules/extra", HOURLY, "W/a"),
        ("/api/v1/schedules/extra", HOURLY | {"expected_version": 2}, '"3"'),
        ("/api/v1/limits/job/report", {"running": 1, "reason": "x"}, '"3"'),
    ],
)
def test_a_version_that_means_nothing_is_refused(client, path, body, version):  # R64
    answer = client.put(path, json=body, headers={"If-Match": version})

    assert (answer.status_code, answer.json()["field"]) == (422, "If-Match")


def test_a_tenant_is_left_out_of_a_schedule_and_taken_in_again(app, client):  # R24
    client.post("/api/v1/schedules/sync/exclude", json={"tenant": "acme"})
    left_out = app.schedules.get("sync").exclude
    client.post("/api/v1/schedules/sync/exclude", json={"tenant": "acme", "is_excluded": False})

    assert (left_out, app.schedules.get("sync").exclude) == (("acme",), ())


def test_arguments_of_a_schedule_that_are_kept_from_view_are_not_told():  # R65
    app = an_app(clock=FakeClock(NOON), settings=Settings(logging=LoggingSettings(mask=("iban",))))

    @app.job()
    def pay(iban: str) -> None: ...

    body = {"job": "pay", "when": "hourly", "kwargs": {"iban": "DE02120300000000202051"}}
    answer = InProcess(app).client.put("/api/v1/schedules/pay", json=body)

    assert answer.status_code == 200
    assert "DE02" not in answer.text


class Worked(InProcess):
    """A line to a server beside which a worker does what it is given, between one request and the next."""

    def __init__(self, app):
        super().__init__(app)
        self._app = app

    def exchange(self, method, target, *, headers, body):
        said = super().exchange(method, target, headers=headers, body=body)
        if method == "POST":
            self._app.tick()
        return said


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("run report --follow", 6, "report finished in"),
        ("run sync --tenant acme --follow", 0, "1 succeeded"),
        ("backfill sync --since -3h --until now --tenant acme --yes", 0, "sync done after"),
    ],
)
def test_what_was_started_far_away_is_followed_to_its_end(app, line, code, said):  # R23
    app = an_app()
    app.schedules.sync()

    shown = run_far(app, Worked(app), *line.split())

    assert shown.exit_code == code, shown.stderr
    assert said in shown.stdout


def test_what_runs_in_this_process_is_not_asked_of_a_server(app):
    shown = run_far(app, InProcess(app), "run", "report", "--here")

    assert shown.exit_code == 2
    assert "--url" in shown.stderr
