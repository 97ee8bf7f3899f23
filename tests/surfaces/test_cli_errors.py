"""`rota errors`, `rota failures` and `rota queues`: what fails, for whom, since when, and what waits (R38)."""

import json
import logging
from datetime import timedelta

import pytest

from rota import Retry, Secret
from rota.core.model import ErrorReport, Outcome, State
from rota.queries import RunQuery
from rota.settings import LoggingSettings, Settings
from tests.clocks import FakeClock
from tests.surfaces.conftest import HOSTILE, an_app, data, error, run
from tests.values import DAY, HOUR, MINUTE, NOON, SECOND, a_run, a_worker, claim, ended, settle_all

LOST = ErrorReport(
    type="LookupError", message="no order 7\nsee the log", place="app.orders.bill, line 12", traceback="T1"
)
AWAY = ErrorReport(type="OSError", message=f"no route to 10.0.0.1 {HOSTILE}", place="app.mail.send, line 3")


def fail(app, why=LOST, *, at=NOON, **fields):
    """Let a run fail for good, and return it."""
    app.store.enqueue([a_run(**{"job": "broken", "created_at": at, "max_attempts": 1} | fields)], now=NOON)
    [found] = claim(app.store, limit=1)
    settle_all(app.store, ended(found, Outcome.FAILED, now=at, error=why, started_at=at - 2 * SECOND), now=at)
    return found


@pytest.fixture
def failing(noon_app):
    """Two errors of two jobs, met by tenants in the days before noon."""
    fail(noon_app, at=NOON - 6 * DAY, tenant="acme")
    fail(noon_app, at=NOON - 2 * HOUR, tenant="acme")
    fail(noon_app, at=NOON - MINUTE, tenant="globex")
    fail(noon_app, AWAY, at=NOON - 5 * HOUR, job="sync", tenant="hooli")
    return noon_app


def test_each_error_is_one_line_with_how_often_and_whom_it_met(failing, noon_rota):  # R38
    shown = noon_rota("errors")

    newest, older = shown.stdout.splitlines()[1:]
    assert "broken      3        2  2026-05-26 12:00:00  2026-06-01 11:59:00" in newest
    assert newest.endswith("app.orders.bill, line 12  LookupError: no order 7")
    assert "sync        1        1" in older and "OSError: no route to 10.0.0.1" in older
    assert "\x1b" not in shown.stdout
    assert "2 errors" in shown.stderr


def test_errors_are_data_for_programs_with_the_whole_fingerprint(failing, noon_rota):  # R38, R63
    rows = data(noon_rota("errors", "--json"))

    assert [(row["job"], row["count"], row["top"]) for row in rows] == [
        ("broken", 3, {"acme": 2, "globex": 1}),
        ("sync", 1, {"hooli": 1}),
    ]
    assert len(rows[0]["fingerprint"]) == 16


@pytest.mark.parametrize(
    ("args", "jobs"),
    [
        (["--job", "sync"], ["sync"]),
        (["--tenant", "hooli,nobody"], ["sync"]),
        (["--tenant", "@gold"], ["broken"]),
        (["--since", "1h"], ["broken"]),
        (["--until", "1h"], ["sync"]),
    ],
)
def test_errors_are_narrowed(failing, noon_rota, args, jobs):  # R38
    assert [row["job"] for row in data(noon_rota("errors", "--json", *args))] == jobs


def test_errors_come_in_pages(failing, noon_rota):  # R38
    first = noon_rota("errors", "--limit", "1", "-o", "json")

    cursor = json.loads(first.stdout)["page"]["next"]
    assert [row["job"] for row in data(first)] == ["broken"]
    assert [row["job"] for row in data(noon_rota("errors", "--cursor", cursor, "--json"))] == ["sync"]
    assert noon_rota("errors", "--cursor", "nonsense").exit_code == 2


def test_one_error_is_shown_by_the_beginning_of_its_fingerprint(failing, noon_rota):  # R38
    [row] = data(noon_rota("errors", "--job", "broken", "--json"))

    shown = noon_rota("errors", "show", row["fingerprint"][:8])

    assert "what      LookupError: no order 7" in shown.stdout
    assert "tenants   acme (2), globex (1)" in shown.stdout
    assert shown.stdout.count("ended     ") == 3
    assert shown.stdout.rstrip().endswith("T1")


@pytest.mark.parametrize("named", ["ffffffff", ""])
def test_an_error_that_is_not_there_or_not_one_is_said_to_be_so(failing, noon_rota, named):  # R64
    shown = noon_rota("errors", "show", named, "--json")

    assert (shown.exit_code, error(shown)["hint"]) == (3, "rota errors")


def test_failures_are_counted_by_cause_over_windows(failing, noon_rota):  # R38
    shown = data(noon_rota("failures", "--json"))

    assert [(row["what"].partition(" ")[0], row["counts"]) for row in shown] == [
        ("LookupError:", {"1h": 1, "3h": 2, "24h": 2, "3d": 2, "7d": 3}),
        ("OSError:", {"1h": 0, "3h": 0, "24h": 1, "3d": 1, "7d": 1}),
    ]
    assert "ERROR     1H  3H  24H  3D  7D  TENANTS" in noon_rota("failures").stdout


@pytest.mark.parametrize(
    ("args", "counts"),
    [
        (["--by", "job"], {"broken": 2, "sync": 1}),
        (["--by", "tenant"], {"acme": 1, "globex": 1, "hooli": 1}),
        (["--by", "job", "--where", "tenant:acme,hooli"], {"broken": 1, "sync": 1}),
        (["--by", "job", "--where", "-error:route"], {"broken": 2}),
    ],
)
def test_failures_are_put_together_as_asked(failing, noon_rota, args, counts):  # R38
    rows = data(noon_rota("failures", "--since", "24h", "--json", *args))

    assert {row["name"]: row["counts"]["24h"] for row in rows} == counts
    assert all(list(row["counts"]) == ["1h", "3h", "24h"] for row in rows)


def test_a_run_that_was_made_long_before_it_failed_is_among_the_failures(noon_app, noon_rota):  # R38
    fail(noon_app, at=NOON - MINUTE, created_at=NOON - 90 * DAY)

    assert [row["counts"] for row in data(noon_rota("failures", "--since", "1h", "--json"))] == [{"1h": 1}]


def test_each_queue_says_what_waits_since_when_and_who_works_it(noon_app, noon_rota):  # R38
    noon_app.store.register(a_worker(queues={"default": 8, "mail": 2}))
    noon_app.store.enqueue([a_run(queue="mail", due_at=NOON - age) for age in (MINUTE, HOUR)], now=NOON)
    noon_app.store.enqueue([a_run(queue="mail", due_at=NOON + HOUR)], now=NOON)
    noon_app.store.enqueue([a_run(queue="slow", tenant="acme")], now=NOON)

    rows = {row["name"]: row for row in data(noon_rota("queues", "--json"))}

    mail, slow, default = rows["mail"], rows["slow"], rows["default"]
    assert (mail["state"], mail["queued"], mail["scheduled"], mail["workers"]) == ("ok", 2, 1, 1)
    assert mail["waited_s"] == 3600
    assert (slow["state"], slow["queued"], slow["workers"]) == ("unserved", 1, 0)
    assert (default["state"], default["jobs"]) == ("idle", ["broken", "report", "sync"])
    assert "OLDEST" in noon_rota("queues").stdout


def test_a_paused_queue_says_so(noon_app, noon_rota):  # R12
    assert noon_rota("pause", "--queue", "mail", "--reason", "migration").exit_code == 0

    [mail] = [row for row in data(noon_rota("queues", "--json")) if row["name"] == "mail"]

    assert mail["state"] == "paused" and "migration" in mail["reason"]


def test_a_queue_shows_who_fills_it(noon_app, noon_rota):  # R38
    noon_app.store.enqueue([a_run(queue="mail", tenant=tenant) for tenant in ("acme", "acme", None)], now=NOON)

    shown = noon_rota("queues", "show", "mail")

    assert "open of   report 3" in shown.stdout
    assert "open for  acme 2, no tenant 1" in shown.stdout
    assert "none that lives takes from it" in shown.stdout


def test_a_queue_that_is_not_there_is_named_with_those_alike(noon_rota):  # R64
    shown = noon_rota("queues", "show", "defautl")

    assert (shown.exit_code, shown.stdout) == (3, "")
    assert "did you mean 'default'" in shown.stderr


def test_a_run_names_the_error_it_met_and_the_worker_that_met_it(failing, noon_rota):  # R38
    [row] = data(noon_rota("errors", "--job", "broken", "--json"))

    shown = noon_rota("show", row["last_run_id"])

    assert "failed, 2026-06-01 11:58:58, 2.0s, by w1" in shown.stdout
    assert f"    error {row['fingerprint'][:8]} at app.orders.bill, line 12" in shown.stdout


def test_secret_arguments_and_results_are_not_shown():  # R65
    app = an_app(clock=FakeClock(NOON), settings=Settings(logging=LoggingSettings(mask=("iban_of",))))
    args = '{"args":[],"kwargs":{"password":"hunter2","iban_of":"hunter2","year":2026}}'
    app.store.enqueue([a_run(job="report", args=args)], now=NOON)
    [claimed] = claim(app.store)
    settle_all(app.store, ended(claimed, now=NOON, result='{"token":"hunter2","rows":3}'))

    for form in ("table", "json"):
        shown = run(app, "show", claimed.id, "-o", form)
        assert "hunter2" not in shown.stdout
        assert "2026" in shown.stdout and "rows" in shown.stdout


def test_an_argument_that_is_annotated_as_secret_is_not_shown_nor_searched_for_and_comes_whole_to_the_job():  # R65
    app = an_app(clock=FakeClock(NOON))
    given = []

    @app.job()
    def bill(card: Secret[str], year: int, extra: Secret[int] = 0) -> None:
        given.append((card, year, extra))

    handle = bill.enqueue("4111 1111", 2026, extra=7)

    shown = run(app, "show", handle.id)
    assert "4111" not in shown.stdout and '"year":2026' in shown.stdout
    assert "kept from view" in run(app, "runs", "--where", "args.card:4111").stderr
    crew = app.crew(inline=True)
    while crew.worker.tick(NOON) == timedelta(0) or crew.worker.busy:
        pass
    assert given == [("4111 1111", 2026, 7)]


def test_no_argument_value_is_written_to_a_log(caplog):  # R65
    app = an_app(clock=FakeClock(NOON))

    @app.job(retry=Retry(attempts=1))
    def bill(card: str) -> None:
        raise ValueError("declined")

    caplog.set_level(logging.DEBUG)
    bill.enqueue("4111 1111")
    app.store.enqueue([a_run(job="bill", args='{"args":[],"kwargs":{"cart":"4111 1111"}}')], now=NOON)
    crew = app.crew(inline=True)
    while crew.worker.tick(NOON) == timedelta(0) or crew.worker.busy:
        pass

    assert [each.state for each in app.store.runs(RunQuery(jobs=("bill",)))] == [State.FAILED, State.FAILED]
    assert "4111" not in caplog.text
