"""What subscribers get: a newsletter each week, and a mail for each meeting of their topic."""

from datetime import timedelta
from multiprocessing.synchronize import Event

from sqlalchemy import select

from examples.parliament.database import engine, meetings, subscribers
from examples.parliament.mail import Letter, send_once
from examples.parliament.results import ScraperResult
from rota import RunContext

WEEK = timedelta(days=7)


def send_weekly_newsletter(ctx: RunContext, stop_event: Event) -> ScraperResult:
    """Send each subscriber the meetings of the week. Once a week, however often it is started."""
    until = ctx.window.until.date()
    with engine.begin() as db:
        held = db.execute(select(meetings).where(meetings.c.held_on > until - WEEK, meetings.c.held_on <= until)).all()
        everybody = db.scalars(select(subscribers.c.email).order_by(subscribers.c.email)).all()
    text = "".join(f"{meeting.held_on}  {meeting.title}\n" for meeting in held) or "There was no meeting.\n"
    issue = f"newsletter of {until:%G-W%V}"
    return send_once([Letter(email, issue, f"The week until {until}", text) for email in everybody], stop_event)


def send_smart_alerts(stop_event: Event) -> ScraperResult:
    """Tell each subscriber of the meetings whose title has his topic."""
    with engine.begin() as db:
        known = db.execute(select(meetings).order_by(meetings.c.id)).all()
        interested = db.execute(select(subscribers).order_by(subscribers.c.email)).all()
    letters = [
        Letter(one.email, meeting.page, f"A meeting on {one.topic}", f"{meeting.held_on}  {meeting.title}\n")
        for meeting in known
        for one in interested
        if one.topic.lower() in meeting.title.lower()
    ]
    return send_once(letters, stop_event)
