"""Mailboxes that are not read, and data that does not fit: what nobody would see until it hurts."""

from datetime import timedelta

from sqlalchemy import Select, func, select

from examples.casework.models import Admin, Case, Event, MailAccount, case_contact, db
from examples.casework.work import rota
from rota import Result, Retry, RunContext, every
from rota import metrics as cron_metrics

QUIET = timedelta(hours=1)
ONCE = Retry(attempts=1)
"""A look that finds something wrong finds it again a moment later."""


@rota.job(schedule=every(30).minutes, per_tenant=True, retry=ONCE)
def monitor_email_sync(ctx: RunContext) -> Result:
    """Find mailboxes that have not been read for an hour, or whose password is refused."""
    now, silent = rota.clock.now(), []
    mailboxes = select(Admin.email, MailAccount).join(MailAccount).where(MailAccount.password.is_not(None))
    for email, account in db.session.execute(mailboxes):
        read_at = account.synced_at or account.connected_at
        if account.refused is None and now - read_at <= QUIET:
            cron_metrics.record_success("mailboxes", ctx.tenant.id)
        else:
            silent.append(email)
            cron_metrics.record_failure("mailboxes", ctx.tenant.id, account.refused or "not read for an hour")
    return Result(
        success=not silent,
        error=f"mailboxes that are not read: {', '.join(silent)}" if silent else None,
        counts={"silent_mailboxes": len(silent)},
    )


FLAWS: dict[str, Select[tuple[int]]] = {
    "open cases without an admin": select(func.count()).where(Case.is_open, Case.admin_id.is_(None)),
    "open cases without a contact": select(func.count()).where(
        Case.is_open, Case.id.not_in(select(case_contact.c.case_id))
    ),
    "events in closed cases": select(func.count()).where(
        Event.case_id.in_(select(Case.id).where(Case.is_open.is_(False)))
    ),
}


@rota.job(schedule=every().hour.at(":05"), per_tenant=True, retry=ONCE)
def check_health() -> Result:
    """Check that an agency's data fits together."""
    found = {flaw: db.session.scalar(count) or 0 for flaw, count in FLAWS.items()}
    wrong = [f"{number} {flaw}" for flaw, number in found.items() if number]
    return Result(success=not wrong, error="; ".join(wrong) or None, counts={"flaws": sum(found.values())})
