"""What is asked under an Idempotency-Key, and asked again (T17, I3)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from rota import Rota
from rota.core.controls import ControlKind
from rota.core.policy import Overlap
from rota.queries import AuditQuery, RoundQuery, RunQuery
from tests.clocks import FakeClock
from tests.values import DAY, MINUTE
from tests.web.values import a_client, a_token, some_settings

AT_ONCE = 8
RUN = "/api/v1/runs"
BULK = "/api/v1/runs/bulk"
START = "/scheduler/run/report"
ROUND = "/api/v1/rounds"


def a_site(*, clock=None, **policy) -> Rota:
    app = Rota("memory://", settings=some_settings(), tenants=["acme", "globex"], clock=clock)
    app.job(**policy)(report)
    app.job(per_tenant=True)(sync)
    return app


def report(month: str = "may") -> None: ...


def sync() -> None: ...


def ask(app: Rota, path: str, body: object, *, key: str = "k1", **claims):
    now = int(app.clock.now().timestamp())
    return a_client(app, a_token(iat=now, exp=now + 600, **claims)).post(
        path, json=body, headers={"Idempotency-Key": key}
    )


QUESTIONS = [
    (RUN, {"job": "report", "args": ["may"]}),
    (BULK, {"job": "report", "calls": [["may"], ["june"]]}),
    (START, {"args": {"month": "may"}}),
    ("/scheduler/run/sync", {}),
    (ROUND, {"job": "sync"}),
    ("/api/v1/schedules/report/run", {}),
]


@pytest.mark.parametrize(("path", "body"), QUESTIONS)
def test_what_is_asked_again_is_done_once_and_answered_the_same(path, body):  # R61, I3
    app = a_site(schedule="daily at 02:00")

    first, second = ask(app, path, body), ask(app, path, body)

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert len(app.store.runs(RunQuery(kind=None))) == (2 if path == BULK else 1)
    assert len(app.store.rounds(RoundQuery())) == (0 if path in (RUN, BULK) else 1)
    assert len(app.store.audit(AuditQuery())) == (0 if path in (RUN, BULK) else 1)


@pytest.mark.parametrize(
    ("path", "body", "other"),
    [
        (RUN, {"job": "report"}, {"job": "report", "priority": 1}),
        (BULK, {"job": "report", "calls": [["may"]]}, {"job": "report", "calls": [["may"], ["june"]]}),
        (START, {}, {"reason": "again"}),
    ],
)
def test_a_key_that_comes_with_another_question_is_refused(path, body, other):  # R61, I3
    app = a_site(overlap=Overlap.ALLOW)
    ask(app, path, body)

    answer = ask(app, path, other)

    assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
    assert len(app.store.runs(RunQuery())) == 1


def test_a_key_is_that_of_who_uses_it():  # T17
    app = a_site()
    first, second = (ask(app, RUN, {"job": "report"}, sub=sub).json() for sub in ("ana", "bob"))

    assert first["run"] != second["run"]


def test_a_key_means_something_else_at_another_address():
    app = a_site()
    ask(app, RUN, {"job": "report"})

    assert ask(app, BULK, {"job": "report", "calls": [[]]}).status_code == 422


def test_a_key_stands_for_a_day():
    app = a_site(clock=FakeClock(datetime.now(UTC)))
    first = ask(app, RUN, {"job": "report"}).json()
    app.clock.advance(DAY - MINUTE)
    second = ask(app, RUN, {"job": "report"}).json()
    app.clock.advance(2 * MINUTE)

    assert first["run"] == second["run"] != ask(app, RUN, {"job": "report"}).json()["run"]


def test_the_same_key_at_once_makes_one_run():  # I3
    app, barrier = a_site(), threading.Barrier(AT_ONCE)
    client = a_client(app, a_token())

    def asked(_number: int) -> str:
        barrier.wait()
        return client.post(RUN, json={"job": "report"}, headers={"Idempotency-Key": "k1"}).json()["run"]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = set(pool.map(asked, range(AT_ONCE)))

    assert len(answers) == len(app.store.runs(RunQuery())) == 1


def test_a_slot_is_run_once_under_a_key():  # R61
    app = a_site(schedule="every minute")
    app.schedules.sync()
    [schedule] = app.store.schedules()
    slot = schedule.next_at - 2 * MINUTE
    back = replace(schedule, created_at=slot - MINUTE, cursor=slot - MINUTE, version=schedule.version + 1)
    app.store.put_schedule(back, expected_version=schedule.version)

    first, second = (ask(app, START, {"slot": slot.isoformat()}).json() for _ in range(2))
    third = ask(app, START, {"slot": slot.isoformat(), "reason": "more"})

    assert first == second
    assert len(app.store.controls(ControlKind.CAMPAIGN)) == 1
    assert third.status_code == 422


def test_a_run_that_is_unique_by_itself_takes_no_key():
    app = a_site()

    assert ask(app, RUN, {"job": "report", "unique": "may"}).status_code == 422


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "a\tb"])
def test_what_is_no_key_is_refused(key):  # R64
    answer = ask(a_site(), RUN, {"job": "report"}, key=key)

    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")


@pytest.mark.parametrize("seen", [{}, {"tenants": ["acme"]}], ids=["all tenants", "some"])
def test_a_backfill_is_started_once_under_a_key(seen):  # T17, T25
    app = a_site()
    app.job(name="books", schedule="daily at 02:00", per_tenant=True)(sync)
    past = {"job": "books", "since": "2026-01-01T00:00:00Z", "until": "2026-01-03T00:00:00Z", "mode": "all"}

    first, second = (ask(app, "/api/v1/backfills", past, **seen).json()["campaign"] for _ in range(2))
    other = ask(app, "/api/v1/backfills", past | {"reason": "more"}, **seen)

    assert first["id"] == second["id"]
    assert len(app.campaigns.list()) == 1
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")


@pytest.mark.parametrize(("path", "body"), [("/scheduler/run/sync", {}), (ROUND, {"job": "sync"})])
def test_two_tokens_of_one_name_for_different_tenants_start_each_their_own(path, body):  # T17, T25
    app = a_site()

    answers = [ask(app, path, body, tenants=[tenant]) for tenant in ("acme", "globex", "globex")]

    assert [answer.status_code for answer in answers] == [202, 202, 202]
    started = [answer.json()["round"] for answer in answers]
    assert started[0] != started[1] == started[2]
    assert {one.id for one in app.store.rounds(RoundQuery())} == set(started)


def test_a_key_in_quotes_is_the_same_key():
    app = a_site()
    first, second = (ask(app, RUN, {"job": "report"}, key=key).json() for key in ("k1", '"k1"'))

    assert first == second
