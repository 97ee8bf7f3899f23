"""The agency's mail into its cases. What decides is in `mail/matching.py`; this reads and writes."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from examples.casework.mail.matching import Register, Unfiled, match
from examples.casework.models import Case, Contact, Message, case_contact, db
from examples.casework.work import rota
from rota import RunContext

PAGE = 500


# While it waits, another one is not needed; once it runs, mail may come that it does not see.
@rota.job(name="EMAIL_MATCHING", per_tenant=True, unique="args", unique_while="waiting")
def email_matching(ctx: RunContext) -> dict[str, int]:
    """Match the mail that came to cases and contacts."""
    looked_at = matched = 0
    while messages := _next_page():
        ctx.check()
        looked_at += len(messages)
        matched += _match(messages, now=rota.clock.now())
        db.session.commit()
    return {"looked_at": looked_at, "matched": matched}


def _next_page() -> Sequence[Message]:
    waiting = select(Message).where(Message.matched_at.is_(None)).order_by(Message.id).limit(PAGE)
    # Two of these at once share the work, and do none of it twice.
    return db.session.scalars(waiting.with_for_update()).all()


def _match(messages: Sequence[Message], *, now: datetime) -> int:
    unfiled = [
        Unfiled(
            id=message.id,
            message_id=message.message_id,
            references=message.references,
            subject=message.subject,
            addresses=message.addresses,
        )
        for message in messages
    ]
    found = match(unfiled, _register(unfiled))
    for message in messages:
        message.matched_at = now
        if message.id in found:
            where = found[message.id]
            message.case_id, message.contact_id, message.matched_by = where.case_id, where.contact_id, where.by
    return len(found)


def _register(unfiled: Sequence[Unfiled]) -> Register:
    """Return what the agency knows that these messages may speak of."""
    addresses = {address for message in unfiled for address in message.addresses}
    answered = {reference for message in unfiled for reference in message.references}
    contacts = db.session.execute(select(Contact.email, Contact.id).where(Contact.email.in_(addresses))).all()
    open_cases: dict[int, list[int]] = {contact_id: [] for _, contact_id in contacts}
    of_contacts = select(case_contact.c.contact_id, Case.id).join(Case).where(Case.is_open)
    for contact_id, case_id in db.session.execute(of_contacts.where(case_contact.c.contact_id.in_(open_cases))):
        open_cases[contact_id].append(case_id)
    filed = select(Message.message_id, Message.case_id).where(Message.case_id.is_not(None))
    return Register(
        cases=dict(db.session.execute(select(Case.reference, Case.id)).all()),
        contacts=dict(contacts),
        open_cases=open_cases,
        filed=dict(db.session.execute(filed.where(Message.message_id.in_(answered))).all()),
    )
