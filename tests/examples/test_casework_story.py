"""A simulated week of the casework example: what broke was told once, and in the end nothing is missing."""

import json
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from examples.casework.agencies import add_agency
from examples.casework.app import create_app, rota
from examples.casework.demo.agency import filed, furnish, letters
from examples.casework.jobs import email_sync
from examples.casework.models import Case, DailyReport, Message, Notification
from rota import cron, next_slots
from rota.cli.root import root
from rota.cli.session import Session as CommandSession
from rota.core.alert import Stage
from rota.core.model import Outcome, State
from rota.schedules import timing_of
from rota.testing import capture
from tests.proxy import Mode, proxy

pytestmark = pytest.mark.xdist_group("casework")

MONDAY = datetime(2026, 3, 23, tzinfo=UTC)
END = MONDAY + timedelta(days=7, hours=1)
"""On the Sunday before the clocks of Paris went from two to three."""
HOUR = timedelta(hours=1)
AGENCIES = ["agency_a", "agency_b", "agency_c"]
BOXES = {"agency_a": "box90", "agency_b": "box91"}
SELDOM = {
    "EMAIL_SYNC_PERIODIC": cron("0 */3 * * *"),
    "send_notifications": cron("0 */3 * * *"),
    "check_health": cron("0 */3 * * *"),
    "delete_expired": cron("10 */3 * * *"),
    "monitor_email_sync": cron("10 */3 * * *"),
}
"""A thousand runs tell the same as fifteen thousand."""


class Week:
    """The application, a mail server behind a line that can be cut, and what happens in the middle of a sync."""

    def __init__(self, jobs, line, dovecot, url):
        self.jobs = jobs
        self.line = line
        self.url = url
        self.sent = 0
        self.half_way = None
        """Called once, with the context of the sync that is."""
        self.at_the_end = None
        """So where all is stored, and nothing was said of it."""
        self._dovecot = dovecot

    def deliver(self, number):
        """Send each mailbox so many letters."""
        for box in BOXES.values():
            self._dovecot.deliver(box, *letters(box, number, first=self.sent, at=self.jobs.clock.now()))
        self.sent += number

    def command(self, *words):
        """Run `rota` as somebody on call does, and return what it says."""
        done = CliRunner().invoke(root, [*words, "--json"], obj=CommandSession(app=rota), catch_exceptions=False)
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)["data"]

    @contextmanager
    def agency(self, name):
        engine = create_engine(f"{self.url}/{name}.db")
        with Session(engine) as session:
            yield session
        engine.dispose()

    def unmatched(self, name):
        """Return how many messages nobody has looked for a case for."""
        with self.agency(name) as session:
            return session.scalar(select(func.count()).where(Message.matched_at.is_(None)))

    def outcomes(self, job):
        """Return how the attempts of a job ended that did not succeed."""
        histories = [rota.store.run(run.id) for run in self.jobs.runs(job)]
        return Counter(
            attempt.outcome
            for history in histories
            for attempt in history.attempts
            if attempt.outcome is not Outcome.SUCCEEDED
        )


@pytest.fixture
def week(tmp_path, dovecot, monkeypatch):
    url = f"sqlite:///{tmp_path}/agencies"
    create_app({"AGENCIES": url})
    with proxy(dovecot.port) as line, capture(rota, now=MONDAY) as jobs:
        for agency in AGENCIES:
            boxes = [BOXES[agency]] if agency in BOXES else []
            furnish(add_agency(url, agency), agency, mail_port=line.port, mailboxes=boxes, now=MONDAY)
        rota.schedules.sync()
        for name, when in SELDOM.items():
            rota.schedules.override(name, when=when, reason="a week in a few seconds")
        week = Week(jobs, line, dovecot, url)
        really = email_sync._tell

        def tell(ctx, done, total):
            if 0 < done < total and week.half_way is not None:
                what, week.half_way = week.half_way, None
                what(ctx)
            if 0 < done == total and week.at_the_end is not None:
                what, week.at_the_end = week.at_the_end, None
                what(ctx)
            really(ctx, done, total)

        monkeypatch.setattr(email_sync, "_tell", tell)
        yield week


def killed(_ctx):
    raise SystemExit("killed")


def deployed(ctx):
    ctx.stop.set("the worker shuts down", outcome=Outcome.INTERRUPTED)


def test_a_week_in_which_everything_breaks_leaves_no_gap(week):  # R1, R3, R8, R9, R21, R25, R30, R45, R50
    jobs = week.jobs
    # Monday: all is well.
    week.deliver(60)
    jobs.advance("1d")
    # Tuesday: the database of an agency is away.
    week.deliver(6)
    jobs.fail_tenant("agency_b", OSError("no route to host"))
    jobs.advance("1d")
    jobs.mend_tenant("agency_b")
    # Wednesday: the mail server is away for some hours, and somebody on call looks into it.
    jobs.advance(2 * HOUR)
    week.deliver(6)
    week.line.to(Mode.REFUSE)
    jobs.advance(6 * HOUR)
    on_call(week)
    jobs.advance(16 * HOUR)
    # Thursday: a worker is killed in the middle of a sync.
    week.deliver(240)
    week.half_way = killed
    jobs.kill_worker(after="effect", job="EMAIL_SYNC_ADMIN")
    jobs.advance("1d")
    # Friday: a deploy in the middle of a sync, whose mail is yet to be matched; and an agency is new.
    week.deliver(240)
    week.at_the_end = deployed
    jobs.advance(4 * HOUR)
    assert [week.unmatched(agency) for agency in BOXES] == [0, 0]
    furnish(add_agency(week.url, "agency_new"), "agency_new", mail_port=1, mailboxes=[], now=jobs.clock.now())
    # On Sunday there is no two o'clock.
    jobs.advance(END - jobs.clock.now())

    # Two mailboxes, two slots, five attempts each; both were in the hands of the worker that was killed.
    assert week.outcomes("EMAIL_SYNC_ADMIN") == {Outcome.FAILED: 20, Outcome.LOST: 2, Outcome.INTERRUPTED: 1}
    every_slot_is_accounted_for(week)
    every_message_is_stored_once_and_filed(week)
    every_alert_was_sent_once()


def on_call(week):
    """Do what somebody does who finds that a job fails: the steps of the README."""
    [incident] = [one for one in rota.incidents.list() if one.job == "EMAIL_SYNC_ADMIN"]
    assert "ConnectionRefusedError" in incident.error
    # What failed, for whom, and why.
    failed = week.command("runs", "--state", "failed", "--job", "EMAIL_SYNC_ADMIN")
    assert {run["tenant"] for run in failed} == set(BOXES)
    # By hand, for one agency: it still fails, and then the server is back.
    week.line.to(Mode.PASS)
    week.jobs.clear()
    week.command("run", "EMAIL_SYNC_AGENCY", "--tenant", "agency_a", "--reason", "is the server back?")
    week.jobs.drain()
    assert {run.tenant for run in week.jobs.runs("EMAIL_SYNC_AGENCY")} == {"agency_a"}
    [by_hand] = week.jobs.enqueued("EMAIL_SYNC_ADMIN")
    assert rota.run(by_hand.run_id).state is State.SUCCEEDED
    # One report is taken as done, and another forgotten: neither runs for it.
    reports = len(week.jobs.runs("make_daily_report"))
    week.command("mark-success", "make_daily_report", "--tenant", "agency_c", "--reason", "sent by hand", "--yes")
    week.command("reset", "delete_expired", "--tenant", "agency_c", "--yes")
    week.jobs.drain()
    assert len(week.jobs.runs("make_daily_report")) == reports
    assert progress("make_daily_report", "agency_c").last_success == datetime(2026, 3, 25, 1, tzinfo=UTC)
    assert progress("delete_expired", "agency_c") is None


def progress(schedule, tenant):
    return next(iter(rota.store.progress(schedule=schedule, tenants=[tenant])), None)


def every_slot_is_accounted_for(week):
    for schedule in rota.schedules.list():
        since = MONDAY
        for agency in AGENCIES:
            slots = next_slots(timing_of(schedule), after=since, count=100)
            expected = [slot for slot in slots if slot <= END]
            runs = [run for run in week.jobs.runs(schedule.job) if run.tenant == agency and run.slot is not None]
            # Each has exactly one run, and where that did not run it says why.
            assert sorted(run.slot for run in runs) == expected, (schedule.name, agency)
            skipped = [run for run in runs if run.state is State.SKIPPED]
            assert {run.reason for run in skipped} <= {"tenant agency_b was parked; catch-up is latest"}
            assert not skipped or agency == "agency_b"
            assert all(run.state.is_final for run in runs)
    new = [run.slot for run in week.jobs.runs("check_health") if run.tenant == "agency_new"]
    assert new[0] == MONDAY + timedelta(days=4, hours=6)
    two_oclock = [run.slot for run in week.jobs.runs("make_daily_report") if run.tenant == "agency_a"]
    assert [f"{slot:%d %H}" for slot in two_oclock[-3:]] == ["28 01", "29 01", "30 00"]


def every_message_is_stored_once_and_filed(week):
    days = [date(2026, 3, 22) + timedelta(days=number) for number in range(8)]
    for agency in BOXES:
        with week.agency(agency) as session:
            by_case = select(Case.reference, func.count()).select_from(Message).outerjoin(Case).group_by(Case.reference)
            assert dict(session.execute(by_case).all()) == filed(week.sent)
            assert session.scalar(select(func.count(Message.message_id.distinct()))) == week.sent
            reports = session.scalars(select(DailyReport).order_by(DailyReport.day)).all()
            assert [report.day for report in reports] == days
            assert sum(report.messages for report in reports) == week.sent
            assert session.scalar(select(func.count()).select_from(Notification)) == 1
    with week.agency("agency_c") as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 0


def every_alert_was_sent_once():
    told = [one.alert for one in rota.incidents.deliveries(limit=500) if one.alert.stage is not Stage.REMINDER]
    # Of each incident its beginning and its end, and nothing else.
    assert set(Counter((alert.incident, alert.stage) for alert in told).values()) == {1}
    begun = Counter((str(alert.kind), alert.job) for alert in told if alert.stage is Stage.OPENED)
    ended = Counter((str(alert.kind), alert.job) for alert in told if alert.stage is Stage.RECOVERED)
    late = ["EMAIL_SYNC_PERIODIC", "check_health", "delete_expired", "send_notifications"]
    assert (
        begun
        == ended
        == {
            ("parked", ""): 1,
            **{("stale", job): 1 for job in late},
            # The mailbox of an agency that was away, and then of a server that was.
            ("stale", "monitor_email_sync"): 2,
            ("failed", "monitor_email_sync"): 3,
            ("failed", "EMAIL_SYNC_ADMIN"): 1,
        }
    )
