"""The mail of the agencies' admins: read from their mailboxes, and left alone when they say so."""

from sqlalchemy import select, update

from examples.casework.jobs.email_matching import email_matching
from examples.casework.mail.mailbox import Refused, open_mailbox
from examples.casework.mail.sync import Overtaken, position_of, sync
from examples.casework.models import MailAccount, Message, db
from examples.casework.work import rota
from rota import Cancel, Fail, Retry, RunContext, every


@rota.job(name="EMAIL_SYNC_PERIODIC", schedule=every(10).minutes, per_tenant=True)
def email_sync_periodic(ctx: RunContext) -> dict[str, int]:
    """Sync the mail of all agencies: a run for each."""
    return sync_mailboxes(ctx)


@rota.job(name="EMAIL_SYNC_AGENCY", per_tenant=True)
def email_sync_agency(ctx: RunContext) -> dict[str, int]:
    """Sync the mail of one agency now."""
    return sync_mailboxes(ctx)


def sync_mailboxes(ctx: RunContext) -> dict[str, int]:
    """Ask for a run for each mailbox that can be read."""
    can_be_read = MailAccount.password.is_not(None) & MailAccount.refused.is_(None)
    admins = db.session.scalars(select(MailAccount.admin_id).where(can_be_read)).all()
    email_sync_admin.using(tenant=ctx.tenant.id).enqueue_many([(admin_id,) for admin_id in admins])
    return {"mailboxes": len(admins)}


@rota.job(name="EMAIL_SYNC_ADMIN", per_tenant=True, queue="mail", unique="args", timeout="10m", retry=Retry(attempts=5))
def email_sync_admin(ctx: RunContext, admin_id: int) -> dict[str, int] | Cancel | Fail:
    """Bring what is new in an admin's mailbox into the agency's database."""
    account = db.session.scalar(select(MailAccount).where(MailAccount.admin_id == admin_id))
    if account is None or account.password is None:
        return Cancel("the mailbox is not connected")
    at, began_at = position_of(account), rota.clock.now()
    opening = open_mailbox(
        account.host,
        account.port,
        username=account.username,
        password=account.password,
        is_private=account.is_private,
    )
    # Nothing waits in the database while the server is asked.
    db.session.commit()
    try:
        with opening as mailbox:
            # A server that hangs is left as soon as this run is told to stop.
            ctx.stop.then(mailbox.hang_up)
            stored = sync(db.session, at, mailbox, tell=lambda done, total: _tell(ctx, done, total), now=began_at)
    except Overtaken:
        return Cancel("the mailbox was disconnected, or is read by another run")
    except Refused as error:
        this_one = (MailAccount.id == at.account_id) & (MailAccount.connection == at.connection)
        db.session.execute(update(MailAccount).where(this_one).values(refused=str(error)[:500]))
        db.session.commit()
        return Fail(f"the mail server refuses the password of admin {admin_id}", retry=False)
    # Asked of the database, and not of this attempt: one before may have stored them, and died.
    if db.session.scalar(select(Message.id).where(Message.matched_at.is_(None)).limit(1)):
        email_matching.using(tenant=ctx.tenant.id).enqueue()
    return {"stored": stored}


def _tell(ctx: RunContext, done: int, total: int) -> None:
    ctx.check()
    ctx.progress(done, total)


@rota.job(name="EMAIL_SYNC_DISCONNECT", per_tenant=True, unique="args")
def email_sync_disconnect(ctx: RunContext, admin_id: int, connection: int) -> None:
    """Disconnect an admin's mailbox. It wins over whoever reads it: from its commit on nobody else writes.

    `connection` says which one is meant: not one that was made since this was asked for.
    """
    this_one = (MailAccount.admin_id == admin_id) & (MailAccount.connection == connection)
    db.session.execute(update(MailAccount).where(this_one).values(password=None, connection=connection + 1))
    db.session.commit()
    # Takes the place of a sync that waits or runs, which is cancelled, and finds nothing to do.
    email_sync_admin.using(tenant=ctx.tenant.id, on_conflict="replace").enqueue(admin_id)
