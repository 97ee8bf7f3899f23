"""The sums of each day, made in the night after it."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update

from examples.casework.jobs.email_matching import email_matching
from examples.casework.models import Case, DailyReport, Event, Message, db
from examples.casework.work import rota
from rota import CatchUp, RunContext, every

ZONE = "Europe/Paris"
LOOKED_AT_AGAIN = timedelta(days=30)


# Each day has its sums, also those of nights in which nothing ran.
@rota.job(schedule=every().day.at("02:00", tz=ZONE), per_tenant=True, catch_up=CatchUp.all(limit=31))
def make_daily_report(ctx: RunContext) -> dict[str, int]:
    """Sum up the day before, by the clocks of Paris."""
    day = ctx.window.until.astimezone(ZoneInfo(ZONE)).date() - timedelta(days=1)
    begins, ends = (datetime.combine(each, time(), ZoneInfo(ZONE)) for each in (day, day + timedelta(days=1)))
    sent_that_day = (Message.sent_at >= begins) & (Message.sent_at < ends)
    report = DailyReport(
        day=day,
        open_cases=_count(Case.is_open),
        messages=_count(sent_that_day),
        filed=_count(sent_that_day & Message.case_id.is_not(None)),
        events=_count((Event.starts_at >= begins) & (Event.starts_at < ends)),
    )
    # In the place of an earlier one: made twice it is the same.
    db.session.merge(report)
    db.session.commit()
    return {"messages": report.messages, "filed": report.filed}


@rota.job(schedule=every().day.at("02:30", tz=ZONE), per_tenant=True)
def look_again(ctx: RunContext) -> None:
    """Have the unfiled mail of a month matched once more: its case or contact may be there by now."""
    since = rota.clock.now() - LOOKED_AT_AGAIN
    unfiled = Message.case_id.is_(None) & (Message.matched_at > since)
    db.session.execute(update(Message).where(unfiled).values(matched_at=None))
    db.session.commit()
    email_matching.using(tenant=ctx.tenant.id).enqueue()


def _count(where: object) -> int:
    return db.session.scalar(select(func.count()).where(where)) or 0
