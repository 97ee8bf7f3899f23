"""What an agency keeps, in a database of its own: cases and contacts, admins and their mail."""

from datetime import UTC, date, datetime
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from rota.integrations.flask.sessions import tenant_sessions


class Base(DeclarativeBase):
    """Of all tables."""


# Each agency has its own: in a run or a request the session is on the database of its agency.
db = SQLAlchemy(model_class=Base, session_options=tenant_sessions())


class Instant(TypeDecorator[datetime]):
    """A time in UTC, without its zone in the database and with it in Python."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


class Admin(db.Model):
    """Somebody who works at the agency."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254), unique=True)


class Token(db.Model):
    """What an admin signs in with. Only its digest is kept."""

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    admin_id: Mapped[int] = mapped_column(ForeignKey("admin.id"))
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)


class Session(db.Model):
    """An admin who is signed in with a browser."""

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    admin_id: Mapped[int] = mapped_column(ForeignKey("admin.id"))
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)


case_contact = Table(
    "case_contact",
    db.metadata,
    Column("case_id", ForeignKey("case_file.id"), primary_key=True),
    Column("contact_id", ForeignKey("contact.id"), primary_key=True),
)


class Case(db.Model):
    """A case, known to everybody by its reference, such as C-2026-0042."""

    # CASE is a word of SQL.
    __tablename__ = "case_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(String(20), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    is_open: Mapped[bool] = mapped_column(default=True)
    admin_id: Mapped[int | None] = mapped_column(ForeignKey("admin.id"))


class Contact(db.Model):
    """Somebody outside of the agency, in any number of cases."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254), unique=True)


class Event(db.Model):
    """A date in a case: a hearing, a visit, a deadline."""

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"))
    title: Mapped[str] = mapped_column(String(200))
    starts_at: Mapped[datetime] = mapped_column(Instant, index=True)


class Notification(db.Model):
    """What an admin is told of an event, once: the event is the key."""

    event_id: Mapped[int] = mapped_column(ForeignKey("event.id"), primary_key=True)
    admin_id: Mapped[int] = mapped_column(ForeignKey("admin.id"))
    text: Mapped[str] = mapped_column(String(400))
    made_at: Mapped[datetime] = mapped_column(Instant)


class MailAccount(db.Model):
    """An admin's mailbox, and how far it has been read.

    `connection` grows with each connecting and disconnecting. Whoever reads the mailbox writes only as long as it is
    what it was.
    """

    id: Mapped[int] = mapped_column(primary_key=True)
    admin_id: Mapped[int] = mapped_column(ForeignKey("admin.id"), unique=True)
    host: Mapped[str] = mapped_column(String(200))
    port: Mapped[int]
    is_private: Mapped[bool] = mapped_column(default=True)
    username: Mapped[str] = mapped_column(String(254))
    password: Mapped[str | None] = mapped_column(String(500))
    """None once it is disconnected. Encrypt it as you do other secrets of yours."""
    connection: Mapped[int] = mapped_column(default=1)
    refused: Mapped[str | None] = mapped_column(String(500))
    """What the server said of the password: nobody tries that one again."""
    uidvalidity: Mapped[int] = mapped_column(BigInteger, default=0)
    last_uid: Mapped[int] = mapped_column(BigInteger, default=0)
    modseq: Mapped[int] = mapped_column(BigInteger, default=0)
    connected_at: Mapped[datetime] = mapped_column(Instant)
    synced_at: Mapped[datetime | None] = mapped_column(Instant)


class Message(db.Model):
    """An e-mail, once per mailbox, whatever UIDs the server has given it."""

    __table_args__ = (
        UniqueConstraint("account_id", "fingerprint"),
        # Not unique: they are the server's, and an admin may connect another one.
        Index("message_by_uid", "account_id", "uidvalidity", "uid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("mail_account.id"))
    fingerprint: Mapped[str] = mapped_column(String(64))
    uidvalidity: Mapped[int] = mapped_column(BigInteger)
    uid: Mapped[int] = mapped_column(BigInteger)
    message_id: Mapped[str] = mapped_column(String(500), index=True)
    references: Mapped[list[str]] = mapped_column("thread", JSON)
    """The messages that it answers, nearest last."""
    subject: Mapped[str] = mapped_column(String(500))
    addresses: Mapped[list[str]] = mapped_column(JSON)
    """Whom it is from, and then whom it is to."""
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    body: Mapped[str] = mapped_column(Text(2**24 - 1))
    is_seen: Mapped[bool] = mapped_column(default=False)
    matched_at: Mapped[datetime | None] = mapped_column(Instant, index=True)
    """When it was last looked for its case; None while that is to come."""
    case_id: Mapped[int | None] = mapped_column(ForeignKey("case_file.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"))
    matched_by: Mapped[str | None] = mapped_column(String(20))


class DailyReport(db.Model):
    """The sums of a day."""

    day: Mapped[date] = mapped_column(primary_key=True)
    open_cases: Mapped[int]
    messages: Mapped[int]
    filed: Mapped[int]
    events: Mapped[int]
