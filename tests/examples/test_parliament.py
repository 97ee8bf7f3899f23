"""The example of a parliament: a scheduler in a web application, with jobs in threads and in processes of their own."""

import re
import threading
from collections import Counter
from contextlib import contextmanager
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import insert, select
from starlette.testclient import TestClient

from examples.parliament.site import Site as Parliament
from rota import State
from rota.testing import capture
from tests.examples.values import Site, loaded
from tests.mail_server import mail_server
from tests.system.processes import wait_until
from tests.web.values import a_token, bearer

EDITORS = "editors@parliament.example"


@contextmanager
def a_parliament():
    with Parliament() as site:
        thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield site
        finally:
            site.shutdown()
            thread.join()


def where(site, server):
    """The environment in which the application finds both."""
    return {
        "PARLIAMENT_SITE": f"http://127.0.0.1:{site.server_address[1]}",
        "PARLIAMENT_SMTP": f"smtp://127.0.0.1:{server.port}",
    }


class Week:
    """The application in this process, what is around it, and the time."""

    def __init__(self, client, jobs, site, *, server, database):
        self.client = client
        self.jobs = jobs
        self.site = site
        self.server = server
        self.database = database

    def until(self, instant):
        self.jobs.advance(instant - self.jobs.clock.now())

    def post(self, path, **body):
        """Ask as an editor, with a signed token."""
        now = int(self.jobs.clock.now().timestamp())
        token = a_token(sub="editor", scope="read trigger manage", iat=now, exp=now + 300)
        answer = self.client.post(path, headers=bearer(token), json=body)
        self.jobs.drain()
        return answer.status_code

    def letters(self):
        """Who got which mail how often."""
        return Counter((mail.to[0], mail.message["Subject"]) for mail in self.server.mails)

    def states(self, job):
        return [run.state for run in self.jobs.runs(job)]


def day(number, at="00:00"):
    """An instant of the week that begins on Monday, 23 March 2026, and ends with the clocks going forward."""
    return datetime.fromisoformat(f"2026-03-{number}T{at}Z")


@pytest.fixture
def week(tmp_path, monkeypatch):
    with a_parliament() as site, mail_server() as server:
        database_url = f"sqlite:///{tmp_path / 'parliament.db'}"
        example = loaded(
            monkeypatch, "parliament", tmp_path, PARLIAMENT_DATABASE=database_url, **where(site, server)
        )  # fmt: skip
        rota, web, database = example("jobs").rota, example("app"), example("database")
        example("setup").set_up()
        with capture(rota, now=day(23)) as captured:
            client = TestClient(web.app)
            yield Week(client, captured, site, server=server, database=database)


def test_a_week_of_parliament(week):  # R11, R41, R43, R50, R61
    an_ordinary_day(week)
    the_site_is_down(week)
    pages_change(week)
    workers_die(week)
    a_mailbox_is_full(week)
    the_clocks_go_forward(week)
    all_is_accounted_for(week)


def an_ordinary_day(week):
    week.until(day(24))
    assert week.letters() == {
        ("ana@example.org", "A meeting on Fisheries"): 5,
        ("bo@example.org", "A meeting on Budget"): 5,
    }


def the_site_is_down(week):
    """A result that says so is a failure: tried again, told once; who depends on it waits until it is made up."""
    week.site.is_down = True
    week.site.meetings["/meetings/21"] = {"date": "2026-03-24", "title": "Fisheries council"}
    week.until(day(24, "09:00"))
    assert week.states("scrape_mep_meetings") == [State.SUCCEEDED, State.FAILED]
    assert week.states("send_smart_alerts") == [State.SUCCEEDED, State.SCHEDULED]
    assert week.letters()[EDITORS, "[Rota] scrape_mep_meetings fails"] == 1

    week.site.is_down = False
    [failed] = week.jobs.runs("scrape_mep_meetings", state=State.FAILED)
    assert "503" in failed.error.first_line
    assert week.post(f"/api/v1/runs/{failed.id}/retry") == 200
    week.until(day(24, "09:01"))
    assert week.states("send_smart_alerts") == [State.SUCCEEDED] * 2
    assert week.letters()["ana@example.org", "A meeting on Fisheries"] == 6
    assert week.letters()[EDITORS, "[Rota] Recovered: scrape_mep_meetings fails"] == 1


def pages_change(week):
    """One that changed is one line, and a mail to nobody who had it; one that is new is one for whoever asked."""
    week.site.meetings["/meetings/4"] |= {"title": "Fisheries committee, moved to room 5"}
    week.site.meetings["/meetings/22"] = {"date": "2026-03-25", "title": "Budget council"}
    week.until(day(25, "12:00"))
    assert week.jobs.runs("scrape_mep_meetings")[-1].result == '{"counts":{"lines_added":2,"lines_processed":22}}'
    assert week.letters()["ana@example.org", "A meeting on Fisheries"] == 6
    assert week.letters()["bo@example.org", "A meeting on Budget"] == 6


def workers_die(week):
    """Whatever was done is found by the next one."""
    week.site.meetings["/meetings/23"] = {"date": "2026-03-26", "title": "Fisheries hearing"}
    week.jobs.kill_worker(after="effect", job="scrape_mep_meetings")
    week.jobs.kill_worker(after="effect", job="send_smart_alerts")
    week.until(day(26, "12:00"))
    assert week.jobs.runs("scrape_mep_meetings")[-1].result == '{"counts":{"lines_added":0,"lines_processed":23}}'
    assert week.letters()["ana@example.org", "A meeting on Fisheries"] == 7


def a_mailbox_is_full(week):
    """The newsletter fails for one, and the next one gets it; an editor starts it again, and nobody gets it twice."""
    week.server.let(ana="452 mailbox full")
    week.until(day(27, "12:00"))
    issue = "The week until 2026-03-27"
    assert week.letters()["bo@example.org", issue] == 1
    assert week.states("send_weekly_newsletter") == [State.FAILED]

    week.server.let(ana="")
    assert week.client.post("/scheduler/run/send_weekly_newsletter").status_code == 401
    assert week.post("/scheduler/run/send_weekly_newsletter", reason="ana has room again") == 202
    assert week.post("/scheduler/run/send_weekly_newsletter") == 202
    assert [week.letters()[who, issue] for who in ("ana@example.org", "bo@example.org")] == [1, 1]
    week.jobs.advance("1m")
    assert week.letters()[EDITORS, "[Rota] Recovered: send_weekly_newsletter fails"] == 1


def the_clocks_go_forward(week):
    """The clean-up takes what is old and leaves the newest; half past two is not on that day, and not missed."""
    embeddings = week.database.embeddings
    with week.database.engine.begin() as db:
        db.execute(insert(embeddings), [{"meeting_id": 1, "title": "old"} for _ in range(250)])
    # Somebody sets the clock of the machine back by an hour, which makes no slot come twice.
    week.until(day(28, "12:00"))
    week.jobs.clock.step(timedelta(hours=-1))
    week.until(day(30))
    with week.database.engine.begin() as db:
        assert len(db.execute(select(embeddings)).all()) == len(week.site.meetings)


def all_is_accounted_for(week):
    """Each slot once, at its time; each letter once; nothing open."""
    slots = {}
    for run in week.jobs.runs():
        slots.setdefault((run.job, run.state), []).append(run.slot)
    daily = [day(number, "01:30") for number in range(23, 29)] + [day(29, "01:00")]
    assert slots == {
        ("scrape_mep_meetings", State.SUCCEEDED): daily,
        ("send_smart_alerts", State.SUCCEEDED): [day(number, "05:00") for number in range(23, 29)] + [day(29, "04:00")],
        ("send_weekly_newsletter", State.FAILED): [day(27, "08:00")],
        ("send_weekly_newsletter", State.SUCCEEDED): [None, None],
        ("clean_up_embeddings", State.SUCCEEDED): [day(29, "01:00")],
    }
    assert {subject: number for (to, subject), number in week.letters().items() if to == EDITORS} == {
        "[Rota] scrape_mep_meetings fails": 1,
        "[Rota] Recovered: scrape_mep_meetings fails": 1,
        "[Rota] send_weekly_newsletter fails": 1,
        "[Rota] Recovered: send_weekly_newsletter fails": 1,
    }
    with week.database.engine.begin() as db:
        kept = db.execute(select(week.database.meetings.c.held_on)).all()
    assert (len(kept), max(kept)) == (23, (date(2026, 3, 29),))


QUICK = {
    "PARLIAMENT_SCRAPER_TIMEOUT": "3s",
    # Both at once: long enough for a process to start in, and to say what it was at when it is stopped.
    "PARLIAMENT_CLEANUP_TIMEOUT": "3s",
    "PARLIAMENT_PAUSE": "0.2",
    "ROTA_WORKER__GRACE": "1500ms",
    "ROTA_RETRY__ATTEMPTS": "1",
    "ROTA_ALERTS__SETTLE": "0s",
}


def test_jobs_are_started_by_hand_and_those_past_their_time_are_stopped(tmp_path):  # R42, R43, R50, R61, R62
    with a_parliament() as parliament, mail_server() as server:
        site = Site("parliament", tmp_path, **where(parliament, server), **QUICK)
        with site.running() as client:
            assert client.post("/scheduler/run/scrape_mep_meetings").status_code == 401
            client.headers.update(bearer(site.make("token")))
            scraped = ended(client, "scrape_mep_meetings")
            assert (scraped["state"], scraped["result"]) == (
                "succeeded",
                '{"counts":{"lines_added":20,"lines_processed":20}}',
            )

            parliament.meetings["/meetings/3"]["title"] = "Culture committee, moved"
            parliament.hanging = "/meetings/7"
            site.sql(
                "INSERT INTO embeddings (meeting_id, title) SELECT 1, 'old' FROM embeddings a, embeddings b, embeddings"
            )
            before = old(site)
            hung, stopped = ended(client, "scrape_mep_meetings", "clean_up_embeddings")
            assert [run["attempts"][-1]["outcome"] for run in (hung, stopped)] == ["timed_out"] * 2
            assert "Job stopped" in stopped["error"]
            # The page that has changed has left one more behind.
            assert re.findall(r'"lines_processed":(\d+)', stopped["result"]) == [str(before + 1 - old(site))]
            assert 0 < old(site) < before
            assert site.sql("SELECT title FROM meetings WHERE page = '/meetings/3'") == [("Culture committee, moved",)]

            page = client.get("/scheduled_job_runs").text
            assert page.count("<td>scrape_mep_meetings</td>") == 2
            wait_until(lambda: len(server.mails) == 2, what="a mail for each failure")
        subjects = {mail.message["Subject"] for mail in server.mails}
        assert subjects == {"[Rota] scrape_mep_meetings ran out of time", "[Rota] clean_up_embeddings ran out of time"}

        with site.running(DISABLE_AUTH="true", ROTA_MODE="development") as client:
            assert client.post("/scheduler/run/send_weekly_newsletter").status_code == 202
            assert "<td>scrape_mep_meetings</td>" in client.get("/scheduled_job_runs").text


def old(site):
    """How many embeddings nobody needs any more."""
    [[count]] = site.sql("SELECT count(*) - count(DISTINCT meeting_id) FROM embeddings")
    return count


def ended(client, *jobs):
    """Start jobs by hand, at once, and return their runs when they are over."""
    rounds = [client.post(f"/scheduler/run/{job}").json()["round"] for job in jobs]

    def over():
        found = [client.get(f"/api/v1/runs?round={round_}").json()["data"] for round_ in rounds]
        return [run["id"] for [run] in found if run["ended_at"]] if all(found) else []

    wait_until(lambda: len(over()) == len(jobs), what=f"{jobs} are over")
    details = [detail["run"] | detail for detail in [client.get(f"/api/v1/runs/{run}").json() for run in over()]]
    return details if len(jobs) > 1 else details[0]
