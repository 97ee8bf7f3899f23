"""Mails to subscribers, each once."""

import os
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from multiprocessing.synchronize import Event
from urllib.parse import urlsplit

from sqlalchemy import insert, select

from examples.parliament.database import engine, sent
from examples.parliament.results import ScraperResult

SERVER = urlsplit(os.environ.get("PARLIAMENT_SMTP", "smtp://127.0.0.1:2525"))


@dataclass(frozen=True)
class Letter:
    """A mail to a subscriber; `what` tells it from all others that he gets."""

    email: str
    what: str
    subject: str
    text: str


def send_once(letters: Sequence[Letter], stop_event: Event) -> ScraperResult:
    """Send the letters that were not sent before. One that is refused stops no other, and is tried again."""
    added, refused = 0, None
    for letter in letters:
        if stop_event.is_set():
            return ScraperResult(False, Exception("Job stopped"), added, len(letters))
        key = {"email": letter.email, "what": letter.what}
        with engine.begin() as db:
            if db.execute(select(sent).filter_by(**key)).first():
                continue
        # No transaction is open while the mail server thinks. Whoever is killed right here sends one letter twice.
        try:
            _hand_over(letter)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error
            continue
        with engine.begin() as db:
            db.execute(insert(sent).values(**key))
        added += 1
    return ScraperResult(refused is None, refused, added, len(letters))


def _hand_over(letter: Letter) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "news@parliament.example", letter.email, letter.subject
    mail.set_content(letter.text)
    with smtplib.SMTP(SERVER.hostname or "", SERVER.port or 25, timeout=10) as server:
        server.send_message(mail)
