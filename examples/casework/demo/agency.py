"""A made-up agency: two admins, three cases, the people in them, and what those write."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import URL, create_engine, insert
from sqlalchemy.orm import Session

from examples.casework.models import Admin, Case, Contact, Event, MailAccount, Token, case_contact
from examples.casework.web import digest

FENCE, ROOF, DRAIN = "C-2026-0010", "C-2026-0020", "C-2026-0030"
ANA, BOB = 1, 2
"""The admins."""

LETTERS = (
    # Subject, sender, which of the letters before it answers, and the case it is filed in.
    (f"About {FENCE}", "stranger@example.net", None, FENCE),
    ("Re: the fence", "stranger@example.net", -1, FENCE),
    ("My roof", "rosa@example.org", None, ROOF),
    ("Re: My roof", "neighbour@example.net", -1, ROOF),
    ("Hello", "carl@example.org", None, None),  # of two open cases
    ("Cheap watches", "offers@example.net", None, None),
)


def token_of(agency: str, admin_id: int = ANA) -> str:
    """Return what an admin signs in with."""
    return f"{agency}-{admin_id}"


def furnish(database: URL, agency: str, *, mail_port: int, mailboxes: Sequence[str], now: datetime) -> None:
    """Fill an agency's database; each of the `mailboxes` is an admin's, on a server of this machine."""
    engine = create_engine(database)
    with Session(engine) as session:
        for admin_id, name in ((ANA, "ana"), (BOB, "bob")):
            session.add(Admin(id=admin_id, name=name.title(), email=f"{name}@{agency}.example"))
            session.flush()
            token = digest(token_of(agency, admin_id))
            session.add(Token(digest=token, admin_id=admin_id, expires_at=now + timedelta(days=30)))
        for admin_id, username in enumerate(mailboxes, start=ANA):
            session.add(
                MailAccount(
                    admin_id=admin_id,
                    host="127.0.0.1",
                    port=mail_port,
                    is_private=False,
                    username=username,
                    password="secret",
                    connected_at=now,
                )
            )
        titles = {FENCE: "The fence", ROOF: "The roof", DRAIN: "The drain"}
        cases = [Case(reference=reference, title=title, admin_id=ANA) for reference, title in titles.items()]
        names = ("fred", "rosa", "carl")
        contacts = [Contact(name=name.title(), email=f"{name}@example.org") for name in names]
        session.add_all([*cases, *contacts])
        session.flush()
        (fence, roof, drain), (fred, rosa, carl) = cases, contacts
        in_cases = ((fence, fred), (roof, rosa), (fence, carl), (drain, carl))
        session.execute(
            insert(case_contact), [{"case_id": case.id, "contact_id": contact.id} for case, contact in in_cases]
        )
        session.add(Event(case_id=roof.id, title="Inspection", starts_at=now + timedelta(days=1, hours=2)))
        session.commit()
    engine.dispose()


def letters(mailbox: str, number: int, *, first: int = 0, at: datetime) -> list[bytes]:
    """Return so many letters to a mailbox, from the `first` on; the same ones each time."""
    made = []
    for n in range(first, first + number):
        subject, sender, answers, _ = LETTERS[n % len(LETTERS)]
        headers = [f"Message-ID: <{n}.{mailbox}@example.org>", f"Subject: {subject}", f"From: {sender}"]
        if answers is not None:
            headers.append(f"In-Reply-To: <{n + answers}.{mailbox}@example.org>")
        headers += [f"To: {mailbox}@example.org", f"Date: {at + timedelta(seconds=n):%a, %d %b %Y %H:%M:%S} +0000"]
        made.append("\r\n".join([*headers, "", f"This is letter {n}.", ""]).encode())
    return made


def filed(number: int) -> dict[str | None, int]:
    """Return how many of the first letters of a mailbox belong to each case; under None, to none."""
    cases = [LETTERS[n % len(LETTERS)][3] for n in range(number)]
    return {case: cases.count(case) for case in dict.fromkeys(cases)}
