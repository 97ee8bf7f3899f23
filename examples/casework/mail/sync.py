"""Bring what is new in a mailbox into the agency's database: in batches, each with how far it came.

Repeated, killed half way, or done by two at once, it stores each message once and leaves out none.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import asdict, replace
from sqlalchemy import select, update
from sqlalchemy.orm import Session, scoped_session

from examples.casework.mail.letter import Letter, read
from examples.casework.mail.mailbox import Fetched, Folder, Mailbox
from examples.casework.models import MailAccount, Message

BATCH = 100

Database = Session | scoped_session[Session]


class Overtaken(Exception):
    """The mailbox was disconnected meanwhile, or somebody else reads it: nothing of this batch was written."""


class Position(Struct, frozen=True, kw_only=True):
    """How far a mailbox has been read."""

    account_id: int
    connection: int
    uidvalidity: int
    last_uid: int
    modseq: int


def position_of(account: MailAccount) -> Position:
    """Return how far an account has been read."""
    return Position(
        account_id=account.id,
        connection=account.connection,
        uidvalidity=account.uidvalidity,
        last_uid=account.last_uid,
        modseq=account.modseq,
    )


def sync(
    session: Database, at: Position, mailbox: Mailbox, *, tell: Callable[[int, int], object], now: datetime
) -> int:
    """Store what is new, and return how many messages that was. `tell(done, total)` is called before each batch.

    Between batches no transaction is open: nothing waits in the database while the server is asked.

    Raises:
        Overtaken: from here on somebody else says what becomes of this mailbox.
    """
    folder, stored = mailbox.select(), 0
    if at.uidvalidity != folder.uidvalidity:
        # The first time, or the server has numbered everything anew. What is stored is known by its fingerprint.
        at = advance(session, at, replace(at, uidvalidity=folder.uidvalidity, last_uid=0, modseq=folder.modseq))
        session.commit()
    known_up_to = at.last_uid
    uids = mailbox.uids_after(at.last_uid) if folder.uidnext > at.last_uid + 1 else []
    tell(0, len(uids))
    for start in range(0, len(uids), BATCH):
        batch = uids[start : start + BATCH]
        fetched = mailbox.fetch(batch)
        # First: it holds the row, so that whoever is overtaken has not written anything.
        at = advance(session, at, replace(at, last_uid=batch[-1]))
        stored += store(session, at, fetched)
        session.commit()
        tell(start + len(batch), len(uids))
    _finish(session, at, mailbox, folder, known_up_to=known_up_to, now=now)
    return stored


def advance(session: Database, was: Position, to: Position) -> Position:
    """Move an account on, if it still is where it was.

    Raises:
        Overtaken: it is not.
    """
    moved = session.execute(
        update(MailAccount)
        .where(
            MailAccount.id == was.account_id,
            MailAccount.connection == was.connection,
            MailAccount.uidvalidity == was.uidvalidity,
            MailAccount.last_uid == was.last_uid,
        )
        .values(uidvalidity=to.uidvalidity, last_uid=to.last_uid, modseq=to.modseq)
        .execution_options(synchronize_session=False)
    )
    if moved.rowcount != 1:
        session.rollback()
        raise Overtaken
    return to


def store(session: Database, at: Position, fetched: Sequence[Fetched]) -> int:
    """Store the messages that are not there yet, and return how many those were."""
    came = {letter.fingerprint: (letter, one) for one in fetched for letter in [read(one.raw)]}
    there = select(Message).where(Message.account_id == at.account_id, Message.fingerprint.in_(came))
    for message in session.scalars(there):
        _, one = came.pop(message.fingerprint)
        message.uidvalidity, message.uid, message.is_seen = at.uidvalidity, one.uid, one.is_seen
    session.add_all(_message(letter, one, at) for letter, one in came.values())
    return len(came)


def _message(letter: Letter, one: Fetched, at: Position) -> Message:
    return Message(
        account_id=at.account_id, uidvalidity=at.uidvalidity, uid=one.uid, is_seen=one.is_seen, **asdict(letter)
    )


def _finish(
    session: Database, at: Position, mailbox: Mailbox, folder: Folder, *, known_up_to: int, now: datetime
) -> None:
    """Take over which messages have been read since, and say that the mailbox has been."""
    has_changes = folder.modseq > at.modseq and known_up_to > 0
    seen = mailbox.seen_since(at.modseq, up_to=known_up_to) if has_changes else {}
    advance(session, at, replace(at, modseq=folder.modseq))
    for is_seen in (True, False):
        uids = [uid for uid, was_seen in seen.items() if was_seen is is_seen]
        session.execute(
            update(Message)
            .where(Message.account_id == at.account_id, Message.uidvalidity == at.uidvalidity, Message.uid.in_(uids))
            .values(is_seen=is_seen)
            .execution_options(synchronize_session=False)
        )
    session.execute(update(MailAccount).where(MailAccount.id == at.account_id).values(synced_at=now))
    session.commit()
