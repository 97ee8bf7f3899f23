"""The example of accounts: a table of cron jobs that is looked at each minute, by nothing but a crontab."""

import json
import re
from collections import Counter
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from rota import State
from rota.testing import capture
from tests.examples.values import Site, loaded
from tests.mail_server import mail_server

ANA = {"email": "ana@example.org", "password": "a long password"}
CODE = re.compile(r"Your code is (\S+)")


class Week:
    """The application in this process, its mail server, and the time."""

    def __init__(self, client, jobs, server, *, database, module):
        self.client = client
        self.jobs = jobs
        self.server = server
        self.database = database
        self.module = module

    def post(self, path, **body):
        return self.client.post(path, json=body).status_code

    def sql(self, statement):
        with self.database.engine.begin() as db:
            found = db.execute(text(statement))
            return [tuple(row) for row in found] if found.returns_rows else []

    def code_of(self, email):
        """The code that was mailed last."""
        mails = [mail for mail in self.server.mails if mail.to == [email]]
        return CODE.search(mails[-1].message.get_content())[1]

    def rows(self, name):
        """Who has a row of `cron_jobs` of this name."""
        return [user for [user] in self.sql(f"SELECT user_id FROM cron_jobs WHERE name = '{name}'")]

    def until(self, instant):
        self.jobs.advance(instant - self.jobs.clock.now())


@pytest.fixture
def week(tmp_path, monkeypatch):
    with a_week(tmp_path, monkeypatch, url=f"sqlite:///{tmp_path / 'accounts.db'}") as week:
        yield week


@contextmanager
def a_week(tmp_path, monkeypatch, *, url):
    with mail_server() as server:
        example = loaded(
            monkeypatch, "accounts", tmp_path,
            ACCOUNTS_DATABASE=url,
            ACCOUNTS_SMTP=f"smtp://127.0.0.1:{server.port}",
            # It is written each minute, and looked at in the test of processes.
            ROTA_FRESHNESS__STATUS_PAGE="",
        )  # fmt: skip
        jobs, application = example("jobs"), example("app").app
        monkeypatch.setattr(jobs.subprocess, "run", lambda *_, **__: a_result(0))
        with capture(jobs.rota, store=url) as captured, TestClient(application) as client:
            example("setup").set_up()
            week = Week(client, captured, server, database=example("database"), module=jobs)
            # Less often than in life: what a minute is like in which nothing is due, other tests know.
            week.sql("UPDATE cron_jobs SET interval_minutes = 360")
            yield week
        week.database.engine.dispose()


def a_result(code):
    """What `subprocess.run` would have returned."""
    return type("Done", (), {"returncode": code, "stdout": "2 tests\n"})


def day(name, at="00:00"):
    """An instant of the week of which Monday is 5 January 2026."""
    number = ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "next mon"].index(name)
    return datetime.fromisoformat(f"2026-01-05T{at}Z") + timedelta(days=number)


def test_a_week_of_accounts(week, monkeypatch):  # R6, R7, R34, R50, R51
    registered(week)
    a_mail_server_is_down(week)
    a_code_takes_the_place_of_another(week)
    a_worker_dies(week)
    the_clock_is_set_back(week)
    the_tests_fail(week, monkeypatch)
    a_row_is_switched_off(week)
    all_is_accounted_for(week)


def registered(week):
    """Ana confirms, Bo does not: he is forgotten at his time, and not before."""
    bo = ANA | {"email": "bo@example.org"}
    assert [week.post("/registrations", **who) for who in (ANA, bo, ANA)] == [202] * 3
    assert week.rows("InvalidatePendingRegistration") == ["1", "2"]
    week.jobs.drain()
    code = week.code_of(ANA["email"])
    assert week.post("/registrations/confirm", email=ANA["email"], code="änother") == 400
    assert week.post("/registrations/confirm", email=ANA["email"], code=code) == 204
    assert week.rows("InvalidatePendingRegistration") == ["2"]

    week.until(day("tue", "11:59:59"))
    assert week.sql("SELECT email, is_confirmed FROM users ORDER BY id") == [(ANA["email"], 1), ("bo@example.org", 0)]
    week.until(day("tue", "12:00"))
    assert week.sql("SELECT email FROM users") == [(ANA["email"],)]
    assert week.rows("InvalidatePendingRegistration") == []
    assert week.post("/registrations/confirm", email="bo@example.org", code=week.code_of("bo@example.org")) == 400


def a_mail_server_is_down(week):
    """Cy's code comes two hours late, once, and is good for the rest of its day."""
    before = len(week.server.mails)
    week.server.let(data="451 come again later")
    week.post("/registrations", email="cy@example.org", password=ANA["password"])
    week.until(day("tue", "14:00"))
    assert len(week.server.mails) == before

    week.server.let(data="")
    week.until(day("tue", "15:00"))
    assert len(week.server.mails) == before + 1
    assert week.post("/registrations/confirm", email="cy@example.org", code=week.code_of("cy@example.org")) == 204


def a_code_takes_the_place_of_another(week):
    """Neither the row of the first code ends the second, nor one that somebody wrote by mistake."""
    week.until(day("wed", "09:00"))
    assert [week.post("/password-resets", email=who) for who in (ANA["email"], "nobody@example.org")] == [202] * 2
    week.jobs.drain()
    first = week.code_of(ANA["email"])
    week.until(day("wed", "09:20"))
    week.post("/password-resets", email=ANA["email"])
    week.jobs.drain()
    second = week.code_of(ANA["email"])
    new = {"email": ANA["email"], "password": "another long password"}
    assert week.post("/password-resets/confirm", code=first, **new) == 400

    week.sql(
        "INSERT INTO cron_jobs (name, user_id, run_at) VALUES ('InvalidateResetPasswordCode', '1', '2026-01-07 09:30')"
    )
    week.until(day("wed", "09:49:59"))
    assert week.sql("SELECT code FROM users WHERE id = 1") == [(second,)]
    week.until(day("wed", "09:50"))
    assert week.sql("SELECT code FROM users WHERE id = 1") == [(None,)]
    assert week.post("/password-resets/confirm", code=second, **new) == 400


def a_worker_dies(week):
    """It dies with the row in its hand: the code is refused at its time all the same, and ended by another worker."""
    week.post("/password-resets", email=ANA["email"])
    week.jobs.drain()
    code = week.code_of(ANA["email"])
    week.jobs.kill_worker(after="start", job="InvalidateResetPasswordCode")
    week.until(day("wed", "10:20") - timedelta(seconds=1))
    assert week.sql("SELECT code FROM users WHERE id = 1") == [(code,)]

    week.jobs.clock.advance("1s")  # and nobody has looked yet
    assert week.post("/password-resets/confirm", email=ANA["email"], code=code, password="another long one") == 400
    week.until(day("wed", "10:25"))
    assert week.sql("SELECT code FROM users WHERE id = 1") == [(None,)]
    assert week.rows("InvalidateResetPasswordCode") == []


def the_clock_is_set_back(week):
    """Nothing that has run runs again, and a code that was given before is good for the hour longer."""
    week.until(day("thu", "12:10"))
    week.post("/password-resets", email=ANA["email"])
    week.jobs.drain()
    week.jobs.clock.step(timedelta(hours=-1))
    week.until(day("thu", "12:39:59"))
    code = week.code_of(ANA["email"])
    assert week.post("/password-resets/confirm", email=ANA["email"], code=code, password="another long one") == 204
    assert week.rows("InvalidateResetPasswordCode") == []


def the_tests_fail(week, monkeypatch):
    """One mail that they fail, one three hours later that they have not succeeded in time, two that it is over."""
    before = len(week.server.mails)
    week.until(day("fri", "08:30"))
    monkeypatch.setattr(week.module.subprocess, "run", lambda *_, **__: a_result(1))
    week.until(day("fri", "12:30"))
    told = {("failed", "opened"): 1, ("stale", "opened"): 1}
    assert kinds(week.server.mails[before:]) == told

    monkeypatch.setattr(week.module.subprocess, "run", lambda *_, **__: a_result(0))
    week.until(day("fri", "14:30"))
    assert kinds(week.server.mails[before:]) == told | {("failed", "recovered"): 1, ("stale", "recovered"): 1}


def kinds(mails):
    return Counter((mail.message["X-Rota-Kind"], mail.message["X-Rota-Stage"]) for mail in mails)


def a_row_is_switched_off(week):
    """It does not fire, and makes nothing up when it is on again."""
    week.until(day("sat"))
    week.sql("UPDATE cron_jobs SET is_active = false WHERE name = 'Noop'")
    week.until(day("sat", "12:30"))
    week.sql("UPDATE cron_jobs SET is_active = true WHERE name = 'Noop'")


def all_is_accounted_for(week):
    """Each slot once; nothing open; no row but those that recur; each mail once."""
    week.until(day("next mon", "12:00"))
    runs = week.jobs.runs()
    slots = Counter((run.job, run.slot) for run in runs if run.slot is not None)
    assert set(slots.values()) == {1}
    assert Counter((run.job, run.state) for run in runs) == {
        ("all_tests_cronjob", State.SUCCEEDED): 7 * 24 - 4,
        ("all_tests_cronjob", State.FAILED): 4,
        ("CountAccounts", State.SUCCEEDED): 7 * 4,
        ("Noop", State.SUCCEEDED): 7 * 4 - 2,
        ("InvalidatePendingRegistration", State.SUCCEEDED): 1,
        ("InvalidateResetPasswordCode", State.SUCCEEDED): 3,
        ("send_code", State.SUCCEEDED): 7,
    }
    assert week.sql("SELECT name FROM cron_jobs ORDER BY name") == [("CountAccounts",), ("Noop",)]
    to_users = Counter(mail.to[0] for mail in week.server.mails)
    assert to_users == {ANA["email"]: 5, "bo@example.org": 1, "cy@example.org": 1, "ops@example.org": 4}


@pytest.mark.parametrize("server", ["postgres_database", "mariadb_database"])
def test_with_another_url_it_is_in_another_database(server, tmp_path, monkeypatch, request):  # R34
    with a_week(tmp_path, monkeypatch, url=request.getfixturevalue(server)) as week:
        registered(week)


def half_an_hour_passes(site):
    """As far as codes are concerned."""
    for column, table in (("run_at", "cron_jobs"), ("code_expires_at", "users")):
        site.sql(f"UPDATE {table} SET {column} = datetime({column}, '-30 minutes') WHERE {column} IS NOT NULL")


def a_day_passes_unwatched(site):
    for column in ("watched_from", "last_success", "late_at", "stale_at", "look_at"):
        site.sql(f"UPDATE rota_pairs SET {column} = {column} - 86400000000")


def test_it_is_driven_by_two_lines_of_a_crontab_across_a_deploy(tmp_path):  # R6, R7, R51, R60
    with mail_server() as server:
        site = Site("accounts", tmp_path, ACCOUNTS_SMTP=f"smtp://127.0.0.1:{server.port}")
        with site.running() as client:
            assert client.post("/api/cron/run").status_code == 401
            assert client.post("/registrations", json=ANA).status_code == 202
            site.make("minute")
            code = CODE.search(server.mails[-1].message.get_content())[1]
            confirmation = {"email": ANA["email"], "code": code}
            assert client.post("/registrations/confirm", json=confirmation).status_code == 204
            assert client.post("/password-resets", json={"email": ANA["email"]}).status_code == 202
            rows = site.sql("SELECT name, user_id FROM cron_jobs WHERE user_id IS NOT NULL")
            assert rows == [("InvalidateResetPasswordCode", "1")]

        with site.running() as client:
            half_an_hour_passes(site)
            bearer = {"Authorization": f"Bearer {(tmp_path / 'cron.token').read_text().strip()}"}
            assert client.post("/scheduler/run/all_tests_cronjob", headers=bearer).status_code == 202
            site.make("minute")

    assert site.sql("SELECT is_confirmed, code FROM users") == [(1, None)]
    assert site.sql("SELECT name FROM cron_jobs ORDER BY name") == [("CountAccounts",), ("Noop",)]
    assert len(server.mails) == 1
    assert site.sql("SELECT state FROM rota_runs WHERE job = 'all_tests_cronjob'") == [("succeeded",)]
    assert "all_tests_cronjob" in (tmp_path / "freshness/all_tests_cronjob_fresh.html").read_text()


def test_while_nobody_answers_the_second_line_tells_once_what_did_not_happen(tmp_path):  # R51
    with mail_server() as server:
        site = Site("accounts", tmp_path, ACCOUNTS_SMTP=f"smtp://127.0.0.1:{server.port}")
        site.make("setup")
        site.make("rota", "ARGS=-y mark-success all_tests_cronjob")
        site.make("minute", check=False)
        assert server.mails == []
        a_day_passes_unwatched(site)

        for _ in range(2):
            site.make("minute", check=False)

    assert [(mail.to, mail.message["Subject"]) for mail in server.mails] == [
        (["ops@example.org"], "[Rota] all_tests_cronjob has not succeeded in time")
    ]
    page = json.loads((tmp_path / "freshness/all_tests_cronjob_fresh.json").read_text())
    assert page["state"] == "stale"
