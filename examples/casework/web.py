"""What admins and their browsers ask of the application. Each request is of one agency, and of an admin of it."""

import hashlib
from typing import Any

from flask import Blueprint, abort, g, jsonify, request
from sqlalchemy import select, update

from examples.casework.jobs.email_sync import email_sync_admin, email_sync_agency, email_sync_disconnect
from examples.casework.models import Admin, Case, Contact, MailAccount, Message, Notification, Token, db
from examples.casework.work import rota
from rota import JobContext, RunHandle
from rota.errors import RunNotFound, TenantNotFound

web = Blueprint("web", __name__)

Answer = tuple[Any, int]


@web.before_request
def sign_in() -> None:
    """Find the agency, and who asks: by a token of that agency."""
    try:
        rota.enter_tenant(request.headers.get("X-Agency", ""))
    except TenantNotFound:
        abort(401)
    token = db.session.get(Token, digest(request.headers.get("Authorization", "").removeprefix("Bearer ")))
    if token is None or token.expires_at <= rota.clock.now():
        abort(401)
    g.admin = db.session.get_one(Admin, token.admin_id)


def digest(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


@web.put("/mailbox")
def connect() -> Answer:
    """Connect the admin's mailbox, and have it read."""
    said = request.get_json()
    account = db.session.scalar(select(MailAccount).where(MailAccount.admin_id == g.admin.id))
    if account is None:
        account = MailAccount(admin_id=g.admin.id, connection=0)
        db.session.add(account)
    account.host, account.port, account.is_private = said["host"], int(said["port"]), said.get("is_private", True)
    account.username, account.password, account.refused = said["username"], said["password"], None
    account.connection += 1
    account.connected_at, account.synced_at = rota.clock.now(), None
    # It may be another mailbox than before: what is stored of that is known by its fingerprint, not by its UIDs.
    account.uidvalidity = account.last_uid = account.modseq = 0
    db.session.execute(update(Message).where(Message.account_id == account.id).values(uidvalidity=0))
    # Queued when this is committed, and not at all if it is not; in the place of one that reads the mailbox of before.
    run = ours(email_sync_admin).using(on_conflict="replace").enqueue(g.admin.id)
    db.session.commit()
    return accepted(run)


@web.post("/mailbox/sync")
def sync_mine() -> Answer:
    """Have the admin's mailbox read now."""
    return accepted(ours(email_sync_admin).enqueue(g.admin.id))


@web.delete("/mailbox")
def disconnect() -> Answer:
    """Disconnect the admin's mailbox."""
    account = db.session.scalar(select(MailAccount).where(MailAccount.admin_id == g.admin.id))
    if account is None:
        abort(404)
    return accepted(ours(email_sync_disconnect).enqueue(g.admin.id, account.connection))


@web.post("/sync")
def sync_all() -> Answer:
    """Have all mailboxes of the agency read now."""
    return accepted(ours(email_sync_agency).enqueue())


@web.get("/runs/<run_id>")
def show_run(run_id: str) -> Answer:
    """Say how what was asked for stands: to the agency that asked for it."""
    try:
        run = rota.run(run_id).refresh()
    except RunNotFound:
        abort(404)
    if run.tenant != JobContext.from_request().tenant:
        abort(404)
    return jsonify(id=run.id, job=run.job, state=run.state, done=run.done, total=run.total), 200


@web.get("/cases/<reference>")
def show_case(reference: str) -> Answer:
    """Show a case with its mail, oldest first."""
    case = db.session.scalar(select(Case).where(Case.reference == reference))
    if case is None:
        abort(404)
    filed = select(Message, Contact).join(Contact, isouter=True).where(Message.case_id == case.id)
    messages = [
        {"subject": message.subject, "contact": contact and contact.name, "matched_by": message.matched_by}
        for message, contact in db.session.execute(filed.order_by(Message.sent_at, Message.id))
    ]
    return jsonify(reference=case.reference, title=case.title, messages=messages), 200


@web.get("/notifications")
def show_notifications() -> Answer:
    """Show what the admin was told."""
    mine = select(Notification).where(Notification.admin_id == g.admin.id).order_by(Notification.made_at)
    return jsonify([{"text": one.text, "at": one.made_at} for one in db.session.scalars(mine)]), 200


def ours(job: Any) -> Any:
    """Return the job for the agency of this request."""
    return job.using(tenant=JobContext.from_request().tenant)


def accepted(run: RunHandle) -> Answer:
    """Answer with where to ask after a run."""
    return jsonify(run=run.id, url=f"/runs/{run.id}"), 202
