"""Secrets in every text of an alert, and no channel that lets one out (R65, T50, T51, T52).

An alert is made of texts that were masked before; what comes in all the same (a secret that became known later, one in
the form of a URL or of base64) stops here.
"""

import json
import logging
from base64 import b64decode, b64encode
from urllib.parse import quote

import pytest

from rota.core.alert import Alert
from rota.notifiers import KINDS, make
from rota.redaction import SECRETS
from tests.mail_server import mail_server
from tests.notifiers.test_webhook import KEY
from tests.receiver import receiving
from tests.values import an_alert

# One Apprise loads all of its plugins.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")

CANARY = 'canary/7f3a91+"=ö'
TEXTS = ("job", "title", "error", "place", "note", "advice", "url", "run_id")


def forms(secret):
    """Return a secret as it may be written."""
    raw = secret.encode()
    return [
        raw,
        quote(secret, safe="").encode(),
        quote(secret).encode(),
        b64encode(raw).rstrip(b"="),
        raw.hex().encode(),
        json.dumps(secret)[1:-1].encode(),
        json.dumps(secret, ensure_ascii=False)[1:-1].encode(),
        secret.replace('"', "&quot;").encode(),
    ]


WAYS = {
    "as it is": "{}",
    "in a DSN": "OperationalError: mysql://ops:{}@db1/agency refused",
    "in words": "login with {} failed",
    "in JSON": "{{'payload': \"{}\"}}",
}


def written(way, secret):
    return [WAYS[way].format(form.decode()) for form in forms(secret)]


@pytest.fixture
def sent(web_channel, clock, caplog):
    """Send an alert through a channel of a kind, and return every byte that left."""

    def sent(kind: str, *alerts: Alert) -> bytes:
        caplog.set_level(logging.DEBUG)
        with receiving() as receiver, mail_server() as server:
            match kind:
                case "log":
                    channel = make("log", {}, clock=clock)
                case "email":
                    options = {"to": ["ops@example.org"], "smtp": f"smtp://127.0.0.1:{server.port}"}
                    channel = make("email", options, clock=clock)
                case "apprise":
                    channel = make("apprise", {"url": f"json://127.0.0.1:{receiver.port}/"}, clock=clock)
                case "sentry":
                    channel = web_channel(kind, receiver, dsn=f"http://public@127.0.0.1:{receiver.port}/7")
                case _:
                    channel = web_channel(kind, receiver)
            for alert in alerts:
                channel.send(alert)
        parts = [part for mail in server.mails for part in mail.message.walk() if not part.is_multipart()]
        left = [
            *(request.body for request in receiver.requests),
            *(mail.raw for mail in server.mails),
            *(part.get_content().encode() for part in parts),
            *(json.dumps(vars(record), default=str, ensure_ascii=False).encode() for record in caplog.records),
            caplog.text.encode(),
        ]
        assert len(receiver.requests) + len(server.mails) + len(caplog.records) >= len(alerts)
        return b"\n".join(left)

    return sent


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_no_secret_leaves_through_a_channel(sent, kind, way):  # R65, T50, T51, T52
    SECRETS.keep(CANARY)
    alerts = [an_alert(**dict.fromkeys(TEXTS, text), tenants=(text,)) for text in written(way, CANARY)]

    left = sent(kind, *alerts)

    assert [form for form in forms(CANARY) if form in left] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_secrets_of_a_channel_leave_through_none(sent, clock, kind):  # R65
    password = "hush-hush-hush-7"
    make("email", {"to": ["a@example.org"], "user": "rota", "password": password}, clock=clock)
    make("webhook", {"url": "https://hook.example.com/in/7f3a91c2d4e5", "key": KEY}, clock=clock)

    left = sent(kind, an_alert(error=f"{password}, https://hook.example.com/in/7f3a91c2d4e5", note=f"key {KEY}"))

    assert password.encode() not in left
    assert b"7f3a91c2d4e5" not in left
    assert KEY.encode() not in left
    assert b64decode(KEY.removeprefix("whsec_")) not in left
