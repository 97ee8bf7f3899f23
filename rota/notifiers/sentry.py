"""Alerts as events of Sentry, straight to its ingest address: an alert must know whether it was taken.

The SDK puts events into a queue and says nothing of what becomes of them. That is right for what happens in passing:
`rota.integrations.sentry` uses it.
"""

from hashlib import sha256
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from rota.clock import Clock
from rota.core.alert import Alert, Stage
from rota.core.masking import Secret
from rota.notifiers.message import line, message_of
from rota.notifiers.options import shown
from rota.notifiers.web import WebOptions, check, post, terms_of
from rota.version import __version__

CLIENT = f"rota/{__version__}"
LONGEST_TAG = 200


class SentryOptions(WebOptions, frozen=True, kw_only=True):
    """A project of Sentry."""

    dsn: Secret[str]
    """Its DSN: `https://KEY@HOST/PROJECT`. A secret: also `dsn_file`, or `env:SENTRY_DSN`."""
    environment: str = "production"
    """What its events are filed under."""

    __repr__ = shown

    def __post_init__(self) -> None:
        check(ingest_of(self.dsn).url, self, name="dsn")


class Ingest(Struct, frozen=True, kw_only=True):
    """Where events of a project are taken, and the key that says so."""

    url: str
    key: str


class SentryChannel:
    """Send each alert as one event; those of one job and one kind of trouble are one issue."""

    def __init__(self, options: SentryOptions, clock: Clock) -> None:
        self._ingest = ingest_of(options.dsn)
        self._environment = options.environment
        self._terms = terms_of(options)
        self._clock = clock

    def send(self, alert: Alert) -> None:
        """Send it. A repeated one has the same id, which Sentry keeps once.

        Raises:
            DeliveryFailed: Sentry has not taken it.
        """
        event = event_of(alert, environment=self._environment)
        parts = ({"event_id": event["event_id"]}, {"type": "event"}, event)
        envelope = b"\n".join(map(msgspec.json.encode, parts)) + b"\n"
        headers = {
            "Content-Type": "application/x-sentry-envelope",
            "X-Sentry-Auth": f"Sentry sentry_version=7, sentry_client={CLIENT}, sentry_key={self._ingest.key}",
        }
        post(self._ingest.url, envelope, headers=headers, terms=self._terms, clock=self._clock)


def event_of(alert: Alert, *, environment: str) -> dict[str, object]:
    """Return the event of an alert."""
    message = message_of(alert)
    tags = {
        "job": alert.job,
        "kind": str(alert.kind),
        "stage": str(alert.stage),
        "incident": alert.incident,
        "run": alert.run_id or "",
        "slot": alert.slot.isoformat() if alert.slot else "",
        "tenants": str(alert.number_of_tenants),
    }
    facts = dict(message.facts) | {"Error": message.error, "At": message.place, "Note": message.note}
    return {
        "event_id": sha256(alert.id.encode()).hexdigest()[:32],
        "timestamp": alert.at,
        "platform": "other",
        "level": "info" if alert.stage in (Stage.RECOVERED, Stage.TEST) else "error",
        "logger": "rota.alerts",
        "environment": environment,
        "logentry": {"formatted": message.title},
        "fingerprint": ["rota-incident", line(alert.kind), line(alert.job)],
        "tags": {name: line(value, most=LONGEST_TAG) for name, value in tags.items() if value},
        "extra": {name: value for name, value in facts.items() if value},
    }


def ingest_of(dsn: str) -> Ingest:
    """Return where a project's events go.

    Raises:
        ValueError: it is no DSN; the message does not show it.
    """
    try:
        parts = urlsplit(dsn)
    except ValueError:
        raise ValueError("dsn: it is none: https://KEY@HOST/PROJECT is one") from None
    before, _, project = parts.path.rpartition("/")
    key = parts.username or ""
    if not key.isalnum() or not key.isascii() or not project.isascii() or not project.isalnum():
        raise ValueError("dsn: it is none: https://KEY@HOST/PROJECT is one")
    host = parts.netloc.rpartition("@")[2]
    return Ingest(url=f"{parts.scheme}://{host}{before}/api/{project}/envelope/", key=key)
