"""What schedulers outside and people start over HTTP: passes and jobs."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from rota import Rota, RunContext
from rota.clock import Clock
from rota.core.policy import Overlap, Retry
from rota.queries import RoundQuery, RunQuery
from tests.values import MINUTE
from tests.web.values import a_client, a_token, some_settings

TEN = 10


def a_site(*, tenants=("acme", "globex"), **web) -> Rota:
    return Rota("memory://", settings=some_settings(web=web), tenants=list(tenants))


def a_job(app: Rota, does: Callable[..., object] = lambda: None, *, name: str = "report", **policy) -> None:
    app.job(name=name, retry=Retry(attempts=1), **policy)(does)


def due(app: Rota) -> Rota:
    """Let the last slot of all that is scheduled by the minute be due, for once more."""
    app.schedules.sync()
    for known in app.store.schedules():
        assert known.next_at is not None
        slot = known.next_at - MINUTE
        back = replace(known, next_at=slot, cursor=slot - MINUTE, version=known.version + 1)
        assert app.store.put_schedule(back, expected_version=known.version)
    return app


def ask(app: Rota, path: str, body: object = None, **claims):
    return a_client(app, a_token(**claims)).post(path, json=body)


def fail(**_: object) -> None:
    raise ValueError("no report today")


# --- a pass ---


def test_a_pass_says_per_job_what_fired_and_ran():  # R60
    app = a_site()
    a_job(app, schedule="every minute", per_tenant=True)
    a_job(app, fail, name="broken", schedule="every minute")

    told = ask(due(app), "/api/cron/run").json()

    sums = [told[name] for name in ("fired", "ran", "succeeded", "failed", "open", "is_over")]
    assert sums == [2, 3, 2, 1, 0, True]
    by_job = [(job["job"], job["fired"], job["succeeded"], job["failed"]) for job in told["jobs"]]
    assert by_job == [("broken", 1, 0, 1), ("report", 1, 2, 0)]


def test_a_pass_names_the_tenants_that_failed_and_that_were_skipped():  # R60
    app = a_site()

    def report(ctx: RunContext) -> None:
        raise ValueError("no books")

    a_job(app, report, schedule="every minute", per_tenant=True)
    app.pauses.pause("tenant", "globex", reason="moving")

    [job] = ask(due(app), "/api/cron/run").json()["jobs"]

    assert (job["failed_tenants"], job["skipped_tenants"]) == (["acme"], ["globex"])


def test_a_pass_without_anything_due_does_nothing():  # R60
    told = ask(a_site(), "/api/cron/run").json()

    assert (told["fired"], told["ran"], told["jobs"]) == (0, 0, [])


def test_who_asked_for_a_pass_is_in_the_log(caplog):  # T73
    caplog.set_level(logging.INFO)

    ask(a_site(), "/api/cron/run", jti="4711")

    assert "let through run_pass by ana, token 4711, from testclient" in caplog.text


def test_what_breaks_is_answered_with_what_the_log_has_it_under(caplog, monkeypatch):  # T57
    app = a_site()
    monkeypatch.setattr(app.passes, "run", fail)

    answer = ask(app, "/api/cron/run")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert f"reference {answer.json()['id']}" in caplog.text
    assert "no report today" not in answer.text


def test_a_pass_that_does_not_work_leaves_the_runs_to_workers():
    app = a_site()
    a_job(app, schedule="every minute")

    told = ask(due(app), "/api/cron/run", {"work": False}).json()

    assert (told["fired"], told["ran"], told["open"]) == (1, 0, 1)


class UpOnce:
    """A clock for passes on which an hour is over as soon as something has happened."""

    def __init__(self, clock: Clock, happened: threading.Event) -> None:
        self._clock = clock
        self._happened = happened
        self.now = clock.now

    def monotonic(self) -> float:
        return self._clock.monotonic() + (3600 if self._happened.is_set() else 0)


def a_slow_job(app: Rota) -> tuple[threading.Event, threading.Event]:
    """A job that goes on when the time for the answer of its pass is up; return what ends it, and what tells that."""
    has_begun, may_end, has_ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        has_begun.set()
        may_end.wait(10)
        has_ended.set()

    a_job(app, slow, schedule="every minute", name="slow")
    app.passes._clock = UpOnce(app.clock, has_begun)
    return may_end, has_ended


def test_the_time_limit_ends_the_answer_and_not_the_run():  # R60
    app = a_site()
    may_end, has_ended = a_slow_job(app)

    told = ask(due(app), "/api/cron/run").json()
    may_end.set()

    assert (told["is_over"], told["open"], told["ran"]) == (False, 1, 0)
    assert app.stop()
    assert has_ended.is_set()
    assert [run.state for run in app.store.runs(RunQuery())] == ["succeeded"]


def test_the_next_pass_fires_while_a_run_of_the_one_before_goes_on():  # R60
    app, has_run = a_site(), threading.Event()
    a_job(app, has_run.set, name="quick")
    may_end, _ = a_slow_job(app)
    ask(due(app), "/api/cron/run")
    app.schedules.put("quick", job="quick", when="every minute")
    app.passes._clock = UpOnce(app.clock, has_run)

    told = ask(due(app), "/api/cron/run").json()
    may_end.set()
    app.stop()

    assert [(job["job"], job["fired"]) for job in told["jobs"]] == [("quick", 1)]
    assert {run.state for run in app.store.runs(RunQuery())} == {"succeeded"}


def test_ten_passes_at_once_run_nothing_twice_and_tell_of_nothing_twice():  # R60
    app, calls = a_site(), []
    a_job(app, lambda: calls.append(1), schedule="every minute", per_tenant=True)
    barrier, client = threading.Barrier(TEN), a_client(due(app), a_token())

    def passed(_number: int) -> dict[str, int]:
        barrier.wait()
        return client.post("/api/cron/run").json()

    with ThreadPoolExecutor(TEN) as pool:
        told = list(pool.map(passed, range(TEN)))

    assert len(calls) == 2
    assert [sum(one[name] for one in told) for name in ("fired", "ran", "succeeded")] == [1, 2, 2]


@pytest.mark.parametrize("limit", [-1, 3601, "soon"])
def test_a_limit_that_is_none_is_refused(limit):  # R64
    answer = ask(a_site(), "/api/cron/run", {"limit_s": limit})

    assert (answer.status_code, answer.json()["field"]) == (422, "limit_s")


@pytest.mark.parametrize("claims", [{"scope": "read"}, {"scope": "trigger", "tenants": ["acme"]}])
def test_a_pass_is_for_who_may_trigger_everything(claims):  # R62
    assert ask(a_site(), "/api/cron/run", **claims).status_code == 403


# --- a job ---


def test_a_job_is_started_for_all_its_tenants():  # R61
    app = a_site()
    a_job(app, per_tenant=True)

    answer = ask(app, "/scheduler/run/report", {"reason": "a new logo"})

    told = answer.json()
    [round_] = app.store.rounds(RoundQuery())
    assert (answer.status_code, told["round"], told["tenants"]) == (202, round_.id, 2)
    assert told["url"] == answer.headers["location"] == f"/api/v1/rounds/{round_.id}"
    assert (round_.actor, round_.reason) == ("api:ana", "a new logo")


@pytest.mark.parametrize(
    ("body", "kwargs"),
    [
        ({"args": {"month": "may"}}, '{"month":"may"}'),
        ({"args": ["may"]}, '{"month":"may"}'),
        ({"args": [], "kwargs": {"month": "may"}}, '{"month":"may"}'),
    ],
)
def test_arguments_come_by_name_or_in_order(body, kwargs):  # R61
    app = a_site()
    a_job(app, lambda month: None)

    ask(app, "/scheduler/run/report", body)

    [run] = app.store.runs(RunQuery())
    assert run.args == f'{{"args":[],"kwargs":{kwargs}}}'


def test_a_slot_is_run_again():  # R61
    app = a_site()
    a_job(app, schedule="every minute")
    ask(due(app), "/api/cron/run")
    [run] = app.store.runs(RunQuery())

    answer = ask(app, "/scheduler/run/report", {"slot": run.slot.isoformat()})
    ask(app, "/api/cron/run")

    assert (answer.status_code, answer.json()["url"]) == (202, f"/api/v1/backfills/{answer.json()['backfill']}")
    again = app.store.run(run.id)
    assert again is not None
    assert len(again.attempts) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"slot": "2026-01-01T00:00:30Z"}, "slot"),
        ({"slot": "2026-01-01T00:00:00"}, "slot"),
        ({"slot": "2026-01-01T00:00:00Z", "args": [1]}, "args"),
        ({"args": {"x": 1}, "kwargs": {"x": 1}}, "kwargs"),
        ({"tenants": "acme"}, "tenants"),
        ({"tenants": []}, "tenants"),
        ({"tenants": [" "]}, "tenants"),
        ({"exclude": [""]}, "tenants"),
        ({"unknown": 1}, ""),
    ],
)
def test_what_cannot_be_started_so_is_refused_with_the_field(body, field):  # R61, R64
    app = a_site()
    a_job(app, schedule="every minute")

    answer = ask(app, "/scheduler/run/report", body)

    assert (answer.status_code, answer.json().get("field", "")) == (422, field)
    assert app.store.rounds(RoundQuery()) == []


@pytest.mark.parametrize("body", [{"args": ["one too many"]}, {"tenants": ["acme"]}])
def test_what_does_not_fit_the_job_is_refused(body):  # R61
    app = a_site()
    a_job(app)

    assert ask(app, "/scheduler/run/report", body).status_code == 422


@pytest.mark.parametrize(("path", "body"), [("reprot", {}), ("sync", {"tenants": ["nobody"]})])
def test_a_job_or_tenant_that_is_not_there_is_404(path, body):  # R61
    app = a_site()
    a_job(app)
    a_job(app, name="sync", per_tenant=True)

    answer = ask(app, f"/scheduler/run/{path}", body)

    assert answer.status_code == 404
    assert "did you mean" in answer.json()["detail"] or "nobody" in answer.json()["detail"]


@pytest.mark.parametrize(("wait", "status"), [(False, 409), (True, 202)])
def test_a_job_that_is_not_over_is_refused_or_waited_for(wait, status):  # R61, R10
    app = a_site()
    a_job(app, schedule="daily at 02:00")
    ask(app, "/scheduler/run/report")

    answer = ask(app, "/scheduler/run/report", {"wait": wait})

    assert answer.status_code == status


def test_of_two_starts_at_once_one_is_refused():  # R61, R10
    app = a_site()
    a_job(app, schedule="daily at 02:00")
    # Both have looked before either has started.
    app.store.runs = lambda query: []
    ask(app, "/scheduler/run/report")

    assert ask(app, "/scheduler/run/report").status_code == 409


def test_one_tenant_that_is_at_work_does_not_keep_the_others_from_it():  # R10, R61
    app = a_site()
    a_job(app, schedule="daily at 02:00", per_tenant=True)
    ask(app, "/scheduler/run/report", {"tenants": ["acme"]})
    ask(app, "/api/cron/run", {"limit_s": 0})

    assert ask(app, "/scheduler/run/report").status_code == 202


def test_a_job_that_may_overlap_is_started_again():  # R10
    app = a_site()
    a_job(app, schedule="daily at 02:00", overlap=Overlap.ALLOW)
    ask(app, "/scheduler/run/report")

    assert ask(app, "/scheduler/run/report").status_code == 202


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("trigger", 202)])
def test_to_start_a_job_is_for_who_may_trigger(scope, status):  # R61, R62
    app = a_site()
    a_job(app)

    assert ask(app, "/scheduler/run/report", scope=scope).status_code == status


@pytest.mark.parametrize(
    ("scope", "body", "status"),
    [
        ("trigger", {}, 403),
        ("trigger", {"tenants": ["a", "b"]}, 202),
        ("trigger", {"exclude": ["c"]}, 202),
        ("trigger manage", {}, 202),
    ],
)
def test_to_start_a_job_for_many_tenants_is_a_right_of_its_own(scope, body, status):  # T60
    app = a_site(tenants=("a", "b", "c"), fan_out=2)
    a_job(app, per_tenant=True)

    assert ask(app, "/scheduler/run/report", body, scope=scope).status_code == status


@pytest.mark.parametrize(
    ("scope", "exclude", "status"), [("trigger", (), 403), ("trigger", ("c",), 202), ("trigger manage", (), 202)]
)
def test_and_so_it_is_to_start_a_schedule_of_many(scope, exclude, status):  # T16, T60
    app = a_site(tenants=("a", "b", "c"), fan_out=2)
    a_job(app, per_tenant=True)
    app.schedules.put("nightly", job="report", when="daily at 02:00", exclude=exclude)

    assert ask(app, "/api/v1/schedules/nightly/run", scope=scope).status_code == status


# --- a run ---


def test_a_run_is_queued_with_its_terms():  # R31
    app = a_site()
    a_job(app, lambda month: None)

    answer = ask(app, "/api/v1/runs", {"job": "report", "args": {"month": "may"}, "priority": 5, "delay": "1h"})

    [run] = app.store.runs(RunQuery())
    assert (answer.status_code, answer.json()["run"], run.priority, run.state) == (202, run.id, 5, "scheduled")
    assert answer.headers["location"] == f"/api/v1/runs/{run.id}"


def test_many_runs_are_queued_all_or_none():  # R64
    app = a_site()
    a_job(app, lambda month: None)

    refused = ask(app, "/api/v1/runs/bulk", {"job": "report", "calls": [["may"], ["june", "july"]]})
    taken = ask(app, "/api/v1/runs/bulk", {"job": "report", "calls": [["may"], {"month": "june"}]})

    assert (refused.status_code, taken.status_code) == (422, 202)
    assert [one["run"] for one in taken.json()["runs"]] == [run.id for run in app.store.runs(RunQuery())][::-1]


def test_the_run_that_has_the_key_is_answered():  # R32
    app = a_site()
    a_job(app)
    body = {"job": "report", "unique": "may"}

    first, second = ask(app, "/api/v1/runs", body), ask(app, "/api/v1/runs", body)
    third = ask(app, "/api/v1/runs", {**body, "on_conflict": "raise"})

    assert (second.json()["run"], second.json()["existed"]) == (first.json()["run"], True)
    assert third.status_code == 409
