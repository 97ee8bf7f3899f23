"""Mails of the application."""

import os
import smtplib
from email.message import EmailMessage
from urllib.parse import urlsplit

SERVER = urlsplit(os.environ.get("ACCOUNTS_SMTP", "smtp://127.0.0.1:2525"))


def send(to: str, *, subject: str, text: str) -> None:
    """Hand a mail to the mail server, or raise."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "accounts@example.org", to, subject
    mail.set_content(text)
    with smtplib.SMTP(SERVER.hostname or "", SERVER.port or 25, timeout=10) as server:
        server.send_message(mail)
